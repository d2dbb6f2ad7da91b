"""The hand-over: background threads ask, the calling thread answers.

Two hosts share one interface. `DirectHost` is for a loop that runs on the calling thread itself.
`Switchboard` is for a loop on a training thread: jobs and pulls become requests, which the calling
thread takes with `next_request` and answers. The calling thread's waits are bounded; the background
threads' are not, because `close` wakes them all.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any, Protocol

from ..errors import ClosedError
from ..reporting.progress_bar import Bar
from .current_host import Applied
from .interrupts import Deferred
from .signal_safe_queue import Inbox

Job = Callable[[], Any]
Shown = str | Bar  # lines of text, or a bar that is overwritten
# How often a function that takes too long is interrupted, in seconds.
_HURRY = 1.0


@dataclass(frozen=True)
class ForeignHook:
    """Yielded by a job that has to run a callback which only the host's own language can call."""

    table: int
    hook: str
    args: tuple[Any, ...]


class Host(Protocol):
    """What the training loop needs from the calling thread.

    `waited` is how long jobs waited until the calling thread took them up, in seconds: it was
    making batches then. `patience` is how long one batch may take it, `None` for ever.
    """

    waited: float
    patience: float | None

    def call(self, job: Job) -> Any:
        """Run `job` on the calling thread, return its result, raise what it raised."""

    def say(self, thing: Shown) -> None:
        """Show a bar, or lines, on the calling thread, soon."""

    def wake(self) -> None:
        """Let the calling thread look again at which batch it may make."""

    def serve(self, line: Line) -> None:
        """Have the calling thread make a line's batches."""

    def hurry(self) -> Line | Applied | None:
        """Stop the function that the calling thread makes a batch with: that takes too long.

        The line or the call that it belongs to, which will fail, or `None` where none is made.
        """

    def check(self) -> None:
        """Raise an interrupt that came, where this is the calling thread."""

    def user_code(self) -> AbstractContextManager[None]:
        """Around code of the user's, which may be interrupted anywhere."""


class DirectHost:
    """The loop runs on the calling thread: a job is simply called."""

    def __init__(self, show: Callable[[Shown], None]) -> None:
        self.interrupts = Deferred()
        self.waited = 0.0
        self.patience: float | None = None
        self._show = show

    def call(self, job: Job) -> Any:
        """Run `job` here and now."""
        result = job()
        if isinstance(result, GeneratorType):
            return finish_job(result)
        return result

    def say(self, thing: Shown) -> None:
        """Show it."""
        self._show(thing)

    def wake(self) -> None:
        """Nobody is waiting."""

    def serve(self, line: Line) -> None:
        """There are no such lines here."""
        raise RuntimeError(f"{line.function} needs a host")

    def hurry(self) -> Line | Applied | None:
        """There are no such lines here."""
        return None

    def check(self) -> None:
        """Raise an interrupt that came."""
        self.interrupts.check()

    def user_code(self) -> AbstractContextManager[None]:
        """Around code of the user's, which may be interrupted anywhere."""
        return self.interrupts.allowed()


def advance_job(job: GeneratorType[Any, Any, Any]) -> Any:
    """Run a job up to the next foreign hook, which is returned, or to its end, for its result."""
    try:
        return next(job)
    except StopIteration as end:
        return end.value
    except RuntimeError as error:
        # Python makes one of a StopIteration that leaves a generator; a callback may raise it.
        if isinstance(error.__cause__, StopIteration):
            raise error.__cause__ from None
        raise


def finish_job(job: GeneratorType[Any, Any, Any]) -> Any:
    """Run a job in which no foreign hook can occur to its end."""
    result = advance_job(job)
    if isinstance(result, ForeignHook):
        raise RuntimeError(f"{result} needs a host that runs foreign callbacks")
    return result


