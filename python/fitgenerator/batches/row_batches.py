"""Arrays cut into batches of their rows."""

from __future__ import annotations

from typing import Any

import keras

from ..models.protocol import Array

Columns = tuple[Any, ...]  # inputs, targets, weights: arrays, `None`, or nested structures of these


def take_rows(parts: Columns, rows: slice | Array) -> Columns:
    """Some rows of every array, chosen by a slice or by their numbers."""
    return tuple(
        keras.tree.map_structure(lambda a: None if a is None else a[rows], part) for part in parts
    )


class RowBatches:
    """An indexed source: batches of `size` rows of arrays; the last one may have fewer.

    Attributes:
        order: The numbers of the rows in the order in which they come, `None` for that of the data.
    """

    def __init__(self, parts: Columns, count: int, size: int = 32) -> None:  # as Keras's `fit`
        self.order: Array | None = None
        self._parts = parts
        self._count = count
        self._size = size

    def __len__(self) -> int:
        """Number of batches."""
        return (self._count + self._size - 1) // self._size

    def __getitem__(self, index: int) -> Columns:
        """The batch at `index`."""
        rows = slice(index * self._size, (index + 1) * self._size)
        return take_rows(self._parts, rows if self.order is None else self.order[rows])
