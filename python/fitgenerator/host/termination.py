"""SIGTERM, by which schedulers and owners of machines end a process: noted, then obeyed in order.

Where R hosts, R notes it, and asks here.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..errors import Terminated
from .interrupts import Handler


class Termination:
    """Whether the call is to stop because the process is to end."""

    def __init__(self) -> None:
        self.asked = False

    def watch(self) -> None:
        """Note SIGTERM from now on; for the calling thread. R does so by itself."""

    def restore(self) -> None:
        """Let SIGTERM act as before; for the calling thread, and harmless where it does."""

    def check(self) -> None:
        """Raise `Terminated` where the call is to stop: between calls of steps, and in waits."""
        if self.asked:
            raise Terminated

    @contextmanager
    def making(self) -> Iterator[None]:
        """Around the user's code that makes a batch: nobody waits for it when SIGTERM comes."""
        yield


class SignalTermination(Termination):
    """Takes the first SIGTERM by itself; the next one acts as it would have without us."""

    def __init__(self) -> None:
        super().__init__()
        self._watches = False
        self._before: Handler | int | None = None
        self._making = 0  # code of the user's that makes a batch, on the calling thread

    def watch(self) -> None:
        self._before = signal.signal(signal.SIGTERM, self._take)
        self._watches = True

    def restore(self) -> None:
        if self._watches:
            self._watches = False
            # `None`: it was not installed from Python, and cannot be put back from here.
            signal.signal(signal.SIGTERM, signal.SIG_DFL if self._before is None else self._before)

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self.restore()
        if self._making:
            self.check()

    @contextmanager
    def making(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._making += 1
        try:
            self.check()
            yield
        finally:
            self._making -= 1
