"""The running of one round of steps: an epoch's, an evaluation's, a prediction's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..batches.model_inputs import lacks_dimension
from ..batches.outputs import joined
from ..batches.prepared import Batch
from ..errors import ArgumentError, ClosedError, ErrorContext, Stage, locate
from ..messages import reason
from ..models.keras_versions import STOPS
from ..models.protocol import Logs
from ..prefetch.call_size import Grouping
from ..prefetch.prefetcher import END, Feed, Prepare, Round
from ..steps.compiled_steps import ExecutionMode, Traced
from .call_policy import Chooser
from .run_context import Course

_STAGES: dict[str, Stage] = {"train": "trained on", "test": "evaluated", "predict": "predicted"}


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one call of a function runs; without a function, Python does."""

    batch: Batch
    way: ExecutionMode
    function: Traced | None


class Rounds:
    """Runs the steps of one mode, round by round: epochs, evaluations, a prediction.

    Args:
        course: What every loop works with.
        mode: "train", "test" or "predict".
        feed: Where the batches come from.
        prepare: Makes what a step needs of a raw batch.
        count: Steps of one round, `None` for as many as a pass of the source has.
        rounds: How many rounds there will be.
    """

    def __init__(
        self,
        course: Course,
        mode: str,
        feed: Feed,
        prepare: Prepare,
        count: int | None,
        rounds: int = 1,
    ) -> None:
        self.course = course
        self.feed = feed
        self.count = count
        self._mode = mode
        self._prepare = prepare
        self._execution = course.keras_version.steps_per_execution
        self._stop = STOPS[mode]
        self._hooked = course.callbacks.has_batch_hooks(mode)
        self._done = 0  # steps, in all rounds
        self._chooser = Chooser(
            course.steps,
            mode,
            self._grouping(),
            total=None if count is None else count * rounds,
            in_round=count,
            jit_compile=course.jit_compile,
            weights=course.model.count_params,
        )

    def _grouping(self) -> Grouping:
        steps = self.course.steps
        alone = self._hooked and self._execution == 1
        if alone or steps.eager or not steps.loops or self.feed.capacity == 0:
            return Grouping()
        if self._execution == 1:
            return Grouping(self.feed.capacity)
        return Grouping(min(self.feed.capacity, self._execution), self._execution)

    def grant(
        self, *, fresh: bool = False, wrap: bool = False, epoch: int = 0, times: int = 1
    ) -> None:
        """Let the batches of so many rounds be pulled, the first one for the epoch `epoch`."""
        grouping = self._chooser.grouping
        self.feed.grant(Round(self.count, self._prepare, fresh, wrap, grouping, epoch), times)

    def prime(self) -> None:
        """Build the model from the first batch, where there is one."""
        batch = self.feed.prime()
        if batch is not END and not self.course.steps.eager:
            with self._placing(batch):
                self.course.host.call(lambda: self.course.steps.trace(self._mode, batch))

    def begin(self) -> Iterator[Any]:
        """The begin hook of the round's first step; ends the job that begins the round.

        A hook before it may have compiled the model anew.
        """
        self.course.steps.renew()
        self.course.pace.hooked = self._hooked
        if self._hooked:
            yield from self.course.callbacks.run(f"on_{self._mode}_batch_begin", 0, {})

    def run(self, keep: Callable[[list[Any]], None] | None = None) -> tuple[int, Any]:
        """Run a round's steps; how many were run, and what the last one returned.

        As in Keras, hooks and stops come between groups of `steps_per_execution` steps.
        """
        course, count, group, done = self.course, self.count, [None], 0
        while count is None or done < count:
            size = self._execution if count is None else min(self._execution, count - done)
            ran, outputs = self._run_group(size)
            if not ran:
                break
            group, done = outputs, done + ran
            if keep is not None:
                keep(group)
            if self._hooked:
                between = lambda: self._between(done, group, done == count)  # noqa: B023, E731
                stop = course.host.call(between)
            else:
                stop = self._stopped()
            course.progress.step(done, count, lambda: self._logs(group[-1]))  # noqa: B023
            if stop or ran < size:
                break
        course.pace.rest()
        course.host.wake()
        return done, group[-1]

    def _logs(self, outputs: Any) -> Logs:
        return {} if self._mode == "predict" else self.course.keras_version.logs(outputs)

    def _stopped(self) -> bool:
        return bool(getattr(self.course.model, self._stop))

    def _run_group(self, size: int) -> tuple[int, list[Any]]:
        """Run calls until at least `size` steps are done; how many were, and what they returned."""
        ran, outputs = 0, []
        while ran < size:
            call = self.feed.take()
            if call is END:
                break
            outputs += self._execute(call)
            ran += call.count
            self.course.host.check()
        return ran, outputs

    def _execute(self, call: Batch) -> list[Any]:
        outputs: list[Any] = []
        with self._placing(call):
            for piece in self._pieces(call):
                first = self.feed.taken + 1
                self.feed.begin(piece.batch.count)
                if self._hooked:
                    self.course.pace.begin()
                    self.course.host.wake()  # it may make batches now
                outputs += self._run_piece(piece, first)
                self.course.pace.end()
        return outputs

    @contextmanager
    def _placing(self, call: Batch) -> Iterator[None]:
        """An error of the model's says at which batch it came: in tracing, or in a step."""
        before = self.feed.taken
        try:
            yield
        except Exception as error:
            first, last = before + 1, max(before + 1, self.feed.taken)
            where = ErrorContext(
                self.feed.argument,
                last if last == first else (first, last),
                _STAGES[self._mode],
                vector_inputs=lacks_dimension(self.course.model, call),
            )
            locate(error, where)
            raise

    def _pieces(self, call: Batch) -> Iterator[_Piece]:
        """What `call` is run as: whole, or batch by batch; traced where that is needed."""
        steps, way = self.course.steps, self._chooser.way(call, self._done)
        while way is not ExecutionMode.STEP and not steps.eager:
            try:
                yield _Piece(call, way, self._traced(call, way))
                return
            except (ClosedError, ArgumentError):
                raise
            except Exception as error:
                self._give_up(call, way, error)
                way = self._chooser.way(call, self._done)
        for batch in call.split():
            if steps.eager:
                yield _Piece(batch, ExecutionMode.STEP, None)
                continue
            function = self._traced(batch, ExecutionMode.STEP)
            self._chooser.first(batch, function)
            yield _Piece(batch, ExecutionMode.STEP, function)

    def _traced(self, batch: Batch, way: ExecutionMode) -> Traced:
        steps, mode = self.course.steps, self._mode
        known = steps.find(mode, batch, way)
        return known or self.course.host.call(lambda: steps.trace(mode, batch, way))

    def _run_piece(self, piece: _Piece, first: int) -> list[Any]:
        batch, way, function = piece.batch, piece.way, piece.function
        begun, thread = time.perf_counter(), threading.get_ident()
        if function is None:
            thread, outputs = self.course.host.call(lambda: self._run_eagerly(batch))
        else:
            try:
                outputs = function(*batch.leaves)
            except Exception as error:
                if way is not ExecutionMode.XLA or function.proven:
                    raise
                # XLA cannot compile it, and has changed nothing.
                self._give_up(batch, way, error)
                return self._run_again(batch, first)
            function.proven = True
        ended = time.perf_counter()
        self._done += batch.count
        place, span = (self.feed.name, first), (begun, ended, thread)
        self.course.meter.ran(place, batch.count, span, xla=way is ExecutionMode.XLA)
        if way is ExecutionMode.STEP and function is not None:
            self._chooser.measured(ended - begun, batch, function, self._done)
        return [outputs]

    def _run_eagerly(self, batch: Batch) -> tuple[int, Any]:
        """On the calling thread, whose number is given too."""
        outputs = self.course.steps.run_eagerly(self._mode, batch.pack())
        return threading.get_ident(), outputs

    def _run_again(self, call: Batch, first: int) -> list[Any]:
        outputs: list[Any] = []
        for piece in self._pieces(call):
            outputs += self._run_piece(piece, first)
            first += piece.batch.count
        return outputs

    def _give_up(self, call: Batch, way: ExecutionMode, error: Exception) -> None:
        why = reason(error)
        self._chooser.give_up(call, way, why)
        self.course.meter.pipeline.fallback = f"{way.value}: {why}"

    def _between(self, done: int, group: list[Any], last: bool) -> Generator[Any, None, bool]:
        """The end hooks of one group and the begin hooks of the next: one hand-over.

        True where an end hook stops the round; what a begin hook stops, stops behind its group. A
        group that is not full counts as a full one in its number. Both are as in Keras.
        """
        course = self.course
        upto = -(-done // self._execution) * self._execution
        if self._mode == "predict":
            logs = {"outputs": group[0] if len(group) == 1 else joined(group)}
        else:
            logs = course.keras_version.logs(group[-1])
        begun = time.perf_counter()
        yield from course.callbacks.run(f"on_{self._mode}_batch_end", upto - 1, logs)
        stop = self._stopped()
        if not (last or stop):
            yield from course.callbacks.run(f"on_{self._mode}_batch_begin", upto, {})
        span = (begun, time.perf_counter(), threading.get_ident())
        course.meter.called((self.feed.name, self.feed.taken), span)
        return stop
