"""The training loop waits for a source: that is shown to the user, and given up in time."""

from __future__ import annotations

import time
from typing import Protocol

from ..reporting.meter import Meter
from ..reporting.progress import Progress
from .interface import Host
from .joined_threads import JoinedThreads
from .thread_stacks import stack_of
from .watchdog import Watched


class WaitedFor(Watched, Protocol):
    """A source that the training loop waits for."""

    threads: JoinedThreads  # which may be asking the calling thread for a function

    def where(self) -> str | None:
        """Where the code that makes its batch stands, in lines; `None`: a thread shows that."""


class SourceWait:
    """How the training loop waits for a source, and how long.

    `argument` is what the caller gave the source as; a wait may take `timeout` seconds, or for ever
    where that is `None`. `progress` shows long waits.
    """

    def __init__(
        self, host: Host, argument: str, timeout: float | None, meter: Meter, progress: Progress
    ) -> None:
        self._host = host
        self._argument = argument
        self._timeout = timeout
        self._meter = meter
        self._progress = progress
        self._due = 0.0  # a wait of so many seconds is not too long

    def goes_on(self, begun: float, source: WaitedFor) -> None:
        """Nothing came so far, since `begun`: tell of it, or give up; take an interrupt.

        A wait that takes too long is a timeout of the source, or of the function that is to blame.
        """
        waited = time.perf_counter() - begun
        self._meter.waits(self._argument, waited)
        self._progress.waits(self._argument, waited)
        if self._timeout is not None and waited > max(self._timeout, self._due):
            threads = source.threads.alive
            if not self._host.stop_overdue(source, threads):
                where = source.where()
                raise source.timed_out(stack_of(threads) if where is None else where)
            self._due = waited + 1.0  # the error of the function that was stopped is on its way
        self._host.check()
