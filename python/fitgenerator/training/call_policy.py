"""How many batches one call takes is decided here, and whether XLA compiles it.

Plain loops give the same bits as single steps, so they may follow the clock. XLA gives other last
digits, so whether and from which batch on it is used follows from what was asked for alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..batches.call_size import LARGEST_CALL, CallSize, bytes_of
from ..batches.prepared import Batch
from ..steps.protocol import ExecutionMode, Steps, Traced

# What a call of several batches may take, in seconds: stops and interrupts act between calls.
LONGEST_CALL = 0.05
# What a loop saves of a step on one device, in seconds: dispatch and the handling of one batch
# (measured).
SAVED = 2.5e-4
# Weights up to which "auto" has XLA compile: the steps of larger models are not dispatch.
SMALL_MODEL = 100_000
# What a loop takes to trace and to prepare, over tracing the step, which it calls (measured: 0.2 to
# 0.6).
_TRACING = 0.6
# Single steps that are measured before loops are formed.
_SAMPLE = 3


@dataclass(frozen=True)
class Asked:
    """What was asked for."""

    total: int | None  # steps in the whole call, where that is known
    in_round: int | None  # steps of one round, where that is known
    jit_compile: str | bool  # "auto", True or False


class CallPolicy:
    """Decides on the size of one mode's calls, from what was asked for and what is measured.

    `mode` is "train", "test" or "predict"; `weights` counts the model's.
    """

    def __init__(
        self,
        steps: Steps[Any],
        mode: str,
        call_size: CallSize,
        asked: Asked,
        weights: Callable[[], int],
    ) -> None:
        self.call_size = call_size
        self._steps = steps
        self._mode = mode
        self._asked = asked
        self._weights = weights
        self._decided = False
        self._compiles: Batch | None = None  # XLA compiles for such batches, and no others
        self._singles = 0
        self._shortest = float("inf")

    def first(self, batch: Batch, traced: Traced) -> str | None:
        """Before the first step: decide on XLA, by what was asked for.

        Why it is not used, where a loop of such steps would be slower.
        """
        most = self.call_size.most
        if self._decided or most == 1:
            return None
        self._decided = True
        largest = max(1, LARGEST_CALL // max(1, bytes_of(batch)))
        full = min(most, self._asked.in_round or most, largest)
        refused = self._steps.refused(self._mode, batch, ExecutionMode.XLA) is not None
        if refused or full == 1 or not batch.form.stackable or not self._wants_xla(traced):
            return None
        slow = traced.slow_in_loops(batch)
        if slow is None:
            self.call_size.fill(full)
            self._compiles = Batch((), batch.form, batch.rows)
        return slow

    def _wants_xla(self, traced: Traced) -> bool:
        asked = self._asked
        if asked.jit_compile != "auto":
            return bool(asked.jit_compile)
        enough = asked.total is not None and asked.total >= self._steps.worth_compiling
        if not enough or self._weights() > SMALL_MODEL:
            return False
        if self._steps.compiled:  # single steps are XLA's already: a loop changes nothing
            return True
        return traced.unsafe is None

    def measured(self, spent: float, batch: Batch, traced: Traced, done: int) -> str | None:
        """After a single step: decide on plain loops, by what they save and what tracing costs.

        Why there are none, where the steps refuse them.
        """
        self._singles += 1
        self._shortest = min(self._shortest, spent)
        size = self.call_size
        if size.size > 1 or size.most == 1 or self._singles < _SAMPLE:
            return None
        looped = min(size.most, int(LONGEST_CALL / self._shortest))
        if looped < 2 or size.full_from is not None or self._steps.compiled:
            return None
        refused = self._steps.refused(self._mode, batch, ExecutionMode.LOOP)
        if refused is not None:
            size.most = 1
        elif self._worth_tracing(batch, traced, done):
            size.size = looped
        return refused

    def _worth_tracing(self, batch: Batch, traced: Traced, done: int, share: float = 1.0) -> bool:
        """Whether a loop is traced, or saves more than it costs on its `share` of the steps."""
        if self._steps.find(self._mode, batch, ExecutionMode.LOOP) is not None:
            return True
        left = done if self._asked.total is None else self._asked.total - done
        saved = SAVED * self._steps.dispatch_cost
        return share * left * saved > _TRACING * traced.seconds

    def way(self, call: Batch, done: int) -> ExecutionMode:
        """How a call is run, after `done` steps; where it is `STEP`, its batches one by one."""
        if call.count == 1:
            return ExecutionMode.STEP
        if self.call_size.full_from is not None:
            if call.full and self._compiles is not None and call.fits(self._compiles):
                return ExecutionMode.XLA
            traced = self._steps.find(self._mode, call)
            share = call.count / (self._asked.in_round or call.count)
            if traced is None or not self._worth_tracing(call, traced, done, share):
                return ExecutionMode.STEP
        refused = self._steps.compiled or self._steps.refused(self._mode, call, ExecutionMode.LOOP)
        return ExecutionMode.STEP if refused else ExecutionMode.LOOP

    def give_up(self, call: Batch, way: ExecutionMode, reason: str) -> None:
        """Such calls cannot be run that way: not now, and not in the next call."""
        self._steps.refuse(self._mode, call, way, reason)
        self.call_size.full_from = None  # take what is there again
        if way is ExecutionMode.LOOP:
            self.call_size.size = self.call_size.most = 1
