"""A queue between threads, one of which may be the calling thread, where signals arrive."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from ..errors import ClosedError

# How long a wait on the calling thread lasts before it looks for an interrupt, in seconds.
SLICE = 0.05
T = TypeVar("T")
_CLOSED: Any = object()  # wakes the readers of a closed queue, one after the other


class ClosableQueue(Generic[T]):
    """A queue whose timed waits end in time, and which nobody waits on once it is closed.

    Thread rule 2: no signal tears an operation of a `SimpleQueue`, so an interrupt that is raised
    between any two lines here loses nothing: the next `get` finds what is in the queue.

    `SimpleQueue.get(timeout=...)` is not used. In Python 3.11 that call never ends if a signal
    comes meanwhile and the signal's handler returns after the deadline: the time left is negative
    then, which means for ever. `Lock.acquire` looks at the time left.
    """

    def __init__(self, told: Callable[[], object] | None = None) -> None:
        self.closed = False
        self._told = told  # of each item, by the thread that adds it
        self._items: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._bell = threading.Lock()  # free where something may have come
        self._bell.acquire()

    def put(self, item: T) -> None:
        """Add an item; from any thread."""
        self._items.put(item)
        if self._told is not None:
            self._told()
        if self._bell.locked():
            try:
                self._bell.release()
            except RuntimeError:  # another thread rang meanwhile
                return

    def get(self, seconds: float | None = 0.0) -> T:
        """The next item; waits for `seconds` at the most, perhaps for less.

        Thread rule 2: on the calling thread every wait ends, so `None`, a wait without end, is only
        for threads of ours, which `close` wakes. Raises `queue.Empty` where none came, and
        `ClosedError` where the queue is closed, whatever is left in it.
        """
        if self.closed:
            raise ClosedError
        try:
            item = self._items.get_nowait()
        except queue.Empty:
            if seconds is None:
                item = self._items.get()
            elif seconds > 0:
                self._bell.acquire(timeout=seconds)
                item = self._items.get_nowait()
            else:
                raise
        if item is _CLOSED:
            self._items.put(_CLOSED)  # for the next reader
            raise ClosedError
        return item

    def empty(self) -> bool:
        """Whether nothing is there."""
        return self._items.empty()

    def close(self) -> None:
        """Have every `get`, now and later, raise `ClosedError`; any thread may call this, again."""
        self.closed = True
        self.put(_CLOSED)

    def clear(self) -> None:
        """Let go of all items."""
        with suppress(queue.Empty):
            while True:
                self._items.get_nowait()
        if self.closed:  # the mark that wakes readers may have gone with them
            self.put(_CLOSED)
