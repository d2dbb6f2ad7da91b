"""What the parts of a checkpoint must be, checked before anything is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np

from ..models.protocol import Array

# A class: a value of it; a list: any number of such values; a tuple: these values; a dict: these
# entries at least.
_FORMS: dict[str, Any] = {
    "epoch": int,
    "history": {"epoch": [int], "metrics": dict},
    "parts": [{"name": str, "title": str, "variables": [(str, [int], str)]}],
    "callbacks": [{"who": [str], "state": dict}],
}
# What files of earlier versions do not have.
_LATER: dict[str, Any] = {
    "within": {"steps": int, "order": [str]},
    "metrics": {"name": str, "title": str, "variables": [(str, [int], str)]},
    "streams": dict,
}


def check(note: Mapping[str, Any]) -> None:
    """Check what the JSON entry holds.

    Raises:
        ValueError: Something is missing, or is not what is written there.
    """
    later = {name: form for name, form in _LATER.items() if note.get(name) is not None}
    for name, form in {**_FORMS, **later}.items():
        if not _fits(note.get(name), form):
            raise ValueError(f"its {name!r} is missing, or not what is written there")
    history = note["history"]
    whole = all(isinstance(values, list) for values in history["metrics"].values())
    if not whole or min(history["epoch"], default=0) < 0:
        raise ValueError("its history is not what is written there")
    begun = _check_within(note)
    first = begun and not history["epoch"]  # of all epochs, and not over
    if not first and history["epoch"][-1:] != [note["epoch"] - 1]:
        raise ValueError(f"its epoch is {note['epoch']}, and not that after its history")
    for callback in note["callbacks"]:
        for name, value in callback["state"].items():
            if not (_fits(value, Real) or (name == "best" and _is_metric(value))):
                kept = f"the {name!r} of {' '.join(callback['who'])}"
                raise ValueError(f"{kept} is not what is written there")


def _check_within(note: Mapping[str, Any]) -> bool:
    """Check what is said of an epoch that is not over; whether one has begun."""
    within = note.get("within") or {"steps": 0, "spot": None, "logs": None}
    spot, logs = within.get("spot"), within.get("logs")
    known = spot is None or (_fits(spot, (int, int)) and min(spot) >= 0)
    streams = (note.get("streams") or {}).values()
    if (
        not known
        or within["steps"] < 0
        or not (logs is None or isinstance(logs, dict))
        or not all(_fits(stream, [int]) for stream in streams)
    ):
        raise ValueError("where its epoch stands is not what is written there")
    return bool(within["steps"])


def check_arrays(note: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Check the arrays: they must be those that the JSON entry describes.

    Raises:
        ValueError: An array is missing, or is of another shape or type.
    """
    for name, shape, kind in _described(note):
        array = arrays.get(name)
        if array is None:
            raise ValueError(f"its entry {name} is missing")
        if shape is not None and (list(array.shape) != shape or array.dtype != stored_as(kind)):
            wanted = f"not shape {tuple(shape)} and type {kind}"
            found = f"shape {array.shape} and type {array.dtype}"
            raise ValueError(f"its entry {name} has {found}, {wanted}")


def stored_as(kind: str | np.dtype[Any]) -> np.dtype[Any]:
    """The type in which values are written: whole numbers where NumPy does not know it itself."""
    dtype = np.dtype(kind)
    return dtype if dtype.isbuiltin == 1 else np.dtype(f"u{dtype.itemsize}")


def _described(note: Mapping[str, Any]) -> Iterator[tuple[str, list[int] | None, str]]:
    """Name, shape and type of each array; the weights of callbacks are those of the model."""
    metrics = note.get("metrics")
    for part in [*note["parts"], *([metrics] if metrics else [])]:
        for number, (_, shape, kind) in enumerate(part["variables"]):
            yield f"{part['name']}/{number}", shape, kind
    for place, callback in enumerate(note["callbacks"]):
        for number in range(callback.get("weights", 0)):
            yield f"callbacks/{place}/{number}", None, ""


def _is_metric(value: Any) -> bool:
    """Whether a callback may have it as its best value, as far as it is known: not a mapping."""
    if isinstance(value, list):
        return all(map(_is_metric, value))
    return value is None or isinstance(value, (Real, str))


def _fits(value: Any, form: Any) -> bool:
    if isinstance(form, dict):
        entries = form.items()
        return isinstance(value, dict) and all(_fits(value.get(k), inner) for k, inner in entries)
    if isinstance(form, list):
        return isinstance(value, list) and all(_fits(inner, form[0]) for inner in value)
    if isinstance(form, tuple):
        same = isinstance(value, list) and len(value) == len(form)
        return same and all(map(_fits, value, form))
    return isinstance(value, form) and not isinstance(value, bool)
