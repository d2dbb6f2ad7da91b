"""Requests of background threads, carried to the calling thread.

`Switchboard` is the host of a loop on a training thread: jobs and pulls become requests, which the
calling thread takes with `next_request` and answers. The calling thread's waits are bounded; the
background threads' are not, because `close` wakes them all.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..errors import ClosedError
from ..reporting.progress_bar import Bar
from .current_host import Applied
from .interface import Job, Line, Shown
from .requests import Request
from .signal_safe_queue import ClosableQueue

# How often a function that takes too long is interrupted, in seconds.
_HURRY = 1.0


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
        self._inbox: ClosableQueue[Request | None] = ClosableQueue()  # `None` only wakes
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
