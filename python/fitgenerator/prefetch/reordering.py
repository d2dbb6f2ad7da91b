"""Prepared batches put in order, and several of them into one call.

Feeders finish batches in any order and add them here; the training loop takes calls: batches, each
of one or more pulls, in the order of the pulls.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import Any

from ..batches.prepared import Batch
from ..batches.stacking import Stack
from ..host.signal_safe_queue import Inbox
from .call_size import Grouping

_CLOSE = None


@dataclass(slots=True)
class Ticket:
    """The place of one pull.

    Attributes:
        sequence: Its place among all of its source, ends included, from 0.
        number: Number of the batch, from 1.
        grouping: How the batches of its round are grouped.
        position: Its place among the batches of that grouping, from 0.
        index: Its place in its round, from 0.
        last: Nothing follows in its round.
    """

    sequence: int
    number: int
    grouping: Grouping
    position: int
    index: int
    last: bool


class Assembler:
    """Puts batches in order and into calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._early: dict[int, tuple[Ticket, Any]] = {}
        self._next = 0
        self._stack: Stack | None = None
        self._grouping: Grouping | None = None  # the stack's
        self._patient = False  # the stack's call must be full
        self._limit = 1
        self._hungry = False
        self._calls = Inbox()
        self._added = 0
        self._given = 0

    @property
    def waiting(self) -> int:
        """Batches that were added and not taken, about."""
        return self._added - self._given

    # -- the feeders' side ----------------------------------------------------------------------

    def add(self, ticket: Ticket, item: Any) -> None:
        """Add the batch, or what came in its place, of one pull."""
        with self._lock:
            if ticket.sequence != self._next:
                self._early[ticket.sequence] = (ticket, item)
                return
            self._accept(ticket, item)
            while (entry := self._early.pop(self._next, None)) is not None:
                self._accept(*entry)

    def _accept(self, ticket: Ticket, item: Any) -> None:
        self._next = ticket.sequence + 1
        self._added += 1
        if not isinstance(item, Batch):
            self._flush()
            self._calls.put(item)
            return
        grouping = ticket.grouping
        patient = grouping.patient(ticket.position)
        if self._stack is not None and not self._takes(item, grouping, patient):
            self._flush()
        if self._stack is None:
            self._limit = grouping.limit(ticket.index, ticket.position, item)
            self._grouping, self._patient = grouping, patient
            if self._limit == 1:
                self._calls.put(item.ready())
                return
            self._stack = Stack(item, self._limit)
        else:
            self._stack.add(item)
        hungry = self._hungry and not patient
        if ticket.last or hungry or self._stack.count == self._limit:
            self._flush()

    def _takes(self, item: Batch, grouping: Grouping, patient: bool) -> bool:
        assert self._stack is not None
        same = grouping is self._grouping and patient == self._patient
        return same and self._stack.fits(item)

    def _flush(self) -> None:
        if self._stack is not None:
            stack, self._stack = self._stack, None
            call = stack.batch()
            assert self._grouping is not None
            call.full = self._patient and call.count == self._grouping.full_size
            self._calls.put(call)
            self._hungry = False

    # -- the training loop's side ---------------------------------------------------------------

    def take(self, seconds: float) -> Any:
        """What the next call takes, or `None` after `close`.

        Raises:
            queue.Empty: Nothing came within `seconds`.
        """
        try:
            call = self._calls.get()
        except queue.Empty:
            with self._lock:
                self._hungry = True
                if not self._patient:
                    self._flush()
            call = self._calls.get(seconds)
        self._hungry = False
        if call is not _CLOSE:
            self._given += call.count if isinstance(call, Batch) else 1
        return call

    def fail(self, item: Any) -> None:
        """Hand `item` out in place of what could not be put together."""
        self._calls.put(item)

    def close(self) -> None:
        """Wake the taker: nothing follows."""
        self._calls.put(_CLOSE)

    def clear(self) -> None:
        """Let go of everything: an error's traceback may keep this object."""
        with self._lock:
            self._early.clear()
            self._stack = None
            while not self._calls.empty():
                self._calls.get()
