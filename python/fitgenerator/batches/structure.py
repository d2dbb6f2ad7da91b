"""One batch: taken apart into inputs, targets and sample weights, and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from ..errors import BatchError, ErrorContext
from ..messages import LONGEST_NAME, Message, cut, describe, listed, reason
from ..models.keras_versions import Keras3
from ..models.protocol import Nested, Shaped
from .arrays import NoArrayError, RawLeaf, as_array, is_number

RawBatch = Any  # what a generator gave: nothing is known of it before `unpack` and `check`
LARGE = 2**20  # batches of more bytes take longer to prepare than a thread to wake

# What a step takes: inputs and targets; inputs, and perhaps targets; what holds inputs to predict
# from; any structure, which is handed on as it is.
BatchForm = Literal["targets", "no targets", "inputs", "structure"]

FORMS = "(inputs, targets) or (inputs, targets, sample_weights)"
_ALL_FORMS = {
    "targets": FORMS,
    "no targets": f"inputs, (inputs,), {FORMS}",
    "inputs": f"inputs, (inputs,), {FORMS}, where several inputs are a list of their own, "
    "([a, b],), or a dict",
}
_NO_LOSS = "A model compiled without a loss needs no targets"
PART_NAMES = ("inputs", "targets", "sample weights")
# The place that the fields of a named tuple, without a last "s", stand for.
_FIELDS = {"x": 0, "input": 0, "feature": 0, "y": 1, "target": 1, "label": 1, "output": 1}
_FIELDS |= {"w": 2, "weight": 2, "sample_weight": 2}


class Parts(NamedTuple):
    """The parts of a batch; targets and sample weights may be `None`."""

    inputs: Nested
    targets: Nested = None
    weights: Nested = None


def batch_form(keras_version: Keras3, mode: str) -> BatchForm:
    """What a model's step takes in a mode: "train", "test" or "predict"."""
    if keras_version.has_own_step(mode):
        return "structure"
    if mode == "predict":
        return "inputs"
    return "targets" if keras_version.needs_targets else "no targets"


def bytes_of_raw(raw: RawBatch) -> int:
    """The size of a raw batch's arrays, as far as they are seen without taking it apart."""
    if isinstance(raw, (list, tuple, dict)):
        return sum(map(bytes_of_raw, raw.values() if isinstance(raw, dict) else raw))
    return int(getattr(raw, "nbytes", 0))


def unpack(raw: RawBatch, form: BatchForm = "targets", mode: str = "train") -> Parts:
    """The parts of what a generator gave for a step of that mode.

    Raises:
        BatchError: It is not a list or tuple of two or three parts; where targets are not needed:
            neither one to three parts, nor inputs alone.
    """
    if isinstance(raw, (list, tuple)):
        parts = list(raw)
        if (2 if form == "targets" else 1) <= len(parts) <= 3:
            _check_order(raw)
            return Parts(*parts)
    elif form != "targets":
        return Parts(raw)
    way = f"A {mode}_step of the model's own takes any structure."
    if form == "targets":
        way = f"{_NO_LOSS}; a {mode}_step of its own takes any structure."
    raise BatchError(f"A batch must be {_ALL_FORMS[form]}, not {describe(raw)}. {way}")


def _check_order(raw: RawBatch) -> None:
    """A batch is read by position: the fields of a named tuple must not say another order."""
    fields = getattr(raw, "_fields", None)
    if not isinstance(fields, tuple):
        return
    meant = [_FIELDS.get(str(field).lower().removesuffix("s")) for field in fields]
    if any(place not in (None, here) for here, place in enumerate(meant)):
        order = f"the fields of the named tuple are in another order: {listed(fields)}."
        raise BatchError(f"A batch is read by position, {FORMS}; {order}")


