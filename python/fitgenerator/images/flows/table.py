"""The columns of a data frame that a flow of image files uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from ...messages import describe, listed
from ...models.protocol import Array

# One name, or several.
Names = str | Sequence[str]


@dataclass(frozen=True)
class Table:
    """A data frame of any package, or a dict of columns, and the names of the columns to use.

    Reading a column raises an `ArgumentTypeError` if there are none, or if its values cannot be
    used, and an `ArgumentError` if there is none of that name.
    """

    frame: Any
    x_col: str
    y_col: Names
    weight_col: str | None

    def column(self, name: Names, argument: str) -> list[Any]:
        """The column that an argument names."""
        frame = self.frame
        names = frame.keys() if hasattr(frame, "keys") else getattr(frame, "columns", None)
        if names is None:
            rule = f"must be a data frame, or a dict of columns, not {describe(frame)}."
            raise ArgumentTypeError.of("dataframe", rule)
        if not isinstance(name, str) or name not in names:
            rule = "must name a column of the data frame, not {name!r}; it has {names}."
            raise ArgumentError.of(argument, rule, name=name, names=listed(names))
        values = frame[name]
        return list(values.to_list() if hasattr(values, "to_list") else values)

    def files(self) -> list[str]:
        """The column of the files' names; a dict must have columns of that length only."""
        names = self.column(self.x_col, "x_col")
        if not all(isinstance(name, str) for name in names):
            rule = "= {col!r} must hold names of files, as text."
            raise ArgumentTypeError.of("x_col", rule, col=self.x_col)
        frame = self.frame
        lengths = {key: len(frame[key]) for key in frame} if isinstance(frame, Mapping) else {}
        if any(length != len(names) for length in lengths.values()):
            raise ArgumentError.of("dataframe", f"must have columns of one length, not {lengths}.")
        return names

    def targets(self, y_col: Names) -> Array:
        """A column of numbers, or of lists of them."""
        values = np.array(self.column(y_col, "y_col"))
        if values.dtype.kind not in "fiub":
            rule = "= {col!r} must hold numbers, or lists of one length, not {dtype} values."
            raise ArgumentTypeError.of("y_col", rule, col=y_col, dtype=values.dtype)
        return values

    def weights(self) -> Array | None:
        """The column of weights, if one is named."""
        if not self.weight_col:
            return None
        weights = np.array(self.column(self.weight_col, "weight_col"))
        if weights.dtype.kind not in "fiu" or weights.ndim != 1:
            rule = "= {col!r} must hold numbers."
            raise ArgumentTypeError.of("weight_col", rule, col=self.weight_col)
        return weights
