"""A file that is written on a thread of its own, beside the training."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ErrorContext, locate
from ..host.joined_threads import JoinedThreads


class Writer:
    """Writes one file at a time. All methods are for one thread at a time."""

    def __init__(self) -> None:
        self._threads = JoinedThreads()
        self._error: BaseException | None = None

    def start(self, write: Callable[[], None]) -> None:
        """Have `write` run on a thread, once the one before has ended."""
        self.wait()

        def run() -> None:
            try:
                write()
            except BaseException as error:
                locate(error, ErrorContext(callback="Checkpoint", hook="keep"))
                self._error = error

        self._threads.start("fitgenerator-checkpoint", run)

    def check(self) -> None:
        """Raise, once, what the writing has raised."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def end(self) -> BaseException | None:
        """Wait until nothing is written; what the writing has raised, if nobody has raised it."""
        self._threads.join()
        return self._error

    def wait(self) -> None:
        """Wait until nothing is written; raises, once, what the writing has raised."""
        self.end()
        self.check()
