"""Arrays as batches of their rows: what `fit()`, `evaluate()` and `predict()` in R are given."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ..batches.arrays import Sparse, as_floatx
from ..batches.row_batches import DEFAULT_SIZE, Columns, RowBatches, take_rows
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
            self.order = self._random.permutation(self.n)

    def split(
        self,
        share: float,
        steps: int | None = None,
        validation_size: int | None = None,
        validation_steps: int | None = None,
    ) -> tuple[Rows, Rows]:
        """Rows to train on, and a `share` of them, the last ones, to validate with.

        Those to train on are cut into `steps` batches, or as they were. The other two arguments say
        how those to validate with are cut, as for `rows`.

        Raises:
            ArgumentError: One of the two would have no rows.
        """
        first = int(self.n * (1 - share))
        if not 0 < first < self.n:
            rule = "there must be at least one, and one to validate with."
            found = f"of {share:g} leaves {first} rows of {self.n} to train on"
            raise ArgumentError.of("validation_split", f"{found}: {rule}")
        seed = None if self._random is None else int(self._random.integers(2**31))
        size = _size_of(first, None if steps else self.batch_size, steps)
        trained = Rows(take_rows(self._parts, slice(first)), size, seed)
        size = _size_of(self.n - first, validation_size, validation_steps)
        return trained, Rows(take_rows(self._parts, slice(first, None)), size)


def rows(
    parts: list[Any],
    size: int | None,
    seed: int | None = None,
    argument: str = "",
    steps: int | None = None,
) -> Rows:
    """Batches of such parts, given as `argument`; where it is empty, as `x`, `y`, `sample_weight`.

    They have `size` rows; without it, there are as many as there are `steps`.

    Raises:
        ArgumentError: They are no arrays with the same number of rows.
    """
    whose, names = (f"`{argument}`", ()) if argument else ("The data", ARGUMENTS)
    try:
        checked, count = check(Parts(*parts), whose=whose, arguments=names)
    except BatchError as error:
        raise ArgumentError(str(error), argument=argument or error.argument) from error
    arrays = [keras.tree.map_structure(_array, part) for part in checked[: len(parts)]]
    return Rows(tuple(arrays), _size_of(count, size, steps), seed)


def _size_of(count: int, size: int | None, steps: int | None) -> int:
    """Rows of a batch, as Keras cuts `count` rows."""
    if size is not None or steps is None:
        return size or DEFAULT_SIZE
    return -(-count // steps)


def _array(leaf: Any) -> Any:
    """A leaf that rows can be taken from, row by row in memory."""
    if leaf is None or isinstance(leaf, Sparse):
        return leaf
    array = np.ascontiguousarray(leaf)
    if array.dtype == object:
        text = f"The data must be arrays that rows can be taken from, not {describe(leaf)}."
        raise ArgumentError(text)
    return as_floatx(array)
