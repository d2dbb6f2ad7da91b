"""Who made the batch that a thread has fetched, as the timeline shows it."""

from __future__ import annotations

import threading
import time

# When it was made, by `time.perf_counter()`, and the lane of who made it.
Span = tuple[float, float, str]

_threads = threading.local()


def made_by(number: int, begun: float) -> None:
    """The worker of this number has made what this thread has fetched, from `begun` until now."""
    _threads.span = begun, time.perf_counter(), f"worker {number}"


def last_made() -> Span | None:
    """Of the last batch that this thread has fetched from a worker; `None` before the first."""
    return getattr(_threads, "span", None)
