"""The first R function of a process that a background thread calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

_FIRST_CALL = 10.0
_SLICE = 0.005


def call_beside(function: Callable[[], Any]) -> None:
    """Have a background thread call an R function, while R's thread, which calls this, waits.

    At the first such call of a process reticulate (1.41 and later) imports a module inside a C++
    initializer. Two threads whose first calls meet there wait for each other for ever: one for
    Python's lock, the other, which holds it, for the initializer. After one call any may meet.
    """
    thread = threading.Thread(target=function, name="fitgenerator-first-call", daemon=True)
    thread.start()
    given_up = time.monotonic() + _FIRST_CALL
    while thread.is_alive() and time.monotonic() < given_up:
        thread.join(_SLICE)  # between two slices Python runs here what threads ask R's thread for
