"""The hand-over: background threads ask, the calling thread answers.

Two hosts share one interface. `DirectHost` is for a loop that runs on the calling thread itself.
`Switchboard` is for a loop on a training thread: jobs and pulls become requests, which the calling
thread takes with `next_request` and answers. The calling thread's waits are bounded; the background
threads' are not, because `close` wakes them all.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any, Protocol

from .errors import ClosedError
from .inbox import Inbox
from .interrupts import Deferred

Job = Callable[[], Any]

# Rank of the request that ends the hosting.
_LAST = 9


@dataclass(frozen=True)
class ForeignHook:
    """Yielded by a job that has to run a callback which only the host's own language can call."""

    table: int
    hook: str
    args: tuple[Any, ...]


class Host(Protocol):
    """What the training loop needs from the calling thread.

    `waited` is how long jobs waited until the calling thread took them up, in seconds: it was
    making batches then.
    """

    waited: float

    def call(self, job: Job) -> Any:
        """Run `job` on the calling thread, return its result, raise what it raised."""

    def say(self, text: str) -> None:
        """Print `text` on the calling thread, soon."""

    def wake(self) -> None:
        """Let the calling thread look again at which pull it may serve."""

    def check(self) -> None:
        """Raise an interrupt that came, where this is the calling thread."""

    def user_code(self) -> AbstractContextManager[None]:
        """Around code of the user's, which may be interrupted anywhere."""


class DirectHost:
    """The loop runs on the calling thread: a job is simply called."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.interrupts = Deferred()
        self.waited = 0.0
        self._write = write

    def call(self, job: Job) -> Any:
        """Run `job` here and now."""
        result = job()
        if isinstance(result, GeneratorType):
            return finish_job(result)
        return result

    def say(self, text: str) -> None:
        """Print `text`."""
        self._write(text)

    def wake(self) -> None:
        """Nobody is waiting."""

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


@dataclass
class Line:
    """A function that the host pulls batches from, on request.

    Attributes:
        function: The function, as the host knows it.
        rank: Requests of a lower rank are served first.
        ready: Whether a pull may be served now.
        over: Requests of this term or an earlier one are void: the function ended, or failed.
        pulled: Batches that the host has made.
        seconds: What one batch takes the host, in seconds, lately.
    """

    function: Any
    rank: int
    ready: Callable[[], bool] = lambda: True
    over: int = -1
    pulled: int = 0
    seconds: float = 0.0


@dataclass
class Request:
    """Something that a background thread asks for, and the place of its answer."""

    kind: str  # "job", "pull", "say" or "end"
    job: Job | None = None
    line: Line | None = None  # what to pull from
    term: int = 0  # of the line
    text: str = ""
    rank: int = 0  # requests of a lower rank are served first
    sink: Callable[[bool, Any, float], None] | None = None  # takes the answer, on the host
    reply: queue.SimpleQueue[tuple[bool, Any]] = field(default_factory=queue.SimpleQueue)
    begun: float = 0.0  # when the host took it up, in seconds

    def answer(self, value: Any, seconds: float | None = None) -> None:
        """Give the asker its value, which took so many seconds."""
        self._give(True, value, seconds)

    def fail(self, error: BaseException) -> None:
        """Raise `error` where the answer is waited for; a pull's line is over."""
        if self.line is not None:
            self.line.over = self.term
        self._give(False, error, None)

    def end(self, value: Any) -> None:
        """Answer a pull with `value`: the function has no more batches."""
        assert self.line is not None
        self.line.over = self.term
        self.answer(value)

    def _give(self, fine: bool, value: Any, seconds: float | None) -> None:
        if seconds is None:
            seconds = time.perf_counter() - self.begun if self.begun else 0.0
        if self.line is not None:
            self.line.pulled += 1
            self.line.seconds = seconds
        if self.sink is not None:
            self.sink(fine, value, seconds)
        else:
            self.reply.put((fine, value))

    @property
    def void(self) -> bool:
        """Nobody waits for the answer any more."""
        return self.line is not None and self.term <= self.line.over

    @property
    def ready(self) -> bool:
        """It may be served now."""
        return self.line is None or self.line.ready()


class Switchboard:
    """Carries requests from background threads to the calling thread.

    `call`, `say`, `ask`, `post`, `wake` and `end` are for background threads; `next_request`,
    `more`, `put_back` and `close` for the calling thread.
    """

    def __init__(self) -> None:
        self.waited = 0.0
        self._inbox = Inbox()  # of requests, and of None, which only wakes
        self._waiting: list[Request] = []
        self._pulls_open = True
        self._open = True

    def call(self, job: Job) -> Any:
        """Run `job` on the calling thread and wait for its result."""
        request, asked = Request("job", job=job), time.perf_counter()
        try:
            return self.ask(request)
        finally:
            self.waited += max(0.0, request.begun - asked)

    def say(self, text: str) -> None:
        """Print `text` on the calling thread; does not wait."""
        self._inbox.put(Request("say", text=text))

    def check(self) -> None:
        """Interrupts are the calling thread's."""

    def user_code(self) -> AbstractContextManager[None]:
        """The calling thread knows by itself when it runs a job."""
        return nullcontext()

    def end(self) -> None:
        """Tell the calling thread, behind all requests so far, that there will be no more."""
        self._inbox.put(Request("end", rank=_LAST))

    def wake(self) -> None:
        """Make the calling thread look at the waiting requests again."""
        self._inbox.put(None)

    def ask(self, request: Request) -> Any:
        """Ask the calling thread and wait for its answer."""
        self.post(request)
        fine, value = request.reply.get()
        if not fine:
            raise value
        return value

    def post(self, request: Request) -> None:
        """Ask the calling thread; it gives the answer to the request's `sink` or `reply`."""
        self._inbox.put(request)
        # close() may have emptied the inbox before this request came into it.
        if not self._serves(request):
            raise ClosedError

    def _serves(self, request: Request) -> bool:
        return self._open and (self._pulls_open or request.kind != "pull")

    def next_request(self, seconds: float) -> Request | None:
        """The request to serve next, or `None` when none came within `seconds`."""
        deadline = time.perf_counter() + seconds
        while True:
            self._collect()
            request = self._pick()
            if request is not None:
                request.begun = time.perf_counter()
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
        self._refuse()
        ready = [r for r in self._waiting if r.ready]
        if not ready:
            return None
        request = min(ready, key=lambda r: r.rank)
        self._waiting.remove(request)
        return request

    def more(self, request: Request) -> list[Request]:
        """The waiting pulls from the same line, in order; they are served with `request`."""
        self._collect()
        same = [r for r in self._waiting if r.line is request.line and not r.void]
        self._waiting = [r for r in self._waiting if r.line is not request.line]
        return same

    def put_back(self, requests: list[Request]) -> None:
        """Let requests wait again that were taken and not served."""
        self._waiting = [*requests, *self._waiting]

    def close_pulls(self) -> None:
        """Serve no pull any more; jobs and output still are. Any thread may call this."""
        self._pulls_open = False
        self.wake()

    def close(self) -> None:
        """Serve nothing any more: every thread that asks, now or later, gets `ClosedError`."""
        self._open = False
        self._collect()
        self._refuse()

    def _refuse(self) -> None:
        waiting = [r for r in self._waiting if not r.void]
        refused = [r for r in waiting if not self._serves(r)]
        self._waiting = [r for r in waiting if self._serves(r)]
        for request in refused:
            request.fail(ClosedError())
