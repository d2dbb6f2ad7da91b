"""Labels are numbers of classes, where a loss takes such and the model tells how many there are.

TensorFlow's steps look at them themselves. JAX takes a label of no class for none at all: its row
has a loss of 0, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from ..errors import BatchError
from ..models.keras_versions import Keras3, classes
from ..models.protocol import Nested, Shaped
from .output_weights import output_names

_NAME = "sparse_categorical_crossentropy"


class _Rule(NamedTuple):
    name: str | None  # of the output; `None` where it is the only one
    place: int  # of the output among all
    classes: int  # how many there are
    ignored: int | None  # a label that stands for no class


class _Settings(NamedTuple):
    axis: int  # of the classes
    ignored: int | None = None


class ClassLabels:
    """The labels that a model's losses take, as far as its outputs are known."""

    def __init__(self, keras_version: Keras3, outputs: list[Shaped]) -> None:
        self._rules: list[_Rule] = []
        if keras_version.backend.checks_labels:
            return
        names = output_names(keras_version) if len(outputs) > 1 else [None]
        if len(names) == len(outputs):
            self._count = len(outputs)
            for place, (name, output) in enumerate(zip(names, outputs, strict=True)):
                settings = _settings(_loss_of(keras_version.loss, name, place))
                many = output.shape[settings.axis] if settings else None
                if settings and many is not None and many > 1:
                    self._rules.append(_Rule(name, place, many, settings.ignored))

    def __bool__(self) -> bool:
        return bool(self._rules)

    def check(self, targets: Nested) -> None:
        """Look at a batch's targets.

        Raises:
            BatchError: A label is of no class.
        """
        for rule in self._rules:
            labels, place = self._of(targets, rule)
            if labels is None or getattr(labels.dtype, "kind", "") not in ("i", "u", "f"):
                continue
            found = np.asarray(labels)
            if rule.ignored is not None:
                found = found[found != rule.ignored]
            # In this order, NaN is no label; whole numbers are cut off the others, as by Keras.
            if found.size and not (found.min() > -1 and found.max() < rule.classes):
                wrong = found[~((found > -1) & (found < rule.classes))][0]
                text = f"The batch's targets{place} must be numbers of classes, from 0 to "
                why = f"{rule.classes - 1} as the model has {rule.classes} outputs, not {wrong:g}"
                raise BatchError(f"{text}{why}.")

    def _of(self, targets: Nested, rule: _Rule) -> tuple[Any, str]:
        """The labels for an output, and where they are in the targets."""
        if isinstance(targets, Mapping):
            return targets.get(str(rule.name)), f"[{rule.name!r}]"
        flat = keras.tree.flatten(targets)
        if len(flat) != self._count:
            return None, ""
        return flat[rule.place], f"[{rule.place}]" if self._count > 1 else ""


def _loss_of(losses: Any, name: str | None, place: int) -> Any:
    """What was given to `compile` as the loss of an output."""
    if isinstance(losses, Mapping):
        return losses.get(name) if name is not None else next(iter(losses.values()), None)
    if isinstance(losses, (list, tuple)):
        return losses[place] if place < len(losses) else None
    return losses


def _settings(loss: Any) -> _Settings | None:
    """Those of a loss that takes labels; `None` of others."""
    if isinstance(loss, classes("losses.SparseCategoricalCrossentropy")):
        given = getattr(loss, "_fn_kwargs", {})
        return _Settings(given.get("axis", -1), given.get("ignore_class"))
    named = loss == _NAME if isinstance(loss, str) else getattr(loss, "__name__", "") == _NAME
    return _Settings(-1) if named else None
