"""Batches of every wrong and unusual kind, by hypothesis, and the plain batch each stands for."""

from __future__ import annotations

from collections import OrderedDict, deque, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from support.array_kinds import BAD, FINE, REFUSED, SHAPES, Mine, Pair, both, generator

PLACES = ("first", "middle", "validation", "evaluate", "predict")
ROWS = 4


@dataclass(frozen=True)
class Form:
    """What a model takes: the arrays of its parts, each by a name or a number."""

    name: str
    inputs: Any
    targets: Any
    classes: bool = False  # weighed by class


def _a(*shape: int) -> Any:
    size = int(np.prod(shape))
    return (np.arange(size, dtype="float32").reshape(shape) % 7 - 3) / 4


LABELS = np.array([2, 0, 1, 1])
IDS = np.array([[0, 4], [1, 3], [2, 2], [3, 0]])
FORMS = (
    Form("one input", _a(ROWS, 3), _a(ROWS, 1)),
    Form("two inputs", [_a(ROWS, 3), _a(ROWS, 2) * 2], _a(ROWS, 1)),
    Form("named inputs", {"b": _a(ROWS, 2), "a": _a(ROWS, 3)}, _a(ROWS, 1)),
    Form("two outputs", _a(ROWS, 3), [_a(ROWS, 1), _a(ROWS, 2)]),
    Form("labels", IDS, LABELS),
    Form("classes", IDS, LABELS, classes=True),
)
CLASS_WEIGHT = {0: 1.0, 1: 2.0, 2: 0.5}

InOrder = namedtuple("InOrder", ["x", "y", "sample_weight"])
Turned = namedtuple("Turned", ["y", "x", "sample_weight"])
Other = namedtuple("Other", ["one", "two"])


@dataclass(repr=False)
class Case:
    """One batch.

    Attributes:
        form: What the model takes.
        place: Where the batch comes.
        queue: `max_queue_size`.
        kind: What is unusual about it.
        raw: The batch.
        plain: Its parts as plain arrays, or `REFUSED`.
    """

    form: Form
    place: str
    queue: int
    kind: str
    raw: Any
    plain: Any

    def __repr__(self) -> str:
        return f"{self.form.name}, {self.place}, queue {self.queue}: {self.kind}"


# -- pairs --------------------------------------------------------------------------------------


def pairs(part: Any) -> Any:
    """A part whose arrays are pairs."""
    if isinstance(part, dict):
        return {name: pairs(value) for name, value in part.items()}
    if isinstance(part, list):
        return [pairs(value) for value in part]
    return None if part is None else both(part)


def side(part: Any, which: int) -> Any:
    """The one or the other side of nested pairs; `REFUSED` where anything in it is."""
    if isinstance(part, tuple):
        return part[which]
    if part is None:
        return None
    values = part.values() if isinstance(part, dict) else part
    chosen = [side(value, which) for value in values]
    if any(value is REFUSED for value in chosen):
        return REFUSED
    return dict(zip(part, chosen, strict=True)) if isinstance(part, dict) else chosen


def wrapped(given: Pair, wrap: Callable[[Any], Any]) -> Pair:
    """Both sides in another container."""
    value, plain = given
    return wrap(value), REFUSED if plain is REFUSED else wrap(plain)


# -- what may be done to a part -----------------------------------------------------------------

KINDS: dict[str, Callable[[Any], Pair]] = {**FINE, **SHAPES, **BAD}
WEIGHTS = {
    "weights": np.array([1, 2, 0, 4], "float32"),
    "a column of weights": np.ones((ROWS, 1), "float32"),
    "two columns of weights": np.ones((ROWS, 2), "float32"),
    "negative weights": np.array([-1, 1, -2, 3.0]),
    "whole weights": np.array([1, 0, 3, 1]),
    "weights that are NaN": np.full(ROWS, np.nan),
    "too few weights": np.ones(ROWS - 1),
    "text weights": np.array(["1"] * ROWS),
    "no weights": None,
}
WRAPS: dict[str, Callable[[Any], Any]] = {
    "in a list": lambda p: [p],
    "in a tuple": lambda p: (p,),
    "in two lists": lambda p: [[p]],
    "in a dict": lambda p: {"x": p},
    "in a dict by number": lambda p: {0: p},
    "in a deque": lambda p: deque([p]),
    "in an OrderedDict": lambda p: OrderedDict(a=p),
    "twice": lambda p: [p, p],
    "with None": lambda p: [p, None],
    "with an empty list": lambda p: [p, []],
    "twice, by name": lambda p: {"a": p, "b": p},
    "thrice, by name": lambda p: {"a": p, "b": p, "c": p},
    "in a named tuple": lambda p: Other(p, p),
}
NOTHINGS = {"None": None, "an empty list": [], "an empty tuple": (), "an empty dict": {}}


