"""Batches put in order, however many threads prepare them, and taken as calls of the model."""

from __future__ import annotations

import queue
import threading

from ..batches.prepared import Batch
from ..batches.stacking import Calls
from ..host.signal_safe_queue import ClosableQueue
from .fetch import Fetch, Outcome, Turn


class Reordering:
    """Threads add fetches in any order; the training loop takes calls, in the fetches' order."""

    def __init__(self) -> None:
        self.added = 0  # batches, in order
        self.calls: ClosableQueue[Outcome] = ClosableQueue()
        self.taken = 0  # batches, about
        self._lock = threading.Lock()
        self._early: dict[int, Fetch] = {}
        self._next = 0
        self._turn: Turn | None = None  # whose batches come now
        self._index = 0  # of its next batch, without those that were left out
        self._stacked = Calls(self.calls.put)

    def add(self, fetch: Fetch) -> None:
        """Add the outcome of one fetch."""
        with self._lock:
            self._early[fetch.sequence] = fetch
            while (due := self._early.pop(self._next, None)) is not None:
                self._next += 1
                if isinstance(due.outcome, Batch):
                    self._stack(due, due.outcome)
                elif not due.left_out:
                    self._stacked.flush()
                    self.calls.put(due.outcome)

    def _stack(self, fetch: Fetch, batch: Batch) -> None:
        self.added += 1
        turn = fetch.turn
        if turn is not self._turn:
            self._turn, self._index = turn, turn.round.done
        index, self._index = self._index, self._index + 1
        left = None if turn.count is None else turn.count - index - 1
        self._stacked.add(batch, turn.round.call_size, fetch.position, index, left)

    def take(self, seconds: float) -> Outcome:
        """What the model gets next; `queue.Empty` where nothing came within `seconds`."""
        try:
            call = self.calls.get()
        except queue.Empty:
            with self._lock:
                self._stacked.feed()
            call = self.calls.get(seconds)
        self._stacked.hungry = False
        self.taken += call.count if isinstance(call, Batch) else 0
        return call

    def clear(self) -> None:
        """Let go of everything: an error's traceback may keep this object."""
        with self._lock:
            self._turn = None
            self._early.clear()
            self._stacked.clear()
            self.calls.clear()
