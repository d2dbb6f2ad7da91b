"""How many batches one call takes is decided here, and whether XLA compiles it.

Plain loops give the same bits as single steps, so they may follow the clock. XLA gives other last
digits, so whether and from which batch on it is used follows from what was asked for alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..batches.prepared import Batch
from ..prefetch.call_size import LARGEST_CALL, Grouping
from ..steps.compiled_steps import ExecutionMode, Steps, Traced

# What a call of several batches may take, in seconds: stops and interrupts act between calls.
LONGEST_CALL = 0.05
# What a loop saves of a step, in seconds: dispatch and the handling of one batch (measured).
SAVED = 2.5e-4
# Steps from which on "auto" has XLA compile: some 0.1 ms saved on each pay for a second.
WORTH_COMPILING = 10_000
# Weights up to which "auto" has XLA compile: the steps of larger models are not dispatch.
SMALL_MODEL = 100_000
# What tracing a loop takes, over tracing the step.
_TRACING = 1.5
# Single steps that are measured before loops are formed.
_SAMPLE = 3


class Chooser:
    """Decides on the grouping of one mode from what was asked for and what is measured.

    Args:
        steps: The model's compiled steps.
        mode: "train", "test" or "predict".
        grouping: What is decided on.
        total: Steps asked for in the whole call, where that is known.
        in_round: Steps of one round, where that is known.
        jit_compile: "auto", True or False, as asked for.
        weights: Counts the model's weights.
    """

    def __init__(
        self,
        steps: Steps,
        mode: str,
        grouping: Grouping,
        *,
        total: int | None,
        in_round: int | None,
        jit_compile: Any,
        weights: Callable[[], int],
    ) -> None:
        self._steps = steps
        self._mode = mode
        self.grouping = grouping
        self._total = total
        self._in_round = in_round
        self._jit = jit_compile
        self._weights = weights
        self._decided = False
        self._compiles: Batch | None = None  # XLA compiles for such batches, and no others
        self._singles = 0
        self._shortest = float("inf")

    def first(self, batch: Batch, traced: Traced) -> None:
        """Before the first step: decide on XLA, by what was asked for."""
        if self._decided or self.grouping.most == 1:
            return
        self._decided = True
        size = min(
            self.grouping.most,
            self._in_round or self.grouping.most,
            max(1, LARGEST_CALL // max(1, batch.bytes)),
        )
        refused = self._steps.refused(self._mode, batch, ExecutionMode.XLA) is not None
        if refused or size == 1 or not batch.form.stackable or not self._wants_xla(batch, traced):
            return
        self.grouping.fill(size)
        self._compiles = Batch((), batch.form, batch.rows)

    def _wants_xla(self, batch: Batch, traced: Traced) -> bool:
        if self._jit != "auto":
            return bool(self._jit)
        enough = self._total is not None and self._total >= WORTH_COMPILING
        if not enough or self._weights() > SMALL_MODEL:
            return False
        if self._steps.compiled:  # single steps are XLA's already: a loop changes nothing
            return True
        # Keras weighs the losses of several outputs by rows where the trace knows how many there
        # are, as only XLA's traces do: the history would mix both.
        return self._steps.outputs(batch) <= 1 and traced.unsafe is None

    def measured(self, seconds: float, batch: Batch, traced: Traced, done: int) -> None:
        """After a single step: decide on plain loops, by what they save and what tracing costs."""
        self._singles += 1
        self._shortest = min(self._shortest, seconds)
        grouping = self.grouping
        if grouping.size > 1 or grouping.most == 1 or self._singles < _SAMPLE:
            return
        size = min(grouping.most, int(LONGEST_CALL / self._shortest))
        if size < 2 or grouping.fills or self._steps.compiled:
            return
        if self._steps.refused(self._mode, batch, ExecutionMode.LOOP) is not None:
            grouping.most = 1
        elif self._worth_tracing(batch, traced, done):
            grouping.size = size

    def _worth_tracing(self, batch: Batch, traced: Traced, done: int, share: float = 1.0) -> bool:
        """Whether a loop is traced, or saves more than it costs on its `share` of the steps."""
        if self._steps.find(self._mode, batch, ExecutionMode.LOOP) is not None:
            return True
        left = done if self._total is None else self._total - done
        return share * left * SAVED > _TRACING * traced.seconds

    def way(self, call: Batch, done: int) -> ExecutionMode:
        """How a call is run, after `done` steps; where it is `STEP`, its batches one by one."""
        if call.count == 1:
            return ExecutionMode.STEP
        if self.grouping.fills:
            if call.full and self._compiles is not None and call.fits(self._compiles):
                return ExecutionMode.XLA
            traced = self._steps.find(self._mode, call)
            share = call.count / (self._in_round or call.count)
            if traced is None or not self._worth_tracing(call, traced, done, share):
                return ExecutionMode.STEP
        refused = self._steps.compiled or self._steps.refused(self._mode, call, ExecutionMode.LOOP)
        return ExecutionMode.STEP if refused else ExecutionMode.LOOP

    def give_up(self, call: Batch, way: ExecutionMode, reason: str) -> None:
        """Such calls cannot be run that way: not now, and not in the next call."""
        self._steps.refuse(self._mode, call, way, reason)
        self.grouping.fill_no_more()
        if way is ExecutionMode.LOOP:
            self.grouping.size = self.grouping.most = 1
