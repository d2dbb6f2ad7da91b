"""Batches of a data frame: columns by their names or by a formula; all there, or in parts."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from .columns import Levels
from .data import DataFlow
from .formula import Layout


def flow_from_frame(
    data: Any,
    inputs: Any = None,
    targets: Any = None,
    sample_weight: str | None = None,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int | None = None,
    last_batch: str = "keep",
    balance: Any = False,
    *,
    one_hot: Any = False,
    levels: Levels | None = None,
) -> DataFlow:
    """Batches of the rows of a data frame, columns chosen by name or by a formula.

    Several columns become one array of shape (rows, columns): numbers as they are, categories as
    their codes from 0, or as one column per level where `one_hot` says so. Columns of words alone
    become an array of words, for Keras's text layers. Missing values are refused.

    Args:
        data: A pandas or polars data frame, or a dict of columns.
        inputs: A formula, `"y ~ a + b"` or `"y ~ . - id"` (`.` is all other columns); or names of
            columns: one, several for one array, or a list or dict of these where the model has
            several inputs; `None`: all that are not targets or weights.
        targets: Names of columns, likewise; `None` for none.
        sample_weight: Name of the column of weights.
        batch_size: As in `flow_from_data`, and so are the next four.
        shuffle: Whether the rows come in a new order in each epoch.
        seed: What the orders follow from.
        last_batch: `"keep"`, `"drop"` or `"fill"`.
        balance: Every class as often.
        one_hot: Columns of categories or words that become one column per level: `True` for all,
            or names.
        levels: For columns by name, their values in the order of their codes. Without, those of the
            categorical type, or of words the sorted values.

    Returns:
        An indexed source, as `flow_from_data` gives it.

    Raises:
        ArgumentError: A column is not there, has missing values, or holds what is no input.
        ArgumentTypeError: `data` is no data frame.

    Example:
        A regression on two columns, one of them categories::

            from fitgenerator import flow_from_frame

            data = {"size": [1.0, 2.0, 3.0], "kind": ["a", "b", "a"], "price": [3.0, 5.0, 7.0]}
            flow = flow_from_frame(data, "price ~ size + kind", one_hot=["kind"], batch_size=2)
            inputs, targets = flow[0]  # of shapes (2, 3) and (2, 1)
    """
    layout = Layout(inputs, targets, sample_weight, one_hot, levels, whole=True)
    parts = layout.arrays(data)
    return DataFlow(parts, batch_size, shuffle, seed, last_batch, balance)


def as_floatx(array: Any) -> Any:
    if np.issubdtype(array.dtype, np.floating):
        return array.astype(keras.config.floatx(), copy=False)
    return array
