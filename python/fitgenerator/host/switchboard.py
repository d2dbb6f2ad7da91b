"""Requests of background threads, carried to the calling thread.

`Switchboard` is the host of a loop on a training thread: jobs and fetches become requests, which
the calling thread takes with `next_request` and answers. The calling thread's waits are bounded
(rule 2: an interrupt must not wait for them); the background threads' are not, because `close`
wakes them all.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from threading import Thread
from typing import Any

from ..errors import ClosedError, Warns
from ..reporting.progress_bar import Bar
from .doorbell import Doorbell
from .interface import HostedSource, HostFunction, Shown, Work
from .outcome import Failed
from .requests import Apply, Awaited, Call, End, Fetch, Job, Request, Say, Signal
from .signal_safe_queue import SLICE, ClosableQueue
from .termination import Termination
from .thread_stacks import stack_of
from .watchdog import Watchdog, Watched


class Switchboard:
    """Carries requests from background threads to the calling thread.

    `call`, `apply`, `call_function`, `say`, `ask`, `wake`, `stop_late` and `end` are for
    background threads; `serve`, `next_request`, `listen`, `watchdog` and `close` for the calling
    thread. The watchdog interrupts the functions that this thread runs, where they take too long.
    """

    def __init__(
        self, watchdog: Watchdog | None = None, termination: Termination | None = None
    ) -> None:
        self.waited = 0.0
        self.termination = termination or Termination()
        self.patience: float | None = None
        self.met: dict[Warns, None] = {}
        self.watchdog = watchdog or Watchdog()
        self._bell = Doorbell()
        self._inbox: ClosableQueue[Request | None] = ClosableQueue(self._bell.ring)  # `None` wakes
        self._waiting: list[Request] = []
        self._bar: Say | None = None  # the last, where no lines came after it
        self._sources: list[HostedSource] = []
        self._fetches = True  # batches are made
        self._open = True
        self.in_job = False  # the calling thread runs one
        self._calls: list[Apply] = []  # that threads wait for

    def call(self, work: Work) -> Any:
        """Run a job on the calling thread and wait for its result.

        Rules 3 and 4: tracing and callbacks, as all of the user's code, reach that thread here.
        """
        job, asked = Job(work), time.perf_counter()
        try:
            return self.ask(job)
        finally:
            self.waited += max(0.0, job.begun - asked)

    def apply(self, name: str, function: HostFunction, *args: Any) -> Any:
        """Have the calling thread call a function for a batch; its value, or a `ClosedError`."""
        return self._ask_noted(Apply(name, function, args, self.patience))

    def say(self, thing: Shown) -> None:
        """Show a bar, or lines, on the calling thread; does not wait.

        While the calling thread is busy a bar takes the place of the one before.
        """
        bar = self._bar
        if bar is not None and not bar.begun and isinstance(thing, Bar):
            bar.shown = thing
            return
        request = Say(thing)
        self._bar = request if isinstance(thing, Bar) else None
        self._inbox.put(request)

    def signal(self, **fields: Any) -> None:
        """Have a condition signalled on the calling thread, soon."""
        self._inbox.put(Signal(fields))

    def check(self) -> None:
        """Interrupts are the calling thread's."""

    def user_code(self) -> AbstractContextManager[None]:
        """The calling thread knows by itself when it runs a job."""
        return nullcontext()

    making = user_code

    def end(self) -> None:
        """Tell the calling thread, after all requests so far, that there will be no more."""
        self._inbox.put(End())

    def wake(self) -> None:
        """Make the calling thread look again at what it may serve."""
        self._inbox.put(None)

    def interrupt_overdue(self) -> Watched | None:
        """Interrupt the function that the calling thread makes a batch with, once a second."""
        return self.watchdog.interrupt_overdue()

    def stop_late(self, source: Watched, threads: Iterable[Thread]) -> None:
        """Interrupt the function that a late batch of `source` needs; its error will come."""
        needs = source in self._sources or self.is_asked_by(threads)
        running = self.interrupt_overdue() if needs else None
        if running is None:
            raise source.timed_out(stack_of(threads))
        asked = isinstance(running, Apply) and self.is_asked_by(threads)
        if not asked and running is not source:
            raise running.timed_out("")  # another one is to blame

    def call_function(self, call: Call, late: Callable[[], object]) -> Any:
        """Have the calling thread call a function; its value, or a `ClosedError`.

        `late` is called once in each slice in which nobody has taken the call up.
        """

        def wait() -> None:
            if not call.begun:
                late()
            elif self.patience is not None and time.perf_counter() > call.begun + self.patience:
                self.interrupt_overdue()

        return self._ask_noted(call, SLICE, wait)

    def _ask_noted(self, call: Apply, *waiting: Any) -> Any:
        self._calls.append(call)
        try:
            return self.ask(call, *waiting)
        finally:
            self._calls.remove(call)

    def is_asked_by(self, threads: Iterable[Thread]) -> bool:
        """Whether one of these threads, or one that is not ours, waits for a function.

        A function that was stopped counts until its error has arrived.
        """
        known, calls = {thread.ident for thread in threads}, tuple(self._calls)
        stopped = self.watchdog.stopped  # after the calls: one that has gone from them is here
        calls = (*calls, stopped) if isinstance(stopped, Apply) else calls
        return any(call.asker in known or not call.ours for call in calls)

    def ask(
        self,
        request: Awaited,
        seconds: float | None = None,
        late: Callable[[], object] | None = None,
    ) -> Any:
        """Ask the calling thread and wait for its answer; call `late` each time after `seconds`."""
        self._inbox.put(request)
        # close() may have emptied the inbox before this request came into it.
        if not self._open:
            raise ClosedError
        while True:
            try:
                outcome = request.reply.get(timeout=seconds or self.patience)
                break
            except queue.Empty:
                # It is making a batch, and not this call's.
                (late or self.interrupt_overdue)()
        if isinstance(outcome, Failed):
            raise outcome.error
        return outcome.value

    def serve(self, source: HostedSource) -> None:
        """Have the calling thread fetch the batches of a source."""
        self._sources.append(source)

    def next_request(self, seconds: float) -> Request | None:
        """The request to serve next, or `None` when none came within `seconds`."""
        deadline = time.perf_counter() + seconds
        while True:
            self._collect()
            request = self._pick()
            if request is not None and request.claim():
                request.begun = time.perf_counter()
                if isinstance(request, Fetch):
                    self.watchdog.start(request.source)
                elif isinstance(request, Apply):
                    self.watchdog.start(request)
                return request
            if request is not None:
                continue
            left = deadline - time.perf_counter()
            if left <= 0:
                return None
            self._receive(left)

    def listen(self) -> int | None:
        """What can be read when there may be a request; `None` where there may be one now."""
        heard = self._bell.listen()
        return heard if self._inbox.empty() else None

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
        """What was asked for, in order; else a fetch; the end comes last."""
        if not self._fetches:
            self._abandon(lambda request: isinstance(request, Apply) and not request.stays)
        if self._waiting and not isinstance(self._waiting[0], End):
            return self._waiting.pop(0)
        if self._fetches and (fetch := self._next_fetch()) is not None:
            return fetch
        return self._waiting.pop(0) if self._waiting else None

    def _next_fetch(self) -> Fetch | None:
        # All sources are asked what they want: what one may fetch depends on what another needs.
        wanted = [(source, source.wanted()) for source in self._sources]
        ready = [(source, most) for source, most in wanted if most and source.ready()]
        # Rule 7: fetches for training come before fetches for validation, which `rank` and `ready`
        # say, because a validation batch that is made too early holds up a training step.
        return Fetch(*min(ready, key=lambda pair: pair[0].rank)) if ready else None

    def close_fetches(self) -> None:
        """Make no batch any more; jobs, output and what stays are served. For any thread."""
        self._fetches = False
        self.wake()

    def close(self) -> None:
        """Serve nothing any more: every thread that asks, now or later, gets `ClosedError`.

        Rule 11, nothing survives the call: no thread of ours waits for an answer after this.
        """
        self._open = self._fetches = False
        self.watchdog.finish()
        self._bell.close()
        self._collect()
        self._abandon(lambda request: True)

    def _abandon(self, condition: Callable[[Request], bool]) -> None:
        abandoned = [request for request in self._waiting if condition(request)]
        self._waiting = [request for request in self._waiting if not condition(request)]
        for request in abandoned:
            request.abandon()
