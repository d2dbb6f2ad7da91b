"""What a run of tfruns records of a model, and the TensorBoard callback that it adds."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import keras

from ...models.keras_versions import Keras2, classes, keras_version_of
from ...models.protocol import KerasModel
from ...steps.single_batch import summary

WIDTH = 80  # of the summary's lines, in characters


def described(model: KerasModel) -> dict[str, Any]:
    """The model's summary, and what it was compiled with, as far as that is known."""
    loss = keras_version_of(model).loss
    optimizer = getattr(model, "optimizer", None)
    found = {
        "model": summary(model, WIDTH),
        "loss_function": ", ".join(_name(one) for one in keras.tree.flatten(loss) if one),
        "optimizer": None if optimizer is None else type(optimizer).__name__,
        "learning_rate": None if optimizer is None else learning_rate(optimizer),
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def learning_rate(optimizer: Any) -> float | None:
    """The learning rate as it is now; `None` where it is not a number."""
    rate: Any = getattr(optimizer, "learning_rate", None)
    with suppress(TypeError, ValueError):
        if isinstance(rate, classes("optimizers.schedules.LearningRateSchedule")):
            rate = rate(optimizer.iterations)
        return float(rate)
    return None


def board(model: KerasModel, callbacks: list[Any], folder: str) -> Any:
    """TensorBoard's callback that writes to a folder; `None` if one is given, or none can be made.

    It is that of the model's Keras, and needs TensorFlow, which other backends do without.
    """
    boards = classes("callbacks.TensorBoard")
    if any(isinstance(callback, boards) for callback in callbacks):
        return None
    old = isinstance(keras_version_of(model), Keras2)
    with suppress(ImportError):
        return boards[-1 if old else 0](folder)
    return None


def _name(loss: Any) -> str:
    if isinstance(loss, str):
        return loss
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", type(loss).__name__))
