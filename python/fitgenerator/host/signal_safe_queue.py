"""A queue whose reader is the calling thread, where signals arrive."""

from __future__ import annotations

import queue
import threading
from typing import Any


class Inbox:
    """A queue with one reader, whose waits end in time.

    `SimpleQueue.get(timeout=...)` does not end in Python 3.11 when a signal comes meanwhile and its
    handler returns behind the deadline: what is left of the time is negative then, which means for
    ever. `Lock.acquire` looks at that. An interrupt that is raised between any two lines here loses
    nothing: what is in the queue is found by the next `get`.
    """

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._bell = threading.Lock()
        self._bell.acquire()  # released where something may have come

    def put(self, item: Any) -> None:
        """Add an item; from any thread."""
        self._items.put(item)
        try:
            self._bell.release()
        except RuntimeError:  # it rings already
            return

    def get(self, seconds: float = 0.0) -> Any:
        """The next item; waits for one for `seconds` at the most, perhaps for less.

        Raises:
            queue.Empty: None came.
        """
        try:
            return self._items.get_nowait()
        except queue.Empty:
            if seconds <= 0:
                raise
            self._bell.acquire(timeout=seconds)
            return self._items.get_nowait()

    def empty(self) -> bool:
        """Whether nothing is there."""
        return self._items.empty()