class Line(Protocol):
    """A function that the host makes batches with, when it has nothing else to do.

    All is called by the host. `function` is what the host knows it by; lines of a lower `rank` are
    served first.
    """

    function: Any
    rank: int

    def wanted(self) -> int:
        """How many batches may be made now."""

    def places(self) -> list[Any] | None:
        """What the function is told of each of them; `None` where it needs to know nothing."""

    def ready(self) -> bool:
        """Whether the host may begin with one."""

    def deliver(self, batches: list[Any], begun: float, seconds: float) -> None:
        """Take batches that the function gave, in order, from `begun` on, each in `seconds`."""

    def end(self) -> None:
        """The function has no more batches."""

    def fail(self, error: BaseException) -> None:
        """The function failed."""

    def timed_out(self, stack: str) -> BaseException:
        """The error for a batch that takes too long; `stack` is where its function stands."""


@dataclass
class Request:
    """Something that the calling thread is asked for, and the place of its answer."""

    kind: str  # "job", "apply", "pull", "say" or "end"
    job: Job | None = None
    applied: Applied | None = None
    line: Line | None = None  # what to pull from
    most: int = 0  # batches, at a pull
    shown: Shown = ""
    reply: queue.SimpleQueue[tuple[bool, Any]] = field(default_factory=queue.SimpleQueue)
    begun: float = 0.0  # when the host took it up, in seconds

    def answer(self, value: Any) -> None:
        """Give the asking thread its value."""
        self.reply.put((True, value))

    def fail(self, error: BaseException) -> None:
        """Raise `error` in the asking thread."""
        self.reply.put((False, error))


