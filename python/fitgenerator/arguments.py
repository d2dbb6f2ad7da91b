"""The checking of arguments: what was expected, what came, in the caller's words.

Each function raises an `ArgumentError` where the value cannot be used.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Collection, Mapping
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ArgumentError, ArgumentTypeError
from .messages import describe, reason

Unchecked = Any  # what a caller gave as an argument: nothing is known of it before it is checked


def whole(value: Unchecked, argument: str, least: int, *, kind: str = "whole number") -> int:
    """`value` as an int; 2.0 counts as 2, and so does what differs by an error of rounding.

    `kind` is what is asked for, where fractions are taken as well.
    """
    number = _nearest(value)
    if number is None or not least <= number < 2**63:
        rule = "must be a {kind} of at least {least}, not {value!r}."
        raise ArgumentError.of(argument, rule, kind=kind, least=least, value=value)
    return number


def _nearest(value: Unchecked) -> int | None:
    """The whole number that `value` is, to within 1e-8 of its size."""
    if isinstance(value, (bool, str)):
        return None
    try:
        if int(value) == value:
            return int(value)
        number = round(float(value))
        return number if abs(number - value) <= 1e-8 * abs(value) else None
    except Exception:  # what it raises is the value's business
        return None


def rounded_up(value: Unchecked) -> int | None:
    """The next whole number after a fraction that is more than 1."""
    number = float(value) if isinstance(value, Real) else math.nan
    return math.ceil(number) if _nearest(value) is None and 1 < number < 2**63 else None


def _is_number(value: Unchecked) -> bool:
    return isinstance(value, (int, float, np.number))


def choice(value: Unchecked, argument: str, names: tuple[str, ...]) -> str:
    """`value`, where it is one of `names`."""
    if not isinstance(value, str) or value not in names:
        named = ", ".join(f'"{name}"' for name in names[:-1])
        rule = 'must be {named} or "{last}", not {value!r}.'
        raise ArgumentError.of(argument, rule, named=named, last=names[-1], value=value)
    return value


def flag(value: Unchecked, argument: str) -> bool:
    """`value`, where it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ArgumentError.of(argument, "must be {True} or {False}, not {value!r}.", value=value)
    return bool(value)


def file_path(given: Unchecked, argument: str) -> Path:
    """`given` as the path of a file, where a link leads to."""
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise ArgumentTypeError.of(argument, f"must be the name of a file, not {given!r}.")
    if "://" in str(given):
        raise ArgumentError.of(argument, f"must name a file of this computer, not {given}.")
    try:
        if (path := Path(given).resolve()).is_symlink():  # from Python 3.13 on that is no error
            raise RuntimeError(f"Symlink loop from {str(path)!r}")
        return path
    except (OSError, RuntimeError, ValueError) as error:  # a link that leads to itself, a NUL
        raise ArgumentError.of(argument, f"must name a file: {reason(error)}.") from error


def class_weights(given: Unchecked) -> dict[int, float] | None:
    """`class_weight` as a dict of class to weight; no mapping is an `ArgumentTypeError`."""
    if given is None:
        return None
    if not isinstance(given, Mapping):
        rule = "must map classes (whole numbers from 0) to weights, for example {0: 1.0, 1: 5.0}, "
        raise ArgumentTypeError.of("class_weight", f"{rule}not {describe(given)}.")
    weights: dict[int, float] = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            rule = "must map classes to weights, not outputs to such maps, as with {name!r}; "
            rule += "give sample weights of the outputs in the batch instead."
            raise ArgumentError.of("class_weight", rule, name=name)
        try:
            number, weight = whole(float(name), "class_weight", 0), float(value)
        except Exception:
            rule = "must map whole numbers from 0 to weights; {name!r}: {value!r} does not."
            raise ArgumentError.of("class_weight", rule, name=name, value=value) from None
        if not 0 <= weight < float("inf"):
            rule = f"of class {number} must be at least 0, not {weight}."
            raise ArgumentError.of("class_weight", rule)
        if number in weights:
            raise ArgumentError.of("class_weight", f"names class {number} twice.")
        weights[number] = weight
    return weights


def validation_rule(given: Unchecked) -> Callable[[int], bool]:
    """Whether validation follows the epoch with a given number (from 0), as in Keras's `fit`."""
    if isinstance(given, Collection) and not isinstance(given, (str, bytes, Mapping)):
        epochs = {whole(epoch, "validation_freq", 1) for epoch in given}
        if not epochs:
            rule = f"must be a whole number of at least 1, or several, not {describe(given)}."
            raise ArgumentError.of("validation_freq", rule)
        return lambda epoch: epoch + 1 in epochs
    every = whole(given, "validation_freq", 1)
    return lambda epoch: (epoch + 1) % every == 0


def seconds(value: Unchecked, argument: str) -> float | None:
    """A time in seconds, or `None`."""
    if value is None:
        return None
    if not _is_number(value) or isinstance(value, bool) or not value > 0:
        rule = "must be a number of seconds above 0, not {value!r}."
        raise ArgumentError.of(argument, rule, value=value)
    return float(min(value, 2.0**32))  # more than a century


def verbosity(value: Unchecked) -> int:
    """0, 1 or 2; "auto" is 1."""
    if isinstance(value, str) and value == "auto":
        return 1
    level = _nearest(value) if _is_number(value) and not isinstance(value, bool) else value
    if not _is_number(value) or level not in (0, 1, 2):
        raise ArgumentError.of("verbose", "must be 0, 1 or 2, not {value!r}.", value=value)
    return int(level)


def compilation(value: Unchecked) -> str | bool:
    """`jit_compile`: "auto", True or False."""
    if not isinstance(value, bool) and not (isinstance(value, str) and value == "auto"):
        rule = 'must be "auto", {True} or {False}, not {value!r}.'
        raise ArgumentError.of("jit_compile", rule, value=value)
    return value
