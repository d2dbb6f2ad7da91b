"""The host of a loop that runs on the calling thread itself."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import GeneratorType
from typing import Any

from .current_host import Applied
from .interface import Job, Line, Shown, finish_job
from .interrupts import Deferred


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