def check(
    parts: Parts,
    form: BatchForm | None = None,
    *,
    whose: str = "The batch",
    arguments: tuple[str, ...] = (),
) -> tuple[Parts, int]:
    """`parts` with every leaf an array or a tensor, and their common number of rows.

    Predicting, only the inputs are looked at. Without a `form`, the model is not known: targets may
    be `None`. Messages begin with `whose`; where each part was given as an argument, `arguments`
    are the names of these.

    Raises:
        BatchError: A leaf is not an array of at least one dimension, a part that is needed is
            missing, a part is empty, or the parts differ in their number of rows.
    """
    rows: dict[str, int] = {}
    arrays = []
    for number, part in enumerate(parts[:1] if form == "inputs" else parts):
        argument = arguments[number] if arguments else None
        short = f"`{argument}`" if argument else PART_NAMES[number]
        name = short if argument else f"{whose}'s {short}"
        flat = flat_leaves(part, name, argument)
        if number == 0 and (not flat or any(leaf is None for leaf in flat)):
            raise BatchError(f"{name} are missing: element 1 is empty or None.", argument=argument)
        if number == 1 and not flat and form != "no targets" and (form or part is not None):
            raise _no_targets(name, part, argument)
        leaves = [_as_array(leaf, i, part, name, argument) for i, leaf in enumerate(flat)]
        same = all(leaf is given for leaf, given in zip(leaves, flat, strict=True))
        arrays.append(part if same else keras.tree.pack_sequence_as(part, leaves))
        for index, leaf in enumerate(leaves):
            if leaf is None:
                continue
            shape = tuple(leaf.shape)
            rows.setdefault(f"{short} {shape}", int(shape[0]))
            if 0 in shape[1:] and number > 0:  # the mean of no numbers is NaN
                text = f"{name}{place_of(index, part)} have no values: their shape is {shape}."
                raise BatchError(text, argument=argument)
    if len(set(rows.values())) > 1:
        found = listed((f"{count} in {where}" for where, count in rows.items()), most=6)
        text = f"{whose}'s arrays must all have the same number of rows (samples), not {found}."
        vectors = any(len(leaf.shape) == 1 for leaf in keras.tree.flatten(arrays[0]))
        raise BatchError(text, context=ErrorContext(vector_inputs=vectors))
    count = next(iter(rows.values()))
    if count == 0:
        raise BatchError(f"{whose} is empty: its arrays have 0 rows (samples).")
    return Parts(*arrays), count


def _no_targets(name: str, part: Nested, argument: str | None) -> BatchError:
    which = "None" if part is None else "empty"
    text = f"{name} are missing: element 2 is {which}. {_NO_LOSS}."
    return BatchError(text, argument=argument)


def checked_leaves(structure: Nested) -> list[Shaped | None]:
    """The leaves of a structure that a model's own step takes, each an array, a tensor or `None`.

    Raises:
        BatchError: There is no array, one is none, or the first one has no rows.
    """
    flat = flat_leaves(structure, "The batch")
    leaves = [_as_array(leaf, i, structure, "The batch", None) for i, leaf in enumerate(flat)]
    first = next((leaf for leaf in leaves if leaf is not None), None)
    if first is None:
        raise BatchError(f"A batch must hold an array; there is no array in {describe(structure)}.")
    if int(first.shape[0]) == 0:
        raise BatchError("The batch is empty: its first array has 0 rows (samples).")
    return leaves


def flat_leaves(
    part: Nested, whose: str = "The batch's part", argument: str | None = None
) -> list[Shaped | None]:
    if part is None:
        return []
    if type(part) is np.ndarray:
        return [part]
    try:
        return list(keras.tree.flatten(part))
    except Exception as error:  # lists in lists without an end; containers that fail
        text = f"{whose} cannot be taken apart: {reason(error)}."
        raise BatchError(text, argument=argument) from error


def _as_array(
    leaf: RawLeaf, index: int, part: Nested, whose: str, argument: str | None
) -> Shaped | None:
    if leaf is None:
        return None
    try:
        return as_array(leaf)
    except NoArrayError as error:
        place, rule = place_of(index, part), error.args[0]
        for outer, node in _way(index, part):
            numbers = flat_leaves(node)
            if isinstance(node, (list, tuple)) and all(map(is_number, numbers)):
                what = f"{whose.rpartition(' ')[2].strip('`')}{outer}"
                text = "must be an array of shape (rows, ...), not {found}; give {as array}({what})"
                place, rule = outer, Message(text, found=describe(node), what=what)
                break
        text = Message("{whose}{place} {rule}.", whose=whose, place=place, rule=rule)
        raise BatchError(text, argument=argument) from error


def place_of(index: int, part: Nested) -> str:
    """Where in `part` its leaf with number `index` is: "['a'][0]"; "" where it is all of it."""
    return list(_way(index, part))[-1][0]


def _way(index: int, part: Any) -> Iterator[tuple[str, Nested]]:
    """What holds the leaf with number `index`, from `part` to the leaf itself, and its place."""
    count = len(keras.tree.flatten(part))
    marks = keras.tree.pack_sequence_as(part, [i == index for i in range(count)])
    place = ""
    yield place, part
    while marks is not True:
        items = marks.items() if isinstance(marks, Mapping) else enumerate(marks)
        found = [(key, value) for key, value in items if any(keras.tree.flatten(value))]
        if not found:
            break
        key, marks = found[0]
        place += f"[{key!r}]"
        part = part[key]
        yield cut(place, LONGEST_NAME), part
