"""A bell that a calling thread can hear outside Python, where it waits at less cost."""

from __future__ import annotations

import os
import threading
from contextlib import suppress


class Doorbell:
    """A byte in a pipe, for a thread that waits in foreign code. `ring` is for any thread.

    A thread of R's that waits in Python looks for an interrupt by a crossing (rule 2). That takes
    half a millisecond where other work has taken the processor's cache meanwhile; in C it takes
    some microseconds.
    """

    def __init__(self) -> None:
        self._pipe: tuple[int, int] | None = None  # where to read, and where to write
        self._heard = False  # somebody listens, and the bell has not rung since
        self._lock = threading.Lock()  # nobody writes to what `close` has closed

    def listen(self) -> int | None:
        """The file descriptor that can be read after the next `ring`.

        `None` where the process may open no more files: who asks waits in Python.
        """
        with self._lock:
            if self._pipe is None:
                try:
                    self._pipe = os.pipe()
                except OSError:
                    return None
                os.set_blocking(self._pipe[0], False)
            elif not self._heard:
                with suppress(BlockingIOError):
                    os.read(self._pipe[0], 1)
            self._heard = True
            return self._pipe[0]

    def ring(self) -> None:
        """Wake the thread that listens, if there is one."""
        if not self._heard:
            return
        with self._lock:
            if self._pipe is not None and self._heard:
                self._heard = False
                os.write(self._pipe[1], b"\0")

    def close(self) -> None:
        """Let go of the pipe; for the thread that listens."""
        with self._lock:
            pipe, self._pipe, self._heard = self._pipe, None, False
        for end in pipe or ():
            os.close(end)
