"""The watch over the function of the host's language that runs now: is it stopped in time?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from .outcome import Interrupted, Outcome, TimedOut, Value

# The time between two interrupts of a function that takes too long, in seconds.
_INTERVAL = 1.0


class Watched(Protocol):
    """What the host runs a function for: a source that it fetches from, or one call."""

    def timed_out(self, stack: str) -> BaseException:
        """The error for a function that exceeds the timeout; `stack` is where it stands."""


class Watchdog:
    """Watches the function that the host runs, and interrupts it when it takes too long.

    `start`, `finish`, `settle` and `was_ours` are for the calling thread, `interrupt_overdue` for
    the threads that wait for it.

    An interrupt that was sent may arrive after its function has returned. Where `recall` can take
    it back, `finish` does so. Where nothing can, it arrives sooner or later, and whoever takes it
    asks `was_ours`.
    """

    def __init__(
        self,
        interrupt: Callable[[], None] = lambda: None,  # interrupts what the host runs
        recall: Callable[[], None] | None = None,  # takes back an interrupt that has not arrived
    ) -> None:
        self._interrupt = interrupt
        self._recall = recall
        self._lock = threading.Lock()  # held while the function changes, or an interrupt is sent
        self._running: Watched | None = None
        # When the last function ended that was late, and what it ran for.
        self._stopped: tuple[float, Watched] | None = None
        self._sent_at = self._finished_at = -_INTERVAL  # in seconds
        self._sent = False  # an interrupt, which has not been seen to arrive
        self.late = False  # an interrupt was sent while the last function ran
        self._stopping = False  # an interrupt arrived, and stops the function

    def start(self, watched: Watched) -> None:
        """The calling thread begins to run a function."""
        with self._lock:
            self._running = watched
            self.late = self._stopping = False

    def finish(self) -> None:
        """The function has ended, in whatever way; harmless where none runs."""
        with self._lock:
            self._finished_at = time.perf_counter()
            if self.late and self._running is not None:
                self._stopped = self._finished_at, self._running
            self._running = None
            if self._sent and self._recall is not None:
                self._sent = False
                self._recall()

    def settle(self, outcome: Outcome) -> Outcome:
        """What counts of what came of the function that has finished.

        A value that came too late, because the interrupt did not stop the function, is a timeout.
        So is an interruption, unless the interrupt was the user's.
        """
        if not self.late:
            return outcome
        match outcome:
            case Value():
                return TimedOut()
            case Interrupted(stack):
                return TimedOut(stack)
        return outcome

    def interrupt_overdue(self) -> Watched | None:
        """Interrupt the function that runs, once a second; what it runs for, `None` if none does.

        A function that waits in foreign code, or takes the interrupt itself, is not stopped by it.
        One that was stopped counts until its error has had the time to arrive: several threads may
        wait for it, and none of them must take it for one that does not run.
        """
        with self._lock:
            now = time.perf_counter()
            running = self._running is not None and not self._stopping
            if running and now > self._sent_at + _INTERVAL:
                self._sent_at, self._sent, self.late = now, True, True
                self._interrupt()
            return self._running or self.stopped

    @property
    def stopped(self) -> Watched | None:
        """What ended, interrupted, less than a second ago: its error is on its way."""
        ended, watched = self._stopped or (-_INTERVAL, None)
        return watched if time.perf_counter() < ended + _INTERVAL else None

    def was_ours(self, *, stops: bool) -> bool:
        """Return True, once, if the interrupt that arrived is the watchdog's, not the user's.

        `stops`: whether it stops the function.
        """
        with self._lock:
            sent, self._sent = self._sent, False
            just_finished = time.perf_counter() < self._finished_at + _INTERVAL
            ours = sent and (self._running is not None or just_finished)
            self._stopping = ours and stops
            return ours
