"""The running of calls of compiled steps: of several batches in one loop, or batch by batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..batches.call_size import CallSize
from ..batches.model_inputs import lacks_dimension
from ..batches.prepared import Batch
from ..errors import ArgumentError, ClosedError, ErrorContext, Stage, TrainableWarning, locate
from ..messages import listed, reason
from ..prefetch.prefetcher import Prefetcher
from ..reporting.timeline import Span
from ..steps.chosen import steps_of
from ..steps.protocol import ExecutionMode, LimitsError, Traced
from .call_policy import Asked, CallPolicy
from .run_context import RunContext
from .together import CommonRounds

Outputs = Any  # what a step returns: the user's, where the model has a step of its own

_NO_EFFECT = (
    "`trainable` was changed ({}), which has no effect until the model is compiled again: the "
    "training goes on with the variables that were trainable before. Call compile()."
)
_STAGES: dict[str, Stage] = {"train": "trained on", "test": "evaluated", "predict": "predicted"}
_NOUNS = {"train": "training", "test": "evaluation", "predict": "prediction"}


class CallRunner:
    """Runs calls in one mode, each the way that the policy decides on."""

    def __init__(
        self,
        context: RunContext,
        mode: str,  # "train", "test" or "predict"
        prefetcher: Prefetcher,
        hooked: bool,  # hooks are called between the steps
        asked: Asked,
    ) -> None:
        self._context = context
        self.mode = mode
        self._prefetcher = prefetcher
        self._steps = steps_of(context.model)
        self._eager = self._steps.eager  # in the round that runs
        self._done = 0  # steps, in all rounds
        # Gives the metrics, once they are made, what they had added up in a call before this one.
        self.restore: Callable[[], None] | None = None
        self.size = self._call_size(hooked)
        argument = prefetcher.setup.argument
        self.common = CommonRounds(context.agreement, argument, self.size)
        weights = context.model.count_params
        self._policy = CallPolicy(self._steps, mode, self.size, asked, weights)

    def _call_size(self, hooked: bool) -> CallSize:
        capacity = self._prefetcher.setup.capacity
        execution = self._context.keras_version.steps_per_execution
        alone = hooked and execution == 1
        if alone or self._steps.eager or not self._steps.loops or capacity == 0:
            return CallSize()
        if execution == 1:
            return CallSize(capacity)
        return CallSize(min(capacity, execution), execution)

    def prime(self) -> None:
        """Build the model from the first batch, where there is one."""
        batch = self._prefetcher.prime()
        if self.common.several:
            batch = self.common.take(batch and batch.split()[0], "the first batch")
        if batch is not None and not self._steps.eager:
            with self._placing(batch):
                self._trace(batch, ExecutionMode.STEP)

    def renew(self) -> None:
        """Drop the steps that Keras has dropped; note what was frozen, or thawed, to no effect."""
        self._steps.renew(self.mode)
        self._eager = self._steps.eager
        names = self._steps.refrozen() if self.mode == "train" else []
        if names:
            text = _NO_EFFECT.format(listed(names, 6))
            self._context.notices.others.append((text, TrainableWarning))

    def begin(self) -> None:
        """A round begins; for the calling thread."""
        self.renew()
        self._steps.begin(self.mode)

    def end(self) -> None:
        """A round has ended."""
        self._steps.end(self.mode)

    def execute(self, call: Batch) -> list[Outputs]:
        """Run the steps of a call; what each piece of it returned."""
        outputs: list[Outputs] = []
        with self._placing(call):
            if self.restore is not None:
                self._restore(call, self.restore)
            for batch, way, function in self._pieces(call):
                first = self._prefetcher.used + 1
                self._prefetcher.begin(batch.count)
                if self._context.pacing.hooked:
                    self._context.pacing.begin()
                    self._context.host.wake()  # it may make batches now
                outputs += self._run_piece(batch, way, function, first)
                self._context.pacing.end()
        return outputs

    def _restore(self, call: Batch, restore: Callable[[], None]) -> None:
        """Before the first step: a trace makes the metrics, and changes nothing."""
        batch = call if call.count == 1 else call.split()[0]
        keras_version, host = self._context.keras_version, self._context.host
        if self._eager and keras_version.builds_metrics:
            host.call(lambda: keras_version.build(batch.pack()))
        else:
            self._traced(batch, ExecutionMode.STEP)
        host.call(restore)
        self.restore = None

    @contextmanager
    def _placing(self, call: Batch) -> Iterator[None]:
        """An error of the model's says at which batch it came: in tracing, or in a step."""
        before = self._prefetcher.used
        try:
            yield
        except Exception as error:
            first, last = before + 1, max(before + 1, self._prefetcher.used)
            where = ErrorContext(
                self._prefetcher.setup.argument,
                last if last == first else (first, last),
                _STAGES[self.mode],
                vector_inputs=lacks_dimension(self._context.model, call),
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
            slow = self._policy.first(batch, function)
            if slow is not None:
                missed = "loops" if self._steps.compiled else ExecutionMode.XLA.value
                self._context.meter.fell_back(f"{missed} in {_NOUNS[self.mode]}", slow)
            yield batch, ExecutionMode.STEP, function

    def _traced(self, batch: Batch, way: ExecutionMode) -> Traced:
        return self._steps.find(self.mode, batch, way) or self._trace(batch, way)

    def _trace(self, batch: Batch, way: ExecutionMode) -> Traced:
        steps, mode = self._steps, self.mode

        # Thread rule 3: traced on the calling thread, executed elsewhere. TensorFlow's graph
        # context belongs to a thread, and what is traced may be R code.
        def trace() -> Traced:
            call = lambda: steps.trace(mode, batch, way)  # noqa: E731
            return self._context.host.call(call)  # type: ignore[no-any-return]

        together = self.common.several and way is not ExecutionMode.STEP
        traced = self.common.traced(trace) if together else trace()
        self._context.meter.add("traces", 1)
        return traced

    def _run_piece(
        self, batch: Batch, way: ExecutionMode, function: Traced | None, first: int
    ) -> list[Outputs]:
        begun, thread = time.perf_counter(), threading.get_ident()
        if function is None:
            (begun, ended, thread), outputs = self._context.host.call(
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
        place, span = (self._prefetcher.setup.name, first), (begun, ended, thread)
        self._context.meter.ran(place, batch.count, span, xla=way is ExecutionMode.XLA)
        if way is ExecutionMode.STEP and function is not None:
            why = self._policy.measured(ended - begun, batch, function, self._done)
            if why is not None:
                self._context.meter.fell_back(ExecutionMode.LOOP.value, why)
        return [outputs]

    def _run_eagerly(self, batch: Batch) -> tuple[Span, Outputs]:
        """On the calling thread; when it ran there, without the wait for that thread."""
        begun = time.perf_counter()
        outputs = self._steps.run_eagerly(self.mode, batch)
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
        self._context.meter.fell_back(way.value, why)
