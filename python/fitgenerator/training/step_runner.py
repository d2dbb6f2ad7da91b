"""The running of one round of steps: an epoch's, an evaluation's, a prediction's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..batches.model_inputs import lacks_dimension
from ..batches.outputs import joined
from ..batches.prepared import Batch
from ..errors import (
    ArgumentError,
    ClosedError,
    ErrorContext,
    Stage,
    TrainableWarning,
    locate,
)
from ..host.interface import ForeignHook, RawBatch
from ..messages import listed, reason
from ..models.keras_versions import STOPS
from ..models.protocol import Logs
from ..models.result_order import arranged, loss_first
from ..prefetch.call_size import CallSize
from ..prefetch.fetch import Round
from ..prefetch.prefetcher import Prefetcher
from ..reporting.timeline import Span
from ..steps.compiled_steps import ExecutionMode, Steps, Traced
from ..steps.xla_guard import LimitsError
from .call_policy import Asked, CallPolicy
from .run_context import RunContext

Outputs = Any  # what a step returns: the user's, where the model has a step of its own

_NO_EFFECT = (
    "`trainable` was changed ({}), which has no effect until the model is compiled again: the "
    "training goes on with the variables that were trainable before. Call compile()."
)
_STAGES: dict[str, Stage] = {"train": "trained on", "test": "evaluated", "predict": "predicted"}


class StepRunner:
    """Runs the steps of one mode, round by round: epochs, evaluations, a prediction."""

    def __init__(
        self,
        context: RunContext,
        mode: str,  # "train", "test" or "predict"
        prefetcher: Prefetcher,
        prepare: Callable[[RawBatch], Batch],
        count: int | None,  # steps of one round, `None` for as many as a pass of the source has
        rounds: int = 1,  # how many there will be
        *,
        whole: bool = False,  # a round is a pass, of `count` steps unless the source changes
    ) -> None:
        self.context = context
        self.prefetcher = prefetcher
        self._mode = mode
        self._steps = Steps.of(context.model)
        self._eager = self._steps.eager  # in the round that runs
        self._execution = context.keras_version.steps_per_execution
        self._hooked = context.callbacks.has_batch_hooks(mode)
        self._done = 0  # steps, in all rounds
        self.count = count  # of the round
        self.left_out = 0  # batches of the round that had nothing in them
        self._left_out = 0  # of all rounds
        self.round = Round(count, prepare, whole=whole, call_size=self._call_size())
        asked = Asked(None if count is None else count * rounds, count, context.jit_compile)
        weights = context.model.count_params
        self._policy = CallPolicy(self._steps, mode, self.round.call_size, asked, weights)

    def _call_size(self) -> CallSize:
        capacity = self.prefetcher.setup.capacity
        alone = self._hooked and self._execution == 1
        if alone or self._steps.eager or not self._steps.loops or capacity == 0:
            return CallSize()
        if self._execution == 1:
            return CallSize(capacity)
        return CallSize(min(capacity, self._execution), self._execution)

    def grant(
        self,
        *,
        restart: bool = False,
        wrap: bool = False,
        epoch: int = 0,
        times: int = 1,
        goes_on: bool = False,
    ) -> None:
        """Let the batches of so many rounds be fetched, the first one for the epoch `epoch`."""
        round_ = replace(self.round, restart=restart, wrap=wrap, epoch=epoch, goes_on=goes_on)
        self.prefetcher.schedule.grant(round_, times)
        self.context.host.wake()  # it may make batches now

    def prime(self) -> None:
        """Build the model from the first batch, where there is one."""
        batch = self.prefetcher.prime()
        if batch is not None and not self._steps.eager:
            with self._placing(batch):
                # Thread rule 3: traced on the calling thread, executed elsewhere.
                self.context.host.call(lambda: self._steps.trace(self._mode, batch))

    def renew(self) -> None:
        """Drop the steps that Keras has dropped; note what was frozen, or thawed, to no effect."""
        self._steps.renew(self._mode)
        names = self._steps.refrozen() if self._mode == "train" else []
        if names:
            text = _NO_EFFECT.format(listed(names, 6))
            self.context.notices.others.append((text, TrainableWarning))

    def begin(self) -> Iterator[ForeignHook]:
        """The begin hook of the round's first step; ends the job that begins the round.

        A hook before it may have compiled the model anew.
        """
        self.renew()
        self._eager = self._steps.eager
        self.context.pacing.hooked = self._hooked
        if self._hooked:
            yield from self.context.callbacks.run(f"on_{self._mode}_batch_begin", 0, {})

    def run(self, keep: Callable[[list[Outputs]], None] | None = None) -> tuple[int, Outputs]:
        """Run a round's steps; how many were run, and what the last one returned.

        As in Keras, hooks and stops come between groups of `steps_per_execution` steps.
        """
        context, group, done, last = self.context, [None], 0, False
        most = None if self.round.whole else self.round.count
        while not last and (most is None or done < most):
            size = self._execution if most is None else min(self._execution, most - done)
            ran, outputs, last = self._run_group(size, done)
            if not ran:
                break
            group, done = outputs, done + ran
            if keep is not None:
                keep(group)
            if self._hooked:
                between = lambda: self._between(done, group, last)  # noqa: B023, E731
                stop = context.host.call(between)
            else:
                stop = self._stopped()
            context.progress.step(done, self.count, lambda: self._logs(group[-1]))  # noqa: B023
            if stop or ran < size:
                break
        left_out = self.prefetcher.schedule.left_out
        self.left_out, self._left_out = left_out - self._left_out, left_out
        context.pacing.rest()
        context.host.wake()
        return done, group[-1]

    def _logs(self, outputs: Outputs) -> Logs:
        if self._mode == "predict":
            return {}
        logs = self.context.keras_version.logs(outputs)
        return arranged(logs, loss_first(self.context.model, outputs or {}))

    def _stopped(self) -> bool:
        return bool(getattr(self.context.model, STOPS[self._mode]))

    def _run_group(self, size: int, done: int) -> tuple[int, list[Outputs], bool]:
        """Run calls until `size` steps or more are done, or the round's last; `done` were before.

        How many were run, what they returned, and whether the round is over.
        """
        ran, outputs, last = 0, [], False
        while ran < size and not last:
            call = self.prefetcher.take()
            if call is None:
                break
            if call.left is not None:
                last, self.count = call.left == 0, done + ran + call.count + call.left
            outputs += self._execute(call)
            ran += call.count
            self.context.host.check()
        return ran, outputs, last

    def _execute(self, call: Batch) -> list[Outputs]:
        outputs: list[Outputs] = []
        with self._placing(call):
            for batch, way, function in self._pieces(call):
                first = self.prefetcher.used + 1
                self.prefetcher.begin(batch.count)
                if self._hooked:
                    self.context.pacing.begin()
                    self.context.host.wake()  # it may make batches now
                outputs += self._run_piece(batch, way, function, first)
                self.context.pacing.end()
        return outputs

    @contextmanager
    def _placing(self, call: Batch) -> Iterator[None]:
        """An error of the model's says at which batch it came: in tracing, or in a step."""
        before = self.prefetcher.used
        try:
            yield
        except Exception as error:
            first, last = before + 1, max(before + 1, self.prefetcher.used)
            where = ErrorContext(
                self.prefetcher.setup.argument,
                last if last == first else (first, last),
                _STAGES[self._mode],
                vector_inputs=lacks_dimension(self.context.model, call),
            )
            locate(error, where)
            raise

    def _pieces(self, call: Batch) -> Iterator[tuple[Batch, ExecutionMode, Traced | None]]:
        """What `call` is run as: whole, or batch by batch; traced, but where Python runs it."""
        way = self._policy.way(call, self._done)
        while way is not ExecutionMode.STEP and not self._eager:
            try:
                yield call, way, self._traced(call, way)
                return
            except (ClosedError, ArgumentError):
                raise
            except Exception as error:
                self._give_up(call, way, error)
                way = self._policy.way(call, self._done)
        for batch in (call,) if call.count == 1 else call.split():
            if self._eager:
                yield batch, ExecutionMode.STEP, None
                continue
            function = self._traced(batch, ExecutionMode.STEP)
            self._policy.first(batch, function)
            yield batch, ExecutionMode.STEP, function

    def _traced(self, batch: Batch, way: ExecutionMode) -> Traced:
        steps, mode = self._steps, self._mode
        known = steps.find(mode, batch, way)
        # Thread rule 3: traced on the calling thread, executed elsewhere. TensorFlow's graph
        # context belongs to a thread, and what is traced may be R code.
        return known or self.context.host.call(lambda: steps.trace(mode, batch, way))

    def _run_piece(
        self, batch: Batch, way: ExecutionMode, function: Traced | None, first: int
    ) -> list[Outputs]:
        begun, thread = time.perf_counter(), threading.get_ident()
        if function is None:
            (begun, ended, thread), outputs = self.context.host.call(
                lambda: self._run_eagerly(batch)
            )
        else:
            try:
                outputs = function(*batch.leaves)
            except Exception as error:
                failed = way is ExecutionMode.XLA and not function.proven
                if not (failed or isinstance(error, LimitsError)):
                    raise
                # XLA cannot compile it, or may differ here, and has changed nothing.
                self._give_up(batch, way, error)
                return self._run_again(batch, first)
            function.proven = True
            ended = time.perf_counter()
        self._done += batch.count
        place, span = (self.prefetcher.setup.name, first), (begun, ended, thread)
        self.context.meter.ran(place, batch.count, span, xla=way is ExecutionMode.XLA)
        if way is ExecutionMode.STEP and function is not None:
            self._policy.measured(ended - begun, batch, function, self._done)
        return [outputs]

    def _run_eagerly(self, batch: Batch) -> tuple[Span, Outputs]:
        """On the calling thread; when it ran there, without the wait for that thread."""
        begun = time.perf_counter()
        outputs = self._steps.run_eagerly(self._mode, batch.pack())
        return (begun, time.perf_counter(), threading.get_ident()), outputs

    def _run_again(self, call: Batch, first: int) -> list[Outputs]:
        outputs: list[Outputs] = []
        for batch, way, function in self._pieces(call):
            outputs += self._run_piece(batch, way, function, first)
            first += batch.count
        return outputs

    def _give_up(self, call: Batch, way: ExecutionMode, error: Exception) -> None:
        why = reason(error)
        self._policy.give_up(call, way, why)
        self.context.meter.pipeline.fallback = f"{way.value}: {why}"

    def _between(
        self, done: int, group: list[Outputs], last: bool
    ) -> Generator[ForeignHook, None, bool]:
        """The end hooks of one group and the begin hooks of the next: one hand-over.

        Thread rule 4: all callbacks run on the calling thread, in order, while the loop waits; they
        may hold R functions. The next batch is taken afterwards.

        True where an end hook stops the round; what a begin hook stops, stops after its group, as
        in Keras.
        """
        context = self.context
        full = context.keras_version.full_groups
        upto = -(-done // self._execution) * self._execution if full else done
        if self._mode == "predict":
            logs = {"outputs": group[0] if len(group) == 1 else joined(group)}
        else:
            logs = context.keras_version.logs(group[-1])
        yield from context.callbacks.run(f"on_{self._mode}_batch_end", upto - 1, logs)
        stop = self._stopped()
        if not (last or stop):
            yield from context.callbacks.run(f"on_{self._mode}_batch_begin", upto, {})
        return stop
