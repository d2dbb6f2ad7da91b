"""Class balance: the classes of rows, and orders that have every class equally often."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ..batches.arrays import NoArrayError, as_array
from ..batches.row_batches import Columns
from ..errors import ArgumentError
from ..messages import describe
from ..models.protocol import Array
from ..sources.seeded_source import Rows

Classes = list[Rows]  # the rows of each class


def classes_of(balance: Any, parts: Columns, rows: int) -> Classes | None:
    """The rows of each class, if classes are to be balanced.

    `balance` is `True`, `False`, or an array of one label per row; `rows` is the number of rows.

    Raises:
        ArgumentError: There are no labels, or `balance` is none of these.
    """
    if isinstance(balance, (bool, np.bool_)):
        if not balance:
            return None
        labels = _targets(parts)
    else:
        try:
            labels = np.asarray(as_array(balance))
        except NoArrayError as error:
            rule = "must be {True}, {False} or an array of a label for each row, not {what}."
            raise ArgumentError.of("balance", rule, what=describe(balance)) from error
        if len(labels) != rows:
            rule = f"must have a label for each of the {rows} rows, not {len(labels)}."
            raise ArgumentError.of("balance", rule)
    _, codes = np.unique(_one_per_row(labels), return_inverse=True)
    return [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]


def _targets(parts: Columns) -> Array:
    leaves = keras.tree.flatten(parts[1]) if len(parts) > 1 else []
    if len(leaves) != 1 or not isinstance(leaves[0], np.ndarray):
        rule = f"needs one array of targets, not {len(leaves) or 'none'}"
        advice = "give an array of a label for each row as `balance` instead."
        raise ArgumentError.of("balance", f"{rule}; {advice}")
    return leaves[0]


def _one_per_row(labels: Array) -> Array:
    """One label per row, from labels or from one-hot rows."""
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = np.argmax(labels, axis=1)
    fine = labels.size == len(labels)
    if fine and labels.dtype.kind == "f":
        fine = bool((np.round(labels) == labels).all())  # NaN equals nothing
    if fine:
        return labels.reshape(len(labels))
    rule = "needs classes: an array of a whole number or a word for each row, or of one-hot rows"
    raise ArgumentError.of("balance", f"{rule}, not {describe(labels)} with other values.")


def balanced_order(classes: Classes, random: np.random.Generator | None) -> Rows:
    """An order of as many rows as there are; each run of as many rows as classes has every class.

    Rows of rare classes are repeated, and some rows of frequent classes left out: `random` decides
    which, and their order. Without `random`, the rows of each class keep their order.
    """
    total = sum(map(len, classes))
    turns = -(-total // len(classes))
    table = np.stack([_repeated(rows, turns, random) for rows in classes], axis=1)
    if random is not None:
        table = random.permuted(table, axis=1)
    order: Rows = table.reshape(-1)[:total]
    return order


def _repeated(rows: Rows, count: int, random: np.random.Generator | None) -> Rows:
    """`count` of the rows: none is repeated before all have come."""
    passes = -(-count // len(rows))
    if random is None:
        return np.tile(rows, passes)[:count]
    return np.concatenate([random.permutation(rows) for _ in range(passes)])[:count]
