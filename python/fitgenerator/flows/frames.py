"""Batches of a data frame in memory: columns by their names or by a formula."""

from __future__ import annotations

from typing import Any

from .columns import Levels
from .data import DataFlow
from .formula import Layout, Selection


def flow_from_frame(
    data: Any,
    inputs: Selection | None = None,
    targets: Selection | None = None,
    sample_weight: str | None = None,
    batch_size: int = 32,
    shuffle: bool = True,
    seed: int | None = None,
    last_batch: str = "keep",
    balance: Any = False,
    *,
    one_hot: bool | Selection = False,
    levels: Levels | None = None,
) -> DataFlow:
    """Make batches of the rows of a data frame, with columns chosen by name or by a formula.

    Several columns become one array of shape (rows, columns). Numbers stay as they are; categories
    become their codes from 0, or one column per level if named in `one_hot`. Columns of words alone
    become an array of words, for Keras's text layers. Missing values are refused.

    Args:
        data: A pandas or polars data frame, or a dict of columns.
        inputs: A formula, `"y ~ a + b"` or `"y ~ . - id"` (`.` is all other columns); or names of
            columns: one, several for one array, or a list or dict of these if the model has several
            inputs; `None` for all columns that are neither targets nor weights.
        targets: Names of columns, likewise; `None` for none.
        sample_weight: Name of the column of weights.
        batch_size: As in `flow_from_data`, like the next four arguments.
        shuffle: Whether the rows come in a new order in each epoch.
        seed: What the orders follow from.
        last_batch: `"keep"`, `"drop"` or `"fill"`.
        balance: Whether every class comes equally often.
        one_hot: Columns of categories or words that become one column per level: `True` for all,
            or names.
        levels: Column name to the column's values, in the order of their codes. By default the
            levels of the categorical type, or the sorted words.

    Returns:
        An indexed source, like that of `flow_from_data`.

    Raises:
        ArgumentError: A column does not exist, has missing values, or holds values that are no
            input.
        ArgumentTypeError: `data` is no data frame.

    Example:
        A regression on two columns, one of them categories::

            from fitgenerator import flow_from_frame

            data = {"size": [1.0, 2.0, 3.0], "kind": ["a", "b", "a"], "price": [3.0, 5.0, 7.0]}
            flow = flow_from_frame(data, "price ~ size + kind", one_hot=["kind"], batch_size=2)
            inputs, targets = flow[0]  # of shapes (2, 3) and (2, 1)
    """
    layout = Layout(inputs, targets, sample_weight, one_hot, levels, whole=True)
    return DataFlow(layout.arrays(data), batch_size, shuffle, seed, last_batch, balance)
