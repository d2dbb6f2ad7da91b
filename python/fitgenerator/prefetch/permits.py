"""How far a source may be fetched ahead of the model: thread rule 6, the bounded lead."""

from __future__ import annotations

import queue

from ..host.signal_safe_queue import ClosableQueue


class Permits(ClosableQueue[None]):
    """One is taken before each fetch, and given back when the step that uses the batch begins."""

    def give(self, count: int = 1) -> None:
        """Allow so many fetches more."""
        for _ in range(count):
            self.put(None)

    def take(self, *, wait: bool) -> bool:
        """Take one; False where there is none and nobody waits. `ClosedError` after `close`."""
        try:
            self.get(None if wait else 0.0)
        except queue.Empty:
            return False
        return True
