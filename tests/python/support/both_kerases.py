"""Models of either Keras, and what each of the two, and the engine, makes of the same batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import pytest
import tf_keras
from fitgenerator import evaluate_generator, predict_generator

from support.tiny_trainings import echo_model, forever, keras_history, make_batches, run

BOTH = pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "tf_keras"])


def ours(model: Any, steps: int = 3) -> Any:
    return run(model, forever(make_batches(3)), steps).history


def theirs(model: Any, steps: int = 3) -> Any:
    return keras_history(model, forever(make_batches(3)), steps_per_epoch=steps)


def dense_model(package: Any, *, compiled: bool = True) -> Any:
    package.utils.set_random_seed(7)
    layers = [package.layers.Dense(4, name="first"), package.layers.Dense(1, name="last")]
    model = package.Sequential([package.layers.Input((3,)), *layers])
    if compiled:
        model.compile(package.optimizers.SGD(0.05), "mse")
    return model


RUNS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "train": (ours, theirs),
    "test": (
        lambda model: evaluate_generator(model, forever(make_batches(3)), 3, return_dict=True),
        lambda model: model.evaluate(
            forever(make_batches(3)), steps=3, verbose=0, return_dict=True
        ),
    ),
    "predict": (
        lambda model: predict_generator(model, forever(make_batches(3)), 3).tolist(),
        lambda model: model.predict(forever(make_batches(3)), steps=3, verbose=0).tolist(),
    ),
}


def echo_of(package: Any) -> Any:
    """An echo model of one of the Kerases."""
    if package is keras:
        return echo_model()
    dense = tf_keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = tf_keras.Sequential([tf_keras.layers.InputLayer((1,)), dense])
    model.compile(tf_keras.optimizers.SGD(0.0), "mae")
    return model


# Classes whose objects are read by index.
INDEXED_KINDS = [keras.utils.PyDataset, tf_keras.utils.Sequence, object]
