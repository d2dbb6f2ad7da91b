"""Batches put in order, and several of them into one call of the model."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from ..batches.prepared import Batch
from ..batches.stacking import Stack
from ..host.signal_safe_queue import ClosableQueue
from .call_size import CallSize
from .fetch import Fetch, Outcome


class Stacking:
    """Batches that come in order, put together into calls; `put` takes a call that is complete."""

    def __init__(self, put: Callable[[Batch], None]) -> None:
        self.hungry = False  # the model waits
        self._put = put
        self._turn = 0  # of the round whose batches come now
        self._index = 0  # of its next batch, without those that were left out
        self._stack: Stack | None = None
        self._left: int | None = None  # batches of the round after the stack's
        self._kind: tuple[CallSize, bool]  # of the stack's batches, and whether the call waits

    def add(self, fetch: Fetch, batch: Batch) -> None:
        """Add the next batch."""
        size, (_, _, position, count, turn) = fetch.round.call_size, fetch.ticket
        if turn != self._turn:
            self._turn, self._index = turn, fetch.round.done
        index, self._index = self._index, self._index + 1
        left = None if count is None else count - index - 1
        kind = size, size.is_patient(position)
        if self._stack is None or kind != self._kind or not self._stack.add(batch):
            self.flush()
            limit = size.limit(index, position, batch)
            if limit == 1:
                call = batch if fetch.ready else batch.ready()
                call.left = left
                self._put(call)
                return
            self._stack, self._kind = Stack(batch, limit), kind
        self._left = left
        if left == 0 or self._stack.is_full:
            self.flush()
        elif self.hungry:
            self.feed()

    def flush(self) -> None:
        """Complete the call that is being put together."""
        if self._stack is not None:
            (size, patient), stack, self._stack = self._kind, self._stack, None
            call = stack.batch()
            call.full = patient and call.count == size.full_size
            call.left = self._left
            self._put(call)
            self.hungry = False

    def feed(self) -> None:
        """The model waits: complete the call, unless it is one that is waited for."""
        self.hungry = True
        if self._stack is not None and not self._kind[1]:
            self.flush()

    def clear(self) -> None:
        """Let go of the call that is being put together."""
        self._stack = None


class Reordering:
    """Threads add fetches in any order; the training loop takes calls, in the fetches' order."""

    def __init__(self) -> None:
        self.added = 0  # batches, in order
        self.calls: ClosableQueue[Outcome] = ClosableQueue()
        self.taken = 0  # batches, about
        self._lock = threading.Lock()
        self._early: dict[int, Fetch] = {}
        self._next = 0
        self._stacking = Stacking(self.calls.put)

    def add(self, fetch: Fetch) -> None:
        """Add the outcome of one fetch."""
        with self._lock:
            self._early[fetch.ticket.sequence] = fetch
            while (due := self._early.pop(self._next, None)) is not None:
                self._next += 1
                if isinstance(due.outcome, Batch):
                    self.added += 1
                    self._stacking.add(due, due.outcome)
                elif not due.left_out:
                    self._stacking.flush()
                    self.calls.put(due.outcome)

    def take(self, seconds: float) -> Outcome:
        """What the model gets next; `queue.Empty` where nothing came within `seconds`."""
        try:
            call = self.calls.get()
        except queue.Empty:
            with self._lock:
                self._stacking.feed()
            call = self.calls.get(seconds)
        self._stacking.hungry = False
        self.taken += call.count if isinstance(call, Batch) else 0
        return call

    def clear(self) -> None:
        """Let go of everything: an error's traceback may keep this object."""
        with self._lock:
            self._early.clear()
            self._stacking.clear()
            self.calls.clear()
