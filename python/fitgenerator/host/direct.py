"""The host of a loop that runs on the calling thread itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Thread

from ..errors import Warns
from .interface import HostedSource, Shown, run_job
from .interrupts import Deferred
from .termination import SignalTermination, Termination
from .thread_stacks import stack_of
from .watchdog import Watched


class DirectHost:
    """The loop runs on the calling thread: a job is simply called, and what is said is shown."""

    def __init__(self, show: Callable[[Shown], None]) -> None:
        self.interrupts = Deferred()
        self.termination: Termination = SignalTermination()
        self.waited = 0.0
        self.patience: float | None = None
        self.met: dict[Warns, None] = {}
        self.call, self.say = run_job, show
        self.check, self.user_code = self.interrupts.check, self.interrupts.allowed

    @contextmanager
    def making(self) -> Iterator[None]:
        """Around code of the user's that makes a batch."""
        with self.user_code(), self.termination.making():
            yield

    def wake(self) -> None:
        """Nobody is waiting."""

    def serve(self, source: HostedSource) -> None:
        """The loop may have no such sources: their functions need a host loop."""
        raise RuntimeError(f"{source.function} needs a host")

    def stop_late(self, source: Watched, threads: Iterable[Thread]) -> None:
        """No function of a host runs."""
        raise source.timed_out(stack_of(threads))

    def is_asked_by(self, threads: Iterable[Thread]) -> bool:
        """Nobody can ask."""
        return False
