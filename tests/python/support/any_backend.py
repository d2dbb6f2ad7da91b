"""A model with layers that have a state and draw random numbers, and comparisons with Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def rich(rate: float = 0.2) -> Any:
    """A model with layers that have a state and draw random numbers."""
    keras.utils.set_random_seed(7)
    layers = [keras.layers.Dense(4, "relu"), keras.layers.Dropout(rate, seed=3)]
    layers += [keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def fit(model: Any, batches: Any, steps: int | None = None, **options: Any) -> Any:
    """The history of Keras's own `fit`."""
    return model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0, **options).history


def values(model: Any) -> list[Any]:
    return [np.asarray(each) for each in model.get_weights()]


def equal(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(values(one), values(other), strict=True))
