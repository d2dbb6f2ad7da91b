"""Arrays as batches of their rows: what `fit()`, `evaluate()` and `predict()` in R are given."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ..batches.arrays import Sparse, as_floatx
from ..batches.row_batches import Columns, RowBatches, take_rows
from ..batches.structure import Parts, check
from ..errors import ArgumentError, BatchError
from ..messages import describe
from .data import ARGUMENTS


class Rows(RowBatches):
    """Batches of rows, in their order or in a new one in each pass.

    Args:
        parts: Inputs; or inputs, targets (`None` for none) and perhaps weights, of the same number
            of rows: arrays of shape `(rows, ...)`, or lists or dicts of them.
        size: Rows of a batch.
        seed: Seed of the orders; `None` keeps the order of the rows.
    """

    def __init__(self, parts: Columns, size: int, seed: int | None = None) -> None:
        leaves = (leaf for leaf in keras.tree.flatten(parts) if leaf is not None)
        super().__init__(parts, int(next(leaves).shape[0]), size)
        self._random = None if seed is None else np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Shuffle anew, after each pass."""
        if self._random is not None:
            self.order = self._random.permutation(self._count)

    def split(self, share: float) -> tuple[Rows, Rows]:
        """Rows to train on, and a `share` of them, the last ones, to validate with.

        Raises:
            ArgumentError: One of the two would have no rows.
        """
        first = int(self._count * (1 - share))
        if not 0 < first < self._count:
            rule = "there must be at least one, and one to validate with."
            found = f"of {share:g} leaves {first} rows of {self._count} to train on"
            raise ArgumentError.of("validation_split", f"{found}: {rule}")
        seed = None if self._random is None else int(self._random.integers(2**31))
        trained = Rows(take_rows(self._parts, slice(first)), self._size, seed)
        return trained, Rows(take_rows(self._parts, slice(first, None)), self._size)


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
        text = f"The data must be arrays that rows can be taken from, not {describe(leaf)}."
        raise ArgumentError(text)
    return as_floatx(array)
