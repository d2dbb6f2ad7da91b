"""Batches that come in order, put together into calls of the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..backends.aligned_memory import empty
from .call_size import CallSize
from .prepared import Batch


class Stack:
    """Up to `limit` batches that fit each other; arrays are copied when they are added."""

    def __init__(self, first: Batch, limit: int) -> None:
        self._first = first
        self._columns: list[Any] = [
            empty((limit, *leaf.shape), leaf.dtype) if isinstance(leaf, np.ndarray) else []
            for leaf in first.leaves
        ]
        self._limit = limit
        self.count = 0
        self.add(first)

    @property
    def is_full(self) -> bool:
        """Whether it has as many batches as there may be."""
        return self.count == self._limit

    def add(self, batch: Batch) -> bool:
        """Add a batch; False where it does not fit the others."""
        if not self._first.fits(batch):
            return False
        for column, leaf in zip(self._columns, batch.leaves, strict=True):
            if isinstance(column, list):
                column.append(leaf)
            else:
                column[self.count] = leaf
        self.count += 1
        return True

    def batch(self) -> Batch:
        """What the call takes; nothing may be added any more."""
        form, rows, count = self._first.form, self._first.rows, self.count
        if count == 1:
            leaves = [c[0] for c in self._columns]
        else:
            leaves = [
                form.backend.stacked(c) if isinstance(c, list) else c[:count] for c in self._columns
            ]
        return Batch(tuple(leaves), form, rows, count, exclusive=True).ready()


class Calls:
    """Puts batches together, as many as their `CallSize` says; `put` takes a call that is complete.

    All methods are for one thread at a time.
    """

    def __init__(self, put: Callable[[Batch], None]) -> None:
        self.hungry = False  # the model waits
        self._put = put
        self._stack: Stack | None = None
        self._left: int | None = None  # batches of the round after the stack's
        self._kind: tuple[CallSize, bool]  # of the stack's batches, and whether the call waits

    def add(
        self, batch: Batch, size: CallSize, position: int, index: int, left: int | None
    ) -> None:
        """Add the next batch: at `position` among all of its size, at `index` of its round.

        So many batches of the round are `left` after it, where that is known.
        """
        kind = size, size.is_patient(position)
        if self._stack is None or kind != self._kind or not self._stack.add(batch):
            self.flush()
            limit = size.limit(index, position, batch)
            if limit == 1:
                call = batch.ready()
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