@st.composite
def changed_leaf(draw: st.DrawFn, part: Any) -> tuple[str, Any]:
    """A part with one array of another kind."""
    kinds = draw(st.sampled_from((FINE, FINE, SHAPES, BAD)))
    kind = draw(st.sampled_from(sorted(kinds)))
    if isinstance(part, (dict, list)):
        key = draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
        copy = part.copy()
        copy[key] = KINDS[kind](part[key][1])
        return f"{kind} at {key!r}", copy
    return kind, KINDS[kind](part[1])


@st.composite
def changed_part(draw: st.DrawFn, part: Any) -> tuple[str, Pair]:
    """What is given for a part, as one pair of both sides."""
    how = draw(st.sampled_from(["leaf"] * 6 + ["wrap", "wrap", "nothing", "other"]))
    if how == "nothing":
        name = draw(st.sampled_from(sorted(NOTHINGS)))
        return name, both(NOTHINGS[name])
    label, part = draw(changed_leaf(part)) if how in ("leaf", "other") else ("", part)
    given = (side(part, 0), side(part, 1))
    if how in ("wrap", "other"):
        name = draw(st.sampled_from(sorted(WRAPS)))
        return f"{label} {name}".strip(), wrapped(given, WRAPS[name])
    return label, given


# -- batches ------------------------------------------------------------------------------------


def _namesake(kind: Any) -> Callable[[list[Any]], Any]:
    return lambda parts: kind(*parts, *[None] * (len(kind._fields) - len(parts)))


# Containers that are read by position as they stand.
CONTAINERS: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "list": list,
    "named tuple": _namesake(InOrder),
}
NO_BATCHES: dict[str, Callable[[list[Any]], Any]] = {
    "fields in another order": _namesake(Turned),
    "a dict": lambda parts: dict(zip("xyw", parts, strict=False)),
    "a generator": lambda parts: (part for part in parts),
    "an iterator": iter,
    "a set": lambda parts: {1, 2},
    "nothing": lambda parts: None,
    "text": lambda parts: "text" * 1000,
    "a number": lambda parts: 7,
    "a deque": deque,
    "empty": lambda parts: (),
    "one part": lambda parts: parts[:1],
    "four parts": lambda parts: [*parts, *parts][:4],
    "five parts": lambda parts: [*parts, *parts, *parts][:5],
    "a list with a length of its own": lambda parts: Mine([*parts, *parts]),
    "a list of lists": lambda parts: [parts],
    "a class": lambda parts: list,
    "a function": lambda parts: generator,
}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A batch with one to two things that are unusual."""
    form = draw(st.sampled_from(FORMS))
    place, queue = draw(st.sampled_from(PLACES)), draw(st.sampled_from((0, 3)))
    given = [both(form.inputs), both(form.targets)]
    kinds = []
    for number, original in enumerate((form.inputs, form.targets)):
        if draw(st.sampled_from([True, False])):
            label, given[number] = draw(changed_part(pairs(original)))
            kinds.append(f"{('inputs', 'targets')[number]}: {label}")
    if draw(st.sampled_from([True, False, False])):
        if draw(st.booleans()):
            name = draw(st.sampled_from(sorted(WEIGHTS)))
            given.append(both(WEIGHTS[name]))
        else:
            name, pair = draw(changed_part(both(WEIGHTS["weights"])))
            given.append(pair)
        kinds.append(f"weights: {name}")
    values, plain = [v for v, _ in given], [p for _, p in given]
    odd = draw(st.sampled_from([False] * 7 + [True]))
    containers = NO_BATCHES if odd else CONTAINERS
    name = draw(st.sampled_from(sorted(containers)))
    raw = containers[name](values)
    kind = "; ".join([*kinds, name])
    if odd and place == "predict" and name == "a list of lists":  # nested inputs, one part
        plain = [REFUSED if any(p is REFUSED for p in plain) else plain]
    elif odd and not (place == "predict" and name == "one part"):
        return Case(form, place, queue, kind, raw, REFUSED)
    return Case(form, place, queue, kind, raw, plain)
