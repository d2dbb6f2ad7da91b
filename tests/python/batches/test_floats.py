"""The types in which steps get floats, by kind of source: those of each Keras's `fit` (T20)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from fitgenerator import evaluate_generator, predict_generator
from support.both_kerases import BOTH
from support.tiny_trainings import Indexed, forever, keras_history, run, same_weights, weights_of

TYPES = ("float64", "float32", "float16", "int64")
BATCH = tuple(np.linspace(0, 3, 8).reshape(4, 2).astype(dtype) for dtype in TYPES[:3])
WHOLE = (np.arange(8).reshape(4, 2), np.ones((4, 1)))


class Sequence(tf_keras.utils.Sequence):  # type: ignore[misc]
    """A source of Keras 2."""

    def __init__(self, batches: list[Any]) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        return self.batches[index]


SOURCES: dict[str, Callable[[Any, Any], Any]] = {
    "generator": lambda package, batch: forever([batch]),
    "indexed": lambda package, batch: (Indexed if package is keras else Sequence)([batch] * 2),
    "dataset": lambda package, batch: tf.data.Dataset.from_tensors(batch).repeat(2),
    "tensors": lambda package, batch: forever([tuple(map(tf.constant, batch))]),
}


def types_seen(package: Any) -> tuple[Any, list[tuple[str, ...]]]:
    """A model with steps of its own, and the types that these have seen."""
    seen: list[tuple[str, ...]] = []

    class Own(package.Model):  # type: ignore[misc]
        built = True

        def train_step(self, data: Any) -> Any:
            seen.append(tuple(part.dtype.name for part in data))
            return {"loss": tf.constant(0.0)}

        test_step = train_step

        def predict_step(self, data: Any) -> Any:
            seen.append(tuple(part.dtype.name for part in data))
            return data[1]

    model = Own()
    model.compile("sgd")
    return model, seen


@BOTH
@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("batch", [BATCH, WHOLE], ids=["floats", "whole numbers"])
def test_T20_own_steps_see_the_types_that_Keras_hands_on(
    package: Any, kind: str, batch: Any
) -> None:
    source = lambda: SOURCES[kind](package, batch)  # noqa: E731
    model, seen = types_seen(package)
    keras_history(model, source(), steps_per_epoch=1)
    model.evaluate(source(), steps=1, verbose=0)
    model.predict(source(), steps=1, verbose=0)
    theirs = list(dict.fromkeys(seen))
    model, seen = types_seen(package)
    run(model, source(), 1)
    evaluate_generator(model, source(), 1)
    predict_generator(model, source(), 1)
    assert list(dict.fromkeys(seen)) == theirs


@BOTH
def test_T20_validation_on_fixed_arrays_too(package: Any) -> None:
    model, seen = types_seen(package)
    model.fit(*BATCH[:2], verbose=0, validation_data=BATCH)
    theirs = seen[-1]
    model, seen = types_seen(package)
    run(model, forever([BATCH]), 1, 1, None, BATCH)
    assert seen[-1] == theirs


def test_T20_the_steps_of_Keras_2_get_its_own_floatx() -> None:
    def trained(train: Callable[..., object]) -> Any:
        model = tf_keras.Sequential([tf_keras.layers.Input((2,)), tf_keras.layers.Dense(1)])
        model.set_weights([np.ones((2, 1)), np.zeros(1)])
        seen: list[str] = []

        def loss(targets: Any, outputs: Any) -> Any:
            seen.append(targets.dtype.name)
            return tf.reduce_mean((targets - outputs) ** 2)

        model.compile(tf_keras.optimizers.SGD(0.05), loss)
        train(model, forever([(WHOLE[0] / 3, WHOLE[1])]))
        return seen[0], weights_of(model)

    for floatx in ("float32", "float64"):
        tf_keras.backend.set_floatx(floatx)
        try:
            theirs, weights = trained(lambda model, s: keras_history(model, s, steps_per_epoch=3))
            ours, same = trained(lambda model, source: run(model, source, 3))
        finally:
            tf_keras.backend.set_floatx("float32")
        assert ours == theirs == floatx
        assert same_weights(weights, same)
