"""Arrays cut into batches of their rows."""

from __future__ import annotations

from typing import Any

import keras

# Rows of a batch when validation data is a tuple of arrays, as in Keras's `fit`.
ARRAY_BATCH_ROWS = 32


class ArrayBatches:
    """A tuple of arrays as an indexed source of batches."""

    def __init__(self, parts: tuple[Any, ...], rows: int) -> None:
        self._parts = parts
        self._rows = rows

    def __len__(self) -> int:
        return (self._rows + ARRAY_BATCH_ROWS - 1) // ARRAY_BATCH_ROWS

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        rows = slice(index * ARRAY_BATCH_ROWS, (index + 1) * ARRAY_BATCH_ROWS)
        return tuple(
            keras.tree.map_structure(lambda a: a if a is None else a[rows], part)
            for part in self._parts
        )
