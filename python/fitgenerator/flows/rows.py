"""Arrays as batches of their rows: what `fit()`, `evaluate()` and `predict()` in R are given."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ..batches.arrays import Sparse
from ..batches.structure import Parts, check
from ..errors import ArgumentError, BatchError
from ..messages import describe
from .data import ARGUMENTS

Array = np.ndarray[Any, Any]


class Rows:
    """Batches of rows, in order or in another one in each pass.

    Args:
        parts: Inputs; or inputs, targets (`None` for none) and perhaps weights, of the same number
            of rows: arrays of shape `(rows, ...)`, or lists or dicts of them.
        size: Rows of a batch.
        seed: Of the order of the rows, `None` to leave it as it is.
    """

    def __init__(self, parts: tuple[Any, ...], size: int, seed: int | None = None) -> None:
        self._parts = parts
        self._size = size
        self._count = _rows_of(parts)
        self._random = None if seed is None else np.random.default_rng(seed)
        self._order: Array | None = None
        self._shuffle()

    def _shuffle(self) -> None:
        if self._random is not None:
            self._order = self._random.permutation(self._count)

    def __len__(self) -> int:
        """Batches."""
        return (self._count + self._size - 1) // self._size

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """The batch at `index`."""
        rows: Any = slice(index * self._size, (index + 1) * self._size)
        return _taken(self._parts, rows if self._order is None else self._order[rows])

    def on_epoch_end(self) -> None:
        """Shuffle anew: a pass has ended."""
        self._shuffle()

    def split(self, share: float) -> tuple[Rows, Rows]:
        """Rows to train on, and a `share` of them, the last ones, to validate with.

        Raises:
            ArgumentError: There would be none of one of the two.
        """
        first = int(self._count * (1 - share))
        if not 0 < first < self._count:
            raise ArgumentError.of(
                "validation_split",
                f"of {share:g} leaves {first} rows of {self._count} to train "
                "on: there must be at least one, and one to validate with.",
            )
        seed = None if self._random is None else int(self._random.integers(2**31))
        parts = (_taken(self._parts, slice(None, first)), _taken(self._parts, slice(first, None)))
        return Rows(parts[0], self._size, seed), Rows(parts[1], self._size)


def rows(parts: list[Any], size: int, seed: int | None = None, argument: str = "") -> Rows:
    """Batches of such parts, given as `argument`; where it is empty, as `x`, `y`, `sample_weight`.

    Raises:
        ArgumentError: They are no arrays with the same number of rows.
    """
    whose, names = (f"`{argument}`", ()) if argument else ("The data", ARGUMENTS)
    try:
        checked, _ = check(Parts(*parts), predicting=len(parts) == 1, whose=whose, arguments=names)
    except BatchError as error:
        raise ArgumentError(str(error), argument=argument or error.argument) from error
    arrays = [keras.tree.map_structure(_array, part) for part in checked[: len(parts)]]
    return Rows(tuple(arrays), size, seed)


def _array(leaf: Any) -> Any:
    """A leaf that rows can be taken from, row by row in memory."""
    if leaf is None or isinstance(leaf, Sparse):
        return leaf
    array = np.ascontiguousarray(leaf)
    if array.dtype == object:
        raise ArgumentError(
            f"The data must be arrays that rows can be taken from, not {describe(leaf)}."
        )
    floats = np.issubdtype(array.dtype, np.floating)
    return array.astype(keras.config.floatx(), copy=False) if floats else array


def _rows_of(parts: tuple[Any, ...]) -> int:
    return int(next(leaf.shape[0] for leaf in keras.tree.flatten(parts) if leaf is not None))


def _taken(parts: tuple[Any, ...], rows: Any) -> tuple[Any, ...]:
    def take(leaf: Any) -> Any:
        if leaf is None:
            return None
        if isinstance(leaf, Sparse) and not isinstance(rows, slice):
            return _sparse_rows(leaf, rows)
        return leaf[rows]

    return tuple(keras.tree.map_structure(take, part) for part in parts)


def _sparse_rows(matrix: Sparse, rows: Array) -> Sparse:
    """Some rows of a sparse matrix, in any order."""
    begins = np.searchsorted(np.asarray(matrix.rows), np.arange(matrix.shape[0] + 1))
    counts = begins[rows + 1] - begins[rows]
    ends = np.cumsum(counts)
    own = np.arange(counts.sum()) + np.repeat(begins[rows] - ends + counts, counts)
    shape = (len(rows), matrix.shape[1])
    return Sparse(
        np.repeat(np.arange(len(rows)), counts), matrix.cols[own], matrix.values[own], shape
    )
