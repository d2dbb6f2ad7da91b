"""Who takes Ctrl-C while R is hosted: R does, and Python's own handler only stands by.

`signal.signal` also replaces the C handler, which reticulate (or R) installed and which tells R of
the interrupt; so that one is read before and put back after, with Python's own portable functions.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable
from typing import Any

_Handler = Callable[[int, Any], Any] | int | None


def _stand_by(number: int, frame: Any) -> None:
    """Python's handler while R is hosted."""


class Handlers:
    """SIGINT's handlers, Python's and C's; `suspend` and `restore` may be called more than once."""

    def __init__(self) -> None:
        self._suspended = False
        self._python: Any = None

    def suspend(self, handler: Callable[[int, Any], Any] = _stand_by) -> None:
        """Let Python's handler be `handler`, and C's stay."""
        if self._suspended or threading.current_thread() is not threading.main_thread():
            return
        self._python = signal.getsignal(signal.SIGINT)
        self._suspended = True
        _replace(handler)

    def restore(self) -> None:
        """Put Python's handler back."""
        if self._suspended:
            self._suspended = False
            _replace(self._python)


def _replace(handler: Any) -> None:
    if handler is None:  # it was not installed from Python: there is nothing to put back
        handler = signal.default_int_handler
    api = ctypes.pythonapi
    api.PyOS_getsig.restype = api.PyOS_setsig.restype = ctypes.c_void_p
    api.PyOS_getsig.argtypes = [ctypes.c_int]
    api.PyOS_setsig.argtypes = [ctypes.c_int, ctypes.c_void_p]
    installed = api.PyOS_getsig(signal.SIGINT)
    signal.signal(signal.SIGINT, handler)
    api.PyOS_setsig(signal.SIGINT, installed)
