"""While R hosts, Python's garbage is collected on R's thread.

Garbage in cycles may hold values of R. Where one dies on another thread, reticulate (to 1.46 at
least) hands it over by a queue of Python's that has 32 places, and where that is full waits with
Python's lock, which R's thread needs to empty it: a minute or two each time. And rpy2 releases it
on that thread, beside R that runs: the process crashes sooner or later.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

# A collection of all generations took this part of the time between two of them, at most.
_SHARE = 0.02


class Collector:
    """Collects instead of Python's own collector. All methods are for R's thread."""

    _instead = False  # Python's own is off, by the outermost of the calls that run

    def __init__(self) -> None:
        self._outermost = False
        self._full_from = 0.0  # when the next collection of all generations may be

    def __enter__(self) -> Self:
        self.suspend()
        return self

    def __exit__(self, *error: object) -> None:
        self.restore()

    def suspend(self) -> None:
        """Turn Python's collector off, which runs on whichever thread allocates."""
        self._outermost = gc.isenabled()
        if self._outermost:
            gc.disable()
            Collector._instead = True

    def restore(self) -> None:
        """Turn it on again, where this call has turned it off; harmless when it is on."""
        if self._outermost:
            self._outermost = Collector._instead = False
            gc.enable()

    def collect(self) -> None:
        """Collect where Python's own would have: each generation by its count and threshold.

        Python spares the oldest where little has come to it; we, where that was short ago.
        """
        if not self._instead:
            return
        (young, middle, old), limits = gc.get_count(), gc.get_threshold()
        if young <= limits[0] or not limits[0]:
            return
        begun = time.perf_counter()
        generation = 0 if middle <= limits[1] else 1 if old <= limits[2] else 2
        if generation == 2 and begun < self._full_from:
            generation = 1
        gc.collect(generation)
        if generation == 2:
            ended = time.perf_counter()
            self._full_from = ended + (ended - begun) / _SHARE
