"""Who takes Ctrl-C, and where.

Called from Python, we do: an interrupt that is raised in the midst of TensorFlow's, Keras's or
rpy2's own code may be swallowed there or crash them. So Ctrl-C sets a flag, and is raised between
the steps and in the user's code. Called from R, R does, and Python's own handler only stands by.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

Handler = Callable[[int, FrameType | None], Any]


def _stand_by(number: int, frame: FrameType | None) -> None:
    """Python's handler while R is hosted (rule 2: only R takes interrupts)."""


def send(thread: int) -> None:
    """Send SIGINT to a thread, given by its identity; where the system cannot, to the process."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread, signal.SIGINT)
    else:  # Windows: the handler runs on this thread, and tells R's
        signal.raise_signal(signal.SIGINT)


class Handlers:
    """SIGINT's handlers, Python's and C's; `suspend` and `restore` may be called more than once."""

    def __init__(self) -> None:
        self._suspended = False
        self.replaced: Handler | int | None = None  # Python's, of the user or the system

    def suspend(self, handler: Handler = _stand_by) -> None:
        """Replace Python's handler by `handler`; C's stays."""
        if self._suspended or threading.current_thread() is not threading.main_thread():
            return
        self.replaced = signal.getsignal(signal.SIGINT)
        self._suspended = True
        _replace(handler)

    def restore(self) -> None:
        """Put Python's handler back (rule 11: no global is left changed)."""
        if self._suspended:
            self._suspended = False
            _replace(self.replaced)


class Deferred:
    """Takes Ctrl-C as a flag while entered; a pending one is raised on the way out at the latest.

    Does so on the main thread and in place of Python's default handler only: a handler that the
    user has installed stays.
    """

    def __init__(self) -> None:
        self.pending = False
        self._allowed = 0
        self._handlers = Handlers()

    def __enter__(self) -> Self:
        if self._takes_over(signal.getsignal(signal.SIGINT)):
            self._handlers.suspend(self._take)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self._handlers.restore()
        if self.pending and not isinstance(error, KeyboardInterrupt):
            self._deliver()

    def _takes_over(self, handler: Handler | int | None) -> bool:
        outer = getattr(handler, "__self__", None)
        return handler is signal.default_int_handler or isinstance(outer, Deferred)

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.pending = True
        if self._allowed:
            self._deliver(frame)

    def check(self) -> None:
        """Raise the interrupt that came, if one did. For the calling thread."""
        if self.pending:
            self._deliver()

    @property
    def in_user_code(self) -> bool:
        """Whether the calling thread runs code of the user's."""
        return self._allowed > 0

    def _deliver(self, frame: FrameType | None = None) -> None:
        raise KeyboardInterrupt

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Around the user's code: on the main thread it may be interrupted anywhere.

        Rule 2: here no frame of TensorFlow's, Keras's or rpy2's lies between the interrupt and us.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._allowed += 1
        try:
            self.check()
            yield
        finally:
            self._allowed -= 1


def _replace(handler: Handler | int | None) -> None:
    if handler is None:  # it was not installed from Python: there is nothing to put back
        handler = signal.default_int_handler
    # Rule 2: `signal.signal` also replaces the C handler, which reticulate (or R) installed and
    # which tells R of the interrupt. So that one is read before and put back after, with Python's
    # own portable functions.
    api = ctypes.pythonapi
    api.PyOS_getsig.restype = api.PyOS_setsig.restype = ctypes.c_void_p
    api.PyOS_getsig.argtypes = [ctypes.c_int]
    api.PyOS_setsig.argtypes = [ctypes.c_int, ctypes.c_void_p]
    installed = api.PyOS_getsig(signal.SIGINT)
    signal.signal(signal.SIGINT, handler)
    api.PyOS_setsig(signal.SIGINT, installed)
