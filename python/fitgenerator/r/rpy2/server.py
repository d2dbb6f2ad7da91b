"""R functions inside a Python process (rpy2): served by the calling thread while the model trains.

R has one thread, Python's main one, so that is where the host loop runs. While it does, Ctrl-C must
not raise inside rpy2's frames, which swallow it: it sets a flag, and R's own, so that R code stops
too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from ...errors import ArgumentError, BatchError, ClosedError
from ...host.current_host import Applied
from ...host.garbage_collection import Collector
from ...host.interface import Host, Line, Shown, finish_job
from ...host.requests import Request
from ...host.signal_safe_queue import SLICE
from ...host.switchboard import Switchboard
from ...sources.on_request import described
from ...sources.source import Source
from ...training.background import Loop, Training
from ...training.predict_loop import PredictLoop

if TYPE_CHECKING:
    pass

from .embedded_r import rinterface
from .functions import helper, identity_of
from .interrupts import Interrupts
from .values import to_python


def host(
    plan: Callable[[Host], Loop], sources: Sequence[Source | None], show: Callable[[Shown], None]
) -> Any:
    """Run the loop that `plan` makes on a training thread, and serve it from this one.

    Returns:
        The result of the loop.

    Raises:
        BaseException: What the loop raised.
        KeyboardInterrupt: On Ctrl-C.
    """
    interrupts = Interrupts()
    board = Switchboard(interrupts.send)
    loop = plan(board)
    training = Training(board, loop)
    with interrupts, Collector() as collector:
        server = _Server(board, training, sources, show, interrupts, collector)
        try:
            with interrupts.allowed():
                loop.context.callbacks.attach()
            training.start()
            server.serve()
        finally:
            server.close()
    if training.failure is not None:
        raise training.failure
    return training.result


class _Server:
    """The host loop of one call."""

    def __init__(
        self,
        board: Switchboard,
        training: Training,
        sources: Sequence[Source | None],
        show: Callable[[Shown], None],
        interrupts: Interrupts,
        collector: Collector,
    ) -> None:
        self._interrupts = interrupts
        self._collector = collector
        self._board = board
        self._training = training
        self._show = show
        self._predicting = isinstance(training.loop, PredictLoop)
        self._names = _names(sources)
        self._drawn = dict.fromkeys(self._names.values(), 0)
        self._streams = helper("new_streams")()
        helper("begin_streams")(self._streams, rinterface.StrSexpVector(["validation_data"]))
        self._request: Request | None = None
        self._late = False  # the last lot took too long
        self._fork = helper("replace_fork")(helper("refuse_fork"))

    def serve(self) -> None:
        """Answer requests until the loop has ended."""
        while True:
            self._interrupts.check()
            self._collector.collect()
            request = self._request = self._board.next_request(SLICE)
            if request is None:
                continue
            if request.kind == "end":
                return
            if request.kind == "say":
                self._show(request.shown)
            elif request.line is not None:
                self._serve_pull(request.line, request.most, request.begun)
            elif request.applied is not None:
                self._serve_apply(request, request.applied)
            else:
                self._serve_job(request)
            self._request = None

    def _serve_job(self, request: Request) -> None:
        assert request.job is not None
        try:
            with self._interrupts.allowed():
                result = request.job()
                if isinstance(result, GeneratorType):
                    result = finish_job(result)
            request.answer(result)
            self._interrupts.check()
        except BaseException as error:
            self._interrupts.check_error(error)
            request.fail(error)

    def _serve_apply(self, request: Request, applied: Applied) -> None:
        """Run a function that a batch needs which another thread makes."""
        late = False
        try:
            try:
                made = applied.function.make(*applied.args)
            finally:
                late = self._board.drawn()
            interrupted = made.end == "interrupt"
            if (interrupted or (late and not made.end)) and self._overdue():
                request.fail(applied.timed_out("\n".join(made.why) if interrupted else ""))
            elif interrupted:
                raise KeyboardInterrupt
            else:
                request.answer(made.value())
        except rinterface.embedded.RRuntimeError as error:
            if late and self._overdue():
                request.fail(applied.timed_out(""))
                return
            self._interrupts.check_error(error)
            request.fail(error)
        except ArgumentError as error:
            request.fail(error)

    def _serve_pull(self, line: Line, most: int, begun: float) -> None:
        """Make up to `most` batches, as many as come quickly."""
        try:
            batches, end, value = self._draw(line, most)
        except rinterface.embedded.RRuntimeError as error:
            if self._overdue():
                line.fail(line.timed_out(""))
                return
            self._interrupts.check_error(error)
            line.fail(error)
            return
        spent = (time.perf_counter() - begun) / max(1, len(batches))
        late = not end and self._late and self._overdue()
        made = batches[:-1] if late else batches  # the interrupt did not stop the last one
        line.deliver([to_python(batch) for batch in made], begun, spent)
        if late:
            line.fail(line.timed_out(""))
        if end == "interrupt":
            if not self._overdue():
                raise KeyboardInterrupt
            line.fail(line.timed_out("\n".join(value)))
        elif end == "end":
            line.end()
        elif end == "refused":
            line.fail(BatchError(value[0]))
        elif end:
            try:
                helper("raise")(value)
            except rinterface.embedded.RRuntimeError as error:
                self._interrupts.check_error(error)
                line.fail(error)

    def _overdue(self) -> bool:
        """Whether the interrupt that stopped a function was ours, because it took too long."""
        overdue = self._board.overdue()
        if overdue:
            self._interrupts.forget()
        return overdue

    def _draw(self, line: Line, most: int) -> tuple[list[Any], str, Any]:
        name = self._names[identity_of(line.function)]
        drawn, used = self._drawn[name], self._training.loop.context.prefetchers[0].used
        most = most if drawn else 1  # nobody waits for the first batch longer than it takes
        function, places = line.function, described(line.places())
        if places is not None:
            function.turn(places)
            function = function.call
        try:
            lot = helper("pull")(
                function,
                name,
                self._predicting,
                self._streams,
                drawn + 1,
                most,
                used,
                places is None,
            )
        finally:
            self._late = self._board.drawn()
        batches = list(lot[0])
        self._drawn[name] += len(batches)
        return batches, lot[1][0], lot[2]

    def close(self) -> None:
        """Stop and join every thread, and put R's random numbers where they belong."""
        if self._request is not None:
            self._request.fail(ClosedError())
        self._training.stop()
        # R would take a pending interrupt, or one that comes now, in the midst of it.
        if not isinstance(self._fork, rinterface.NULLType):
            helper("undisturbed")(helper("replace_fork"), self._fork)
        helper("undisturbed")(
            helper("end_streams"), self._streams, self._training.loop.context.prefetchers[0].used
        )


def _names(sources: Sequence[Source | None]) -> dict[str, str]:
    """The argument that each R function was given as; the first where it was given twice."""
    names: dict[str, str] = {}
    for name, source in zip(("generator", "validation_data"), sources, strict=False):
        if source is not None and source.hosted:
            names.setdefault(identity_of(source.function), name)
    return names
