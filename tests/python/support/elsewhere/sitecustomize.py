"""As far as possible as on Windows: for each Python whose PYTHONPATH begins with this folder.

`tools/check portable` runs tests of both languages in this way; R's, and every process that a test
starts, too. There is no `pthread_kill`; clocks tick every 15.6 ms, but for `perf_counter`;
processes are spawned; code of ours finds no `/proc` and makes no links. Where R runs this Python,
an interrupt from another thread is a flag that R looks at, every half second while it sleeps, and
no signal (on Linux R takes signals while it sleeps by a jump, which another thread must not make).
"""

from __future__ import annotations

import builtins
import ctypes
import errno
import io
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

TICK = 1 / 64
OURS = (f"{os.sep}fitgenerator{os.sep}", f"{os.sep}tests{os.sep}", "pathlib")


def _ticking(clock: Callable[[], float]) -> Callable[[], float]:
    return lambda: clock() // TICK * TICK


def _without_proc(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for which there is no /proc where code of ours calls it."""

    def called(path: Any = ".", *args: Any, **options: Any) -> Any:
        caller = sys._getframe(1).f_code.co_filename
        named = isinstance(path, (str, os.PathLike)) and str(path).startswith("/proc")
        if named and any(part in caller for part in OURS):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return function(path, *args, **options)

    return called


def _no_link(*_: Any, **__: Any) -> None:
    raise OSError("[WinError 1314] A required privilege is not held by the client")


def _interrupts_are_flags() -> None:
    """As reticulate's handler on Windows, where a sleep of R looks every half second."""
    r = ctypes.CDLL(None)
    try:
        pending = ctypes.c_int.in_dll(r, "R_interrupts_pending")
    except ValueError:  # this is no Python of R's
        return
    ctypes.c_int.in_dll(r, "R_wait_usec").value = 500_000

    def raise_signal(number: int) -> None:
        pending.value = 1
        ctypes.pythonapi.PyErr_SetInterrupt()

    signal.raise_signal = raise_signal


del signal.pthread_kill
time.monotonic, time.time = _ticking(time.monotonic), _ticking(time.time)
multiprocessing.set_start_method("spawn", force=True)
os.symlink = _no_link  # type: ignore[assignment]
os.stat, os.listdir = _without_proc(os.stat), _without_proc(os.listdir)
builtins.open = io.open = _without_proc(io.open)
_interrupts_are_flags()
