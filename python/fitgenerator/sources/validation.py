"""What may be given as validation data: what a generator may be, and fixed arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras

from ..arguments import Unchecked
from ..batches.arrays import as_floatx
from ..batches.model_inputs import Expected
from ..batches.row_batches import RowBatches
from ..batches.structure import FORMS, Parts, batch_form, check, unpack
from ..errors import ArgumentError, BatchError
from ..messages import describe, reason
from ..models.keras_versions import keras_version_of
from ..models.protocol import KerasModel
from .readers import indexed
from .recognition import as_source
from .source import Source

NAME = "validation_data"


def as_validation(given: Unchecked, model: KerasModel) -> Source:
    """The `Source` that `given` stands for.

    Arrays are inputs and targets, perhaps weights; inputs alone where the model needs no targets.
    A tuple of two or three tuples is one of inputs and targets, as in Keras's `fit`, unless these
    do not fit the model and batches do. A list of tuples is a list of batches.

    Raises:
        ArgumentTypeError: It is nothing that batches can be read from.
        ArgumentError: Arrays of the wrong number of parts, or that cannot be cut into batches.
    """
    if not isinstance(given, (list, tuple)):
        return as_source(given, NAME)
    if not given or not all(isinstance(element, tuple) for element in given):
        return fixed_arrays(given, 2 if _needs_targets(model) else 1)
    if isinstance(given, list) or len(given) not in (2, 3):
        return as_source(given, NAME)
    expected = Expected(model)
    try:
        expected.check(check(Parts(*given), "no targets", whose=f"`{NAME}`")[0])
    except BatchError as error:
        if all(_is_batch(element, expected) for element in given):
            return as_source(given, NAME)
        rule = f"must be {FORMS} for this model, or batches of that form: {reason(error)}."
        raise ArgumentError.of(NAME, rule) from error
    return fixed_arrays(given)


def _is_batch(given: Any, expected: Expected) -> bool:
    try:
        expected.check(check(unpack(given))[0])
    except BatchError:
        return False
    return True


def _needs_targets(model: KerasModel) -> bool:
    return batch_form(keras_version_of(model), "test") == "targets"


def fixed_arrays(given: Sequence[Any], least: int = 1) -> Source:
    """Inputs, perhaps targets and weights, at least so many parts, cut into batches of rows."""
    if not least <= len(given) <= 3:
        raise ArgumentError.of(NAME, f"as fixed arrays must be {FORMS}, not {describe(given)}.")
    try:
        parts, rows = check(Parts(*given), "no targets", whose=f"`{NAME}`")
        arrays = [keras.tree.map_structure(as_floatx, part) for part in parts[: len(given)]]
        batches = RowBatches(tuple(arrays), rows)
        batches[0]  # rows can be taken
    except BatchError as error:
        raise ArgumentError(str(error), argument=NAME) from error
    except Exception as error:  # an array of which no rows can be taken
        rule = "as fixed arrays must hold arrays that rows can be taken from, not"
        raise ArgumentError.of(NAME, f"{rule} {describe(given)}: {reason(error)}.") from error
    return replace(indexed(batches, lambda: len(batches)), fixed=True)
