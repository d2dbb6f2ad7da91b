"""What is refused on other backends than TensorFlow, by what is wrong: one stands in for these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import keras
import numpy as np
from fitgenerator.backends.tensorflow.tensors import TensorFlow
from fitgenerator.batches.model_inputs import check_devices

from support.tiny_trainings import linear_model, make_batches, run

BATCHES = make_batches(1)


def undivided() -> None:
    """Train on rows that cannot be divided, as on JAX."""
    why = "keras.distribution cannot divide its 4 rows among 3 devices"
    with mock.patch.object(TensorFlow, "unfit", return_value=why):
        run(linear_model(), BATCHES)


def unlabelled() -> None:
    """Train on a label that is of no class, where no step looks at it, as on JAX."""
    model: Any = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with mock.patch.object(TensorFlow, "checks_labels", False):
        run(model, [(BATCHES[0][0], np.array([0, 1, 2, 1]))])


def of_another_keras() -> None:
    """Train a model of a Keras that was loaded anew."""
    run(type("Model", (), {"__module__": "keras.src.models.model"})(), BATCHES)


BACKENDS: dict[str, Callable[[], object]] = {
    "rows that cannot be divided": undivided,
    "a label that is of no class": unlabelled,
    "a model of another Keras": of_another_keras,
    "a batch on another device": lambda: check_devices(frozenset(["gpu:1"]), frozenset(["gpu:0"])),
}
