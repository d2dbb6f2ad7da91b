"""R functions inside a Python process (rpy2): served by the calling thread while the model trains.

R has one thread, Python's main one, so that is where the host loop runs. While it does, Ctrl-C must
not raise inside rpy2's frames, which swallow it: it sets a flag, and R's own, so that R code stops
too.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from ...errors import ArgumentError, BatchError, ClosedError, SetupError
from ...host.current_host import Applied
from ...host.garbage_collection import Collector
from ...host.interface import Host, Line, Shown, finish_job
from ...host.interrupts import Deferred, send
from ...host.requests import Request
from ...host.switchboard import Switchboard
from ...prefetch.prefetcher import SLICE
from ...sources.on_request import closure_source, described
from ...sources.source import Source
from ...training.background import Loop, Training
from ...training.predict_loop import PredictLoop

if TYPE_CHECKING:
    from typing_extensions import Self

try:
    from rpy2 import rinterface
    from rpy2.rinterface_lib import openrlib

    from .values import to_python
except Exception as error:  # rpy2 raises many kinds where R is missing
    raise SetupError(
        f"R functions need rpy2 and R, which could not be loaded ({error}). Install R, then "
        "`pip install 'fitgenerator[r]'` (for R older than 4.5: `pip install rpy2==3.5.17`)."
    ) from error

_CODE = Path(__file__).parents[1] / "code"
_FILES = (
    *("conditions.R", "batch-convert.R", "batch-messages.R", "host-closure.R"),
    *("host-random-streams.R", "images-functions.R", "pull.R", "forks.R"),
)


def is_function(thing: Any) -> bool:
    """Whether `thing` is an R function."""
    return isinstance(thing, rinterface.SexpClosure)


def _identity(function: Any) -> str:
    """The same for every Python wrapper of one R function."""
    return f"R function {function.rid}"


def source(function: Any, argument: str) -> Source:
    """The source that an R function without arguments stands for.

    Raises:
        ArgumentError: The function needs arguments, or this is not Python's main thread.
    """
    required = needed_args(function)
    if required:
        raise ArgumentError(
            f"`{argument}` must be an R function without arguments, not one that needs "
            f"`{'`, `'.join(required)}`; wrap it: function() f(...)."
        )
    return closure_source(function, _identity(function))


def needed_args(function: Any, asking: str = "required_args") -> list[Any]:
    """What our R function `asking` says of the arguments that an R function needs."""
    if threading.current_thread() is not threading.main_thread():
        raise ArgumentError(
            "R functions can only be served on Python's main thread, where R takes its interrupts; "
            f"the call came from the thread {threading.current_thread().name}."
        )
    with Interrupts():
        return list(helper(asking)(function))


@cache
def _code() -> Any:
    """The R environment that holds our R code."""
    base = rinterface.baseenv
    env = base["new.env"](parent=base["globalenv"]())
    for name in _FILES:
        base["sys.source"](str(_CODE / name), envir=env)
    return env


def helper(name: str) -> Any:
    """A function of our R code."""
    return _code()[name]


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
                loop.course.callbacks.attach()
            training.start()
            server.serve()
        finally:
            server.close()
    if training.failure is not None:
        raise training.failure
    return training.result


class Interrupts(Deferred):
    """Takes Ctrl-C as a flag for us, and as R's own for R.

    Where it raised inside rpy2's callbacks, `KeyboardInterrupt` would be printed and lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._sent = False  # an interrupt that is not the user's
        self._thread = threading.get_ident()

    def send(self) -> None:
        """Interrupt R's thread, as Ctrl-C does; no `KeyboardInterrupt` comes of it."""
        self._sent = True
        _interrupt_r()
        send(self._thread)

    def forget(self) -> None:
        """The interrupt that was sent has arrived."""
        self._sent = False
        openrlib.rlib.R_interrupts_pending = 0

    def _take(self, number: int, frame: Any) -> None:
        if self._sent:
            self._sent = False
        else:
            super()._take(number, frame)

    def __enter__(self) -> Self:
        super().__enter__()
        self._stack.enter_context(_watcher(_interrupt_r))
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._stack.close()
        openrlib.rlib.R_interrupts_pending = 0
        super().__exit__(kind, error, traceback)

    def _takes_over(self, handler: Any) -> bool:
        return True

    def check_error(self, error: BaseException) -> None:
        """Raise the interrupt behind an error, if one came: by its flag, or as R tells of it.

        R's own handler, which it installs while it sleeps, sets no flag: R then gives an error
        without text.
        """
        silent = isinstance(error, rinterface.embedded.RRuntimeError) and not str(error).strip()
        if self.pending or silent:
            self.pending = True
            raise KeyboardInterrupt from None


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
        name = self._names[_identity(line.function)]
        drawn, used = self._drawn[name], self._training.loop.course.feeds[0].taken
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
            helper("end_streams"), self._streams, self._training.loop.course.feeds[0].taken
        )


def _names(sources: Sequence[Source | None]) -> dict[str, str]:
    """The argument that each R function was given as; the first where it was given twice."""
    names: dict[str, str] = {}
    for name, source in zip(("generator", "validation_data"), sources, strict=False):
        if source is not None and source.hosted:
            names.setdefault(_identity(source.function), name)
    return names


def _interrupt_r() -> None:
    openrlib.rlib.R_interrupts_pending = 1


@contextmanager
def _watcher(interrupt: Callable[[], None]) -> Iterator[None]:
    """Call `interrupt` at once when SIGINT comes, also while the main thread is inside R.

    Python's own handlers only run when the main thread is back in Python; but the signal's number
    is written to the wake-up descriptor at once, and R runs without Python's lock.
    """
    inlet, outlet = os.pipe()
    os.set_blocking(outlet, False)

    def watch() -> None:
        while (byte := os.read(inlet, 1)) != b"":
            if byte[0] == signal.SIGINT:
                interrupt()

    thread = threading.Thread(target=watch, name="fitgenerator-watcher", daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(outlet, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(outlet)
        thread.join()
        os.close(inlet)
