"""Batches of arrays in memory: shuffled, cut, balanced by class."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ..arguments import choice, whole
from ..batches.arrays import Sparse, as_floatx
from ..batches.row_batches import Columns, take_rows
from ..batches.structure import Parts, check
from ..errors import ArgumentError, BatchError
from ..messages import Message
from ..models.protocol import Array
from ..sources.seeded_source import Passes, Rows
from .class_balance import balanced_order, classes_of

ARGUMENTS = ("x", "y", "sample_weight")


class DataFlow(Passes):
    """Batches of rows of arrays; made by `flow_from_data` and `flow_from_frame`.

    Attributes:
        n: Number of rows of the data.
        batch_size: Number of rows of a batch.
    """

    def __init__(
        self,
        parts: Columns,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
        last_batch: str,
        balance: Any,
    ) -> None:
        super().__init__(shuffle, seed)
        self._parts, self.n = _checked(parts)
        self.batch_size = whole(batch_size, "batch_size", 1)
        self._last = choice(last_batch, "last_batch", ("keep", "drop", "fill"))
        self._classes = classes_of(balance, self._parts, self.n)
        if len(self) == 0:
            rule = (
                f'must be at most the number of rows, {self.n}, where `last_batch` is "drop", not'
            )
            raise ArgumentError.of(
                "batch_size", f"{rule} {self.batch_size}: no batch would be left."
            )

    def __len__(self) -> int:
        """Batches of one pass."""
        rounded = 0 if self._last == "drop" else self.batch_size - 1
        return (self.n + rounded) // self.batch_size

    def batch(self, epoch: int, index: int) -> Columns:
        """Inputs, targets and sample weights, as far as they were given."""
        taken = take_rows(self._parts, self.rows(epoch, index))
        return tuple(keras.tree.map_structure(_dense, part) for part in taken)

    def rows(self, epoch: int, index: int) -> Rows:
        """The rows of the data, from 0, that make up a batch."""
        order = self.order(epoch)
        rows = order[index * self.batch_size : (index + 1) * self.batch_size]
        if self._last == "fill" and len(rows) < self.batch_size:
            rows = np.concatenate([rows, np.resize(order, self.batch_size - len(rows))])
        return rows

    def make_order(self, epoch: int) -> Rows:
        """All rows, or as many rows with every class equally often."""
        if self._classes is None:
            return self.permutation(epoch, self.n)
        return balanced_order(self._classes, self.random(epoch) if self.shuffle else None)


def flow_from_data(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int | None = None,
    last_batch: str = "keep",
    balance: Any = False,
) -> DataFlow:
    """Make batches of arrays, in a new order in each epoch.

    The order follows from `seed` and the number of the epoch, so a training that a `Checkpoint` or
    `initial_epoch` resumes continues with the batches that it would have got. Any other training
    goes on after the passes that earlier trainings have read of this flow. The flow has a
    length: `steps_per_epoch` can be omitted. Several threads may read it (`workers`), and so may
    training and validation at once. Predicting from a shuffled flow warns.

    Args:
        x: Inputs: an array of shape (rows, ...), a sparse matrix of SciPy, whose rows become dense
            batch by batch, a pandas data frame of one type, or a list or dict of these if the model
            has several inputs. Floats become `keras.config.floatx()`, batch by batch.
        y: Targets, likewise; `None` for none, as for predictions.
        sample_weight: Weights of the rows: an array, or one for each output.
        batch_size: Number of rows of a batch.
        shuffle: Whether the rows come in a new order in each epoch; `False` keeps their order.
        seed: A whole number from 0; `None` draws one from NumPy's global random numbers, which
            `keras.utils.set_random_seed` sets.
        last_batch: If the number of rows is no multiple of `batch_size`, the last batch is smaller
            (`"keep"`), left out (`"drop"`), or filled up with the first rows of the epoch
            (`"fill"`).
        balance: With `True`, an epoch has as many rows as the data, but every class equally often,
            also within each batch (up to one row): rows of rare classes are repeated, and rows of
            frequent classes left out. The classes are those of `y`, which must be one array of
            whole numbers, words or one-hot rows. Or give an array of one label per row here.

    Returns:
        An indexed source of `len()` batches, `(x,)`, `(x, y)` or `(x, y, sample_weight)`, which is
        also a `keras.utils.PyDataset`.

    Raises:
        ArgumentError: The arrays differ in their number of rows, have none, or cannot be cut, or an
            option has an invalid value.

    Example:
        Two inputs, classes of unequal size::

            import numpy as np
            from fitgenerator import flow_from_data

            size, colour = np.random.rand(100, 3), np.random.rand(100, 8)
            kind = np.repeat([0, 1], [90, 10])
            flow = flow_from_data({"size": size, "colour": colour}, kind, balance=True, seed=1)
            inputs, targets = flow[0]
    """
    return DataFlow((x, y, sample_weight), batch_size, shuffle, seed, last_batch, balance)


def _checked(parts: Columns) -> tuple[Columns, int]:
    """Inputs, targets and weights without those that are missing, and their number of rows."""
    if parts[1] is None and parts[2] is not None:
        rule = Message("needs targets: `y` must be given, not {None}.")
        raise ArgumentError.of("sample_weight", rule)
    try:
        checked, rows = check(Parts(*map(_numbers, parts)), whose="The data", arguments=ARGUMENTS)
    except BatchError as error:
        raise ArgumentError(str(error), argument=error.argument) from error
    kept = [part for part in checked if part is not None]
    return tuple(keras.tree.map_structure(_as_numpy, part) for part in kept), rows


def _numbers(part: Any) -> Any:
    """A list of numbers or words, as labels often are, as an array."""
    plain = (bool, int, float, str, np.number)
    if isinstance(part, list) and part and all(isinstance(value, plain) for value in part):
        return np.array(part)
    return part


def _as_numpy(leaf: Any) -> Any:
    kept = leaf is None or isinstance(leaf, (np.ndarray, Sparse))
    return leaf if kept else keras.ops.convert_to_numpy(leaf)


def _dense(leaf: Array | Sparse | None) -> Array | None:
    """Rows as a batch has them, floats as Keras's `fit` casts them."""
    return as_floatx(leaf.dense() if isinstance(leaf, Sparse) else leaf)