class Switchboard:
    """Carries requests from background threads to the calling thread.

    `call`, `apply`, `say`, `ask`, `wake`, `hurry` and `end` are for background threads; `serve`,
    `next_request`, `drawn`, `overdue` and `close` for the calling thread.

    Args:
        interrupt: Interrupts the calling thread where it runs a function of the host's language.
    """

    def __init__(self, interrupt: Callable[[], None] = lambda: None) -> None:
        self.waited = 0.0
        self.patience: float | None = None
        self._interrupt = interrupt
        self._drawing: Line | Applied | None = None
        self._hurrying = threading.Lock()  # held while `_drawing` changes, or an interrupt is sent
        self._hurried_at = self._drawn_at = -_HURRY  # in seconds
        self._sent = False  # an interrupt, which has not been seen to arrive
        self._late = False  # one was, while the batch was made that is made now
        self._heeded = False  # and it stops the function
        self._inbox = Inbox()  # of requests, and of None, which only wakes
        self._waiting: list[Request] = []
        self._bar: Request | None = None  # the last, where no lines came behind it
        self._lines: list[Line] = []
        self._pulls_open = True
        self._open = True

    def call(self, job: Job) -> Any:
        """Run `job` on the calling thread and wait for its result."""
        request, asked = Request("job", job=job), time.perf_counter()
        try:
            return self.ask(request)
        finally:
            self.waited += max(0.0, request.begun - asked)

    def apply(self, name: str, function: Any, *args: Any) -> Any:
        """Have the calling thread call a function for a batch; its value.

        Raises:
            ClosedError: No batch is made any more.
        """
        return self.ask(Request("apply", applied=Applied(name, function, args, self.patience)))

    def say(self, thing: Shown) -> None:
        """Show a bar, or lines, on the calling thread; does not wait.

        While the calling thread is busy a bar takes the place of the one before.
        """
        bar = self._bar
        if bar is not None and not bar.begun and isinstance(thing, Bar):
            bar.shown = thing
            return
        request = Request("say", shown=thing)
        self._bar = request if isinstance(thing, Bar) else None
        self._inbox.put(request)

    def check(self) -> None:
        """Interrupts are the calling thread's."""

    def user_code(self) -> AbstractContextManager[None]:
        """The calling thread knows by itself when it runs a job."""
        return nullcontext()

    def end(self) -> None:
        """Tell the calling thread, behind all requests so far, that there will be no more."""
        self._inbox.put(Request("end"))

    def wake(self) -> None:
        """Make the calling thread look again at what it may serve."""
        self._inbox.put(None)

    def ask(self, request: Request) -> Any:
        """Ask the calling thread and wait for its answer."""
        self._inbox.put(request)
        # close() may have emptied the inbox before this request came into it.
        if not self._open:
            raise ClosedError
        while True:
            try:
                fine, value = request.reply.get(timeout=self.patience)
                break
            except queue.Empty:
                self.hurry()  # it is making a batch, and not this call's
        if not fine:
            raise value
        return value

    def serve(self, line: Line) -> None:
        """Have the calling thread make a line's batches."""
        self._lines.append(line)

    def next_request(self, seconds: float) -> Request | None:
        """The request to serve next, or `None` when none came within `seconds`."""
        deadline = time.perf_counter() + seconds
        while True:
            self._collect()
            request = self._pick()
            if request is not None:
                request.begun = time.perf_counter()
                self._drawing = request.line or request.applied
                return request
            left = deadline - time.perf_counter()
            if left <= 0:
                return None
            self._receive(left)

    def _receive(self, seconds: float) -> None:
        try:
            request = self._inbox.get(seconds)
        except queue.Empty:
            return
        if request is not None:
            self._waiting.append(request)

    def _collect(self) -> None:
        while not self._inbox.empty():
            self._receive(0.0)

    def _pick(self) -> Request | None:
        """What was asked for, in order; else a pull; the end comes last."""
        if not self._pulls_open:
            self._refuse("apply")
        if self._waiting and self._waiting[0].kind != "end":
            return self._waiting.pop(0)
        if self._pulls_open:
            # Both are asked of all lines: what one may pull depends on what another needs.
            wanted = [(line, line.wanted()) for line in self._lines]
            ready = [(line, most) for line, most in wanted if most and line.ready()]
            if ready:
                line, most = min(ready, key=lambda pair: pair[0].rank)
                return Request("pull", line=line, most=most)
        return self._waiting.pop(0) if self._waiting else None

    def drawn(self) -> bool:
        """The calling thread makes no batch any more; whether it was hurried while it did."""
        with self._hurrying:
            self._drawing, self._drawn_at = None, time.perf_counter()
            late, self._late, self._heeded = self._late, False, False
            return late

    def hurry(self) -> Line | Applied | None:
        """Interrupt the function that the calling thread makes a batch with, once a second.

        A function that waits in foreign code, or takes the interrupt itself, is not stopped by it.
        """
        with self._hurrying:
            now = time.perf_counter()
            if self._drawing is not None and not self._heeded and now > self._hurried_at + _HURRY:
                self._hurried_at, self._sent, self._late = now, True, True
                self._interrupt()
            return self._drawing

    def overdue(self, *, heeded: bool = True) -> bool:
        """Whether an interrupt that came is that of `hurry`, not the user's; true once.

        `heeded`: it stops the function.
        """
        with self._hurrying:
            sent, self._sent = self._sent, False
            just_drawn = time.perf_counter() < self._drawn_at + _HURRY
            ours = sent and (self._drawing is not None or just_drawn)
            self._heeded = ours and heeded
            return ours

    def close_pulls(self) -> None:
        """Make no batch any more; jobs and output still are served. Any thread may call this."""
        self._pulls_open = False
        self.wake()

    def close(self) -> None:
        """Serve nothing any more: every thread that asks, now or later, gets `ClosedError`."""
        self._open = self._pulls_open = False
        self.drawn()
        self._collect()
        self._refuse("job", "apply", "pull", "say", "end")

    def _refuse(self, *kinds: str) -> None:
        refused = [request for request in self._waiting if request.kind in kinds]
        self._waiting = [request for request in self._waiting if request.kind not in kinds]
        for request in refused:
            request.fail(ClosedError())
