"""Columns of a data frame as arrays: numbers as they are, categories as codes or one-hot, words.

A frame is a pandas or polars data frame, a mapping of names to one-dimensional arrays, or any other
object that has `columns` and gives a column by its name. None of these packages is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from ..errors import ArgumentError, ArgumentTypeError
from ..messages import Message, cut, describe, listed
from ..models.protocol import Array

Levels = Mapping[str, Sequence[Any]]


class Frame(Protocol):
    """A data frame, or a mapping: gives a column by its name."""

    def __getitem__(self, name: str, /) -> Any:
        """One column."""


@dataclass(frozen=True)
class Coded:
    """A column of categories: codes from 0, -1 for a missing value, and the codes' levels."""

    codes: Array
    levels: tuple[Any, ...]

    def recoded(self, levels: tuple[Any, ...], name: str) -> Coded:
        """The same values as codes of other levels."""
        if levels == self.levels:
            return self
        values = np.array([*self.levels, None], dtype=object)[self.codes]
        return coded(values, levels, name)


@dataclass(frozen=True)
class Unusable:
    """A column of R of a type that Python lacks; `what` describes it."""

    what: str


def coded(values: Array, levels: tuple[Any, ...], name: str) -> Coded:
    """Values as codes of `levels`.

    Raises:
        ArgumentError: A value is none of the levels.
    """
    places = {level: code for code, level in enumerate(levels)}
    missing = missing_in(values)
    pairs = zip(values.tolist(), missing, strict=True)
    codes = np.array([-1 if m else places.get(v, -2) for v, m in pairs], dtype="int32")
    unknown = sorted({str(v) for v in values[codes == -2]})
    if unknown:
        rule = f"of the column {_quoted(name)} must have all of its values, and lacks"
        raise ArgumentError.of("levels", f"{rule} {listed(unknown)}.")
    return Coded(codes, levels)


def missing_in(values: Array | Coded) -> Array:
    """Which of the values are NaN, None, or a missing value of pandas."""
    if isinstance(values, Coded):
        return values.codes < 0
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind == "M":
        return np.isnat(values)
    if values.dtype.kind != "O":
        return np.zeros(len(values), bool)
    return np.array([v is None or str(v) in ("<NA>", "nan", "NaT") for v in values.tolist()], bool)


def names_of(frame: Frame) -> list[str]:
    """The names of a frame's columns.

    Raises:
        ArgumentTypeError: `frame` is no data frame.
        ArgumentError: Two columns have the same name.
    """
    names = frame.keys() if isinstance(frame, Mapping) else getattr(frame, "columns", None)
    if names is None or isinstance(frame, type):
        rule = f"must be a data frame, or a dict of columns, not {describe(frame)}."
        raise ArgumentTypeError.of("data", rule)
    found = list(map(str, names))
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise ArgumentError.of("data", f"has several columns of one name: {listed(twice)}.")
    return found


def column_of(frame: Frame, name: str) -> Array | Coded:
    """One column, as an array of one dimension or as codes.

    Raises:
        ArgumentTypeError: Its values are neither numbers nor words.
    """
    column = frame[name]
    if isinstance(column, Coded):
        return column
    if isinstance(column, Unusable):
        raise _unusable(name, column.what)
    categories = getattr(column, "cat", None)
    if categories is not None and hasattr(categories, "codes"):  # pandas
        return Coded(np.asarray(categories.codes, "int32"), tuple(categories.categories.tolist()))
    values = _plain(column)
    if values.ndim != 1 or values.dtype.kind not in "buifOUS":
        raise _unusable(name, f"{values.dtype.name} of shape {values.shape}")
    return values


def _unusable(name: str, what: str) -> ArgumentTypeError:
    return ArgumentTypeError(
        f"The column {_quoted(name)} must hold numbers, words or categories, not {what}; make "
        "numbers of it first."
    )


def _plain(column: Any) -> Array:
    values = np.asarray(column)
    if values.dtype.kind != "O":
        return values
    missing = missing_in(values)
    kept = values[~missing]
    if len(kept) and all(isinstance(value, (bool, int, float, np.number)) for value in kept):
        # Numbers: a nullable column of pandas turns into objects if one is missing.
        return np.array([np.nan if m else v for v, m in zip(values, missing, strict=True)])
    return values


def block_of(column: Array | Coded, one_hot: bool) -> Array:
    """A column as an array of shape (rows, 1), or (rows, levels) if it becomes one-hot."""
    if not isinstance(column, Coded):
        return column[:, None] if column.dtype.kind != "O" else column.astype(str)[:, None]
    if one_hot:
        return np.eye(len(column.levels), dtype=keras.config.floatx())[column.codes]
    return column.codes.astype("int32", copy=False)[:, None]


def joined_blocks(blocks: list[Array], names: Sequence[str]) -> Array:
    """Several columns side by side.

    Raises:
        ArgumentError: Some hold words, which cannot share an array with numbers.
    """
    words = [name for name, b in zip(names, blocks, strict=True) if b.dtype.kind in "US"]
    if words and len(words) < len(blocks):
        text = (
            "The columns {columns} hold words and cannot stand in one array with numbers: make "
            "{categories} of them, name them in `one_hot`, or make them an input of their own."
        )
        raise ArgumentError(Message(text, columns=listed(map(_quoted, words))))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)


def _quoted(name: str) -> str:
    return f"`{cut(name, 60)}`"
