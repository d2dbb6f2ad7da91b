"""Which columns of a data frame are inputs, targets and weights of its rows; formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..batches.row_batches import Columns
from ..errors import ArgumentError, ArgumentTypeError
from ..messages import Message, describe, listed
from ..models.protocol import Array
from .columns import (
    Coded,
    Frame,
    Levels,
    block_of,
    coded,
    column_of,
    joined_blocks,
    missing_in,
    names_of,
)

# Names of columns: a formula or one name, several for one array, or a list or dict of these.
Selection = str | Sequence[str | Sequence[str]] | Mapping[str, str | Sequence[str]]
# The same as lists of names: of one array, or of each of several.
Spec = list[str] | list[list[str]] | dict[str, list[str]]

_TERM = re.compile(r"\s*([+-]?)\s*(?:`([^`]+)`|([A-Za-z_.][\w.]*))\s*")


class Layout:
    """Makes inputs, targets and weights of frames that have the same columns.

    The arguments are those of `flow_from_frame`. The first frame decides what they leave open: all
    other columns, the levels of categories, and, if it is the only one (`whole`), those of words.
    """

    def __init__(
        self,
        inputs: Selection | None,
        targets: Selection | None,
        sample_weight: str | None,
        one_hot: bool | Selection,
        levels: Levels | None,
        *,
        whole: bool,
    ) -> None:
        self._given = (inputs, targets, one_hot)
        self._inputs: Spec = []
        self._targets: Spec | None = None
        self._weights = [] if sample_weight is None else [sample_weight]
        self._one_hot: list[str] = []
        self._levels = {name: tuple(values) for name, values in (levels or {}).items()}
        self._whole = whole
        self._resolved = False

    def arrays(self, frame: Frame) -> Columns:
        """Inputs, targets and weights of a frame; the latter two are `None` if there are none.

        Raises:
            ArgumentError: A column is missing, has missing values, or cannot be used this way.
        """
        names = names_of(frame)
        if not self._resolved:
            self._resolve(names)
        used = dict.fromkeys(_flat(self._inputs) + _flat(self._targets) + self._weights)
        _all_known(used, names, "data")
        columns = {name: self._column(frame, name) for name in used}
        _none_missing(columns)
        inputs, targets = (self._part(spec, columns) for spec in (self._inputs, self._targets))
        return inputs, targets, columns[self._weights[0]] if self._weights else None

    # -- names ----------------------------------------------------------------------------------

    def _resolve(self, names: list[str]) -> None:
        inputs, targets, one_hot = self._given
        if isinstance(inputs, str) and "~" in inputs:
            if targets is not None:
                rule = Message("must be {None} where `inputs` is a formula.")
                raise ArgumentError.of("targets", rule)
            inputs, targets = _formula(inputs, names, self._weights)
        self._targets = None if targets is None else _spec(targets, "targets")
        if inputs is None:
            taken = {*_flat(self._targets), *self._weights}
            inputs = [name for name in names if name not in taken]
        self._inputs = _spec(inputs, "inputs")
        for argument, spec in (("inputs", self._inputs), ("targets", self._targets)):
            _all_known(_flat(spec), names, argument)
        _all_known(self._weights, names, "sample_weight")
        _all_known(self._levels, names, "levels")
        if isinstance(one_hot, bool):
            self._one_hot = names if one_hot else []
        else:
            self._one_hot = _flat(_spec(one_hot, "one_hot"))
            _all_known(self._one_hot, names, "one_hot")
        self._resolved = True

    # -- values ---------------------------------------------------------------------------------

    def _column(self, frame: Frame, name: str) -> Array | Coded:
        column = column_of(frame, name)
        if isinstance(column, Coded):
            return column.recoded(self._levels.setdefault(name, column.levels), name)
        if name not in self._levels and column.dtype.kind in "OUS" and name in self._one_hot:
            if not self._whole:
                rule = f"must have the values of the column `{name}`, which comes in parts"
                raise ArgumentError.of("levels", f"{rule} and is to be one-hot.")
            self._levels[name] = tuple(sorted(set(column[~missing_in(column)].tolist())))
        levels = self._levels.get(name)
        return column if levels is None else coded(column, levels, name)

    def _part(self, spec: Spec | None, columns: Mapping[str, Array | Coded]) -> Any:
        """One array, a list or a dict of them, as the names in `spec` are."""
        if spec is None:
            return None

        def matrix(names: Sequence[str]) -> Array:
            blocks = [block_of(columns[name], name in self._one_hot) for name in names]
            return joined_blocks(blocks, names)

        if isinstance(spec, dict):
            return {name: matrix(part) for name, part in spec.items()}
        several = [part for part in spec if isinstance(part, list)]
        return [matrix(part) for part in several] if several else matrix(_flat(spec))


def _formula(text: str, names: list[str], weights: list[str]) -> tuple[list[str], list[str] | None]:
    """Inputs and targets of a formula such as "y ~ a + b" or "y ~ . - a"."""
    left, _, right = text.partition("~")
    targets = _terms(left, [], text) if left.strip() else None
    others = [name for name in names if name not in (*(targets or []), *weights)]
    return _terms(right, others, text), targets


def _terms(side: str, others: list[str], text: str) -> list[str]:
    terms: dict[str, None] = {}
    at = 0
    while at < len(side):
        match = _TERM.match(side, at)
        if match is None or (at > 0 and not match[1]):
            break
        named = match[2] or match[3]
        for name in others if match[3] == "." else [named]:
            if match[1] == "-":
                terms.pop(name, None)
            else:
                terms[name] = None
        at = match.end()
    if at < len(side) or not terms:
        raise ArgumentError.of(
            "inputs",
            "as a formula must have names of columns, `.`, + and -, as in "
            f'"y ~ a + b" or "y ~ . - a", not "{text.strip()}".',
        )
    return list(terms)


def _spec(given: Selection, argument: str) -> Spec:
    """Names as a list of names for each array."""
    if isinstance(given, Mapping) and given:
        return {name: _names(part, argument) for name, part in given.items()}
    if isinstance(given, Sequence) and given and not all(isinstance(n, str) for n in given):
        return [_names(part, argument) for part in given]
    return _names(given, argument)


def _names(given: Any, argument: str) -> list[str]:
    if isinstance(given, str):
        return [given]
    fine = isinstance(given, Sequence) and given and all(isinstance(name, str) for name in given)
    if not fine:
        rule = "must name columns: one, several, or a list or dict of these"
        raise ArgumentTypeError.of(argument, f"{rule}, not {describe(given)}.")
    return list(given)


def _flat(spec: Spec | None) -> list[str]:
    parts = spec.values() if isinstance(spec, dict) else spec or []
    return [name for part in parts for name in ([part] if isinstance(part, str) else part)]


def _all_known(wanted: Iterable[str], names: list[str], argument: str) -> None:
    unknown = [name for name in wanted if name not in names]
    if unknown:
        lacking, there = listed(unknown), listed(names) or "none"
        rule = f"must name columns of the data, not {lacking}; it has {there}."
        if argument == "data":
            rule = f"must have the columns {lacking} too; it has {there}."
        raise ArgumentError.of(argument, rule)


def _none_missing(columns: Mapping[str, Array | Coded]) -> None:
    counts = {name: int(np.sum(missing_in(column))) for name, column in columns.items()}
    found = [f"{count} in `{name}`" for name, count in counts.items() if count]
    if found:
        rule = f"must not have missing values, and has {listed(found)}"
        raise ArgumentError.of("data", f"{rule}; leave these rows out, or fill the values in.")
