"""A file that is written on a thread of its own, beside the training."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..errors import ErrorContext, locate

# How long a wait lasts before an interrupt is looked for, in seconds.
_SLICE = 0.05


class Writer:
    """Writes one file at a time. All methods are for one thread at a time."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._written = threading.Event()
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
            finally:
                self._written.set()

        self._written.clear()
        self._thread = threading.Thread(target=run, name="fitgenerator-checkpoint", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise, once, what the writing has raised."""
        error, self._error = self._error, None
        if error is not None:
            raise error

    def end(self) -> None:
        """Wait until nothing is written.

        Thread rule 2: in slices, for what the thread does last. An interrupt in `Thread.join` makes
        Python 3.11 take a living thread for a stopped one.
        """
        thread = self._thread
        while thread is not None and not self._written.wait(_SLICE):
            pass
        self._thread = None
        if thread is not None:
            thread.join()

    def wait(self) -> None:
        """The same; raises, once, what the writing has raised."""
        self.end()
        self.check()
