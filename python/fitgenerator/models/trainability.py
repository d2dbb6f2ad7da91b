"""What of a model is trainable: as it was at the first step, whatever was changed since."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Freezable = Any  # a layer, or a variable: what has an attribute `trainable`


@dataclass
class _Flag:
    thing: Freezable  # held, so that its id remains its own
    first: bool  # before the first step; of what that step made: after it
    left: bool  # as the first step left it: a step may freeze layers itself


class Trainability:
    """What was trainable at one time: things, and whether each was."""

    def __init__(self, flags: Iterable[tuple[Freezable, bool]]) -> None:
        self._flags = {id(thing): _Flag(thing, flag, flag) for thing, flag in flags}

    @classmethod
    def now(cls, things: Iterable[Freezable]) -> Trainability:
        """What is trainable now."""
        return cls((thing, bool(thing.trainable)) for thing in things)

    def complete(self, things: Iterable[Freezable]) -> None:
        """Note what the first step has made, and what it has frozen or thawed."""
        for thing in things:
            flag = bool(thing.trainable)
            self._flags.setdefault(id(thing), _Flag(thing, flag, flag)).left = flag

    def changed(self) -> list[str]:
        """The names of the layers that were frozen or thawed since, or else of the variables."""
        changed = [
            flag.thing
            for flag in self._flags.values()
            if bool(flag.thing.trainable) not in (flag.first, flag.left)
        ]
        layers = [thing.name for thing in changed if hasattr(thing, "_flatten_layers")]
        return layers or [thing.path for thing in changed]

    @contextmanager
    def held(self, things: Sequence[Freezable]) -> Iterator[None]:
        """Context manager: all is as it was; of what came later, nothing is trainable.

        A layer sets the layers and the variables in it: it comes before these in `things`.
        """
        now = [bool(thing.trainable) for thing in things]
        known = [self._flags.get(id(thing)) for thing in things]
        _set(things, [flag is not None and flag.first for flag in known])
        try:
            yield
        finally:
            _set(things, now)


def _set(things: Sequence[Freezable], flags: Sequence[bool]) -> None:
    for thing, flag in zip(things, flags, strict=True):
        if bool(thing.trainable) != flag:
            thing.trainable = flag


def when_keras_traced(
    model: Any, function: Any, things: Iterable[Freezable]
) -> Trainability | None:
    """What was trainable when Keras 3 traced `function`, of its own step; `None` if it has not.

    Keras keeps no record of it. The optimizer knows the variables that it was first used with, and
    a model of newer Kerases what was trainable in `compile`: what was frozen once was frozen.
    """
    compiled = getattr(model, "_compiled_trainable_state", {})
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    known = {id(v) for v in getattr(optimizer, "_trainable_variables", None) or ()}
    if not known or not _is_traced(function):
        return None

    flags = {id(layer): bool(flag) for layer, flag in compiled.items()}

    def was_trainable(thing: Freezable) -> bool:
        if not hasattr(thing, "_flatten_layers"):  # a variable
            return id(thing) in known
        variables = [v for layer in thing._flatten_layers() for v in layer._trainable_variables]
        flag = flags.get(id(thing), bool(variables or thing.trainable))
        return flag and (not variables or any(id(v) in known for v in variables))

    return Trainability((thing, was_trainable(thing)) for thing in things)


def _is_traced(function: Any) -> bool:
    """Whether one of the functions of TensorFlow that a function of Keras's calls was traced."""
    cells = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    inner = [*cells, *(getattr(cell, "__wrapped__", None) for cell in cells)]
    counts = [getattr(cell, "experimental_get_tracing_count", None) for cell in inner]
    return any(count() > 0 for count in counts if count is not None)
