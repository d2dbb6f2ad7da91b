"""The host of a loop that runs on the calling thread itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from .interface import HostedSource, Shown, Work, run_job
from .interrupts import Deferred


class DirectHost:
    """The loop runs on the calling thread: a job is simply called."""

    def __init__(self, show: Callable[[Shown], None]) -> None:
        self.interrupts = Deferred()
        self.waited = 0.0
        self.patience: float | None = None
        self._show = show

    def call(self, work: Work) -> Any:
        """Run a job here and now."""
        return run_job(work)

    def say(self, thing: Shown) -> None:
        """Show it."""
        self._show(thing)

    def wake(self) -> None:
        """Nobody is waiting."""

    def serve(self, source: HostedSource) -> None:
        """The loop may have no such sources: their functions need a host loop."""
        raise RuntimeError(f"{source.function} needs a host")

    def interrupt_overdue(self) -> None:
        """No function of a host runs."""

    def check(self) -> None:
        """Raise an interrupt that came."""
        self.interrupts.check()

    def user_code(self) -> AbstractContextManager[None]:
        """Around code of the user's, which may be interrupted anywhere."""
        return self.interrupts.allowed()
