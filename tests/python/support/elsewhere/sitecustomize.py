"""FITGENERATOR_ELSEWHERE=1: the tests run as far as possible as on Windows.

There is no `pthread_kill`; clocks tick every 15.6 ms, but for `perf_counter`; processes are
spawned. `tools/check portable` runs some of the tests in this way.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable

WANTED = os.environ.get("FITGENERATOR_ELSEWHERE") == "1"
TICK = 1 / 64


def _ticking(clock: Callable[[], float]) -> Callable[[], float]:
    return lambda: clock() // TICK * TICK


def pytest_configure() -> None:
    """Put the differences in, for the whole run."""
    if not WANTED:
        return
    vars(signal).pop("pthread_kill", None)
    time.monotonic, time.time = _ticking(time.monotonic), _ticking(time.time)
    multiprocessing.set_start_method("spawn", force=True)
