"""Arrays cut into batches of their rows."""

from __future__ import annotations

from typing import Any

import keras

from ..models.protocol import Array

DEFAULT_SIZE = 32  # rows of a batch, as in Keras's `fit`

Columns = tuple[Any, ...]  # inputs, targets, weights: arrays, `None`, or nested structures of these


def take_rows(parts: Columns, rows: slice | Array) -> Columns:
    """Some rows of every array, chosen by a slice or by their numbers."""
    return tuple(
        keras.tree.map_structure(lambda a: None if a is None else a[rows], part) for part in parts
    )


class RowBatches:
    """An indexed source: batches of `size` rows of arrays; the last one may have fewer.

    Attributes:
        n: Number of rows.
        batch_size: Rows of a batch.
        order: The numbers of the rows in the order in which they come, `None` for that of the data.
    """

    def __init__(self, parts: Columns, count: int, size: int = DEFAULT_SIZE) -> None:
        self.order: Array | None = None
        self._parts = parts
        self.n = count
        self.batch_size = size

    def __len__(self) -> int:
        """Number of batches."""
        return (self.n + self.batch_size - 1) // self.batch_size

    def __getitem__(self, index: int) -> Columns:
        """The batch at `index`."""
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return take_rows(self._parts, rows if self.order is None else self.order[rows])
