"""Several batches copied into one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..backends.aligned_memory import empty
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
