"""Kinds of models that only TensorFlow runs, beside those that every backend runs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from support import model_kinds
from support.model_kinds import COUNT, X, Y, sequential

L = keras.layers

QUICK = ("dense", *model_kinds.QUICK, "own_step")


class OwnStep(keras.Sequential):
    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(self(x, training=True) - y))
        variables = self.trainable_variables
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return {"own": loss, "double": 2 * loss}

    def test_step(self, data: Any) -> Any:
        return {"own": tf.reduce_mean(tf.abs(self(data[0], training=False) - data[1]))}


class Asserting(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        tf.debugging.assert_less(x, 1000.0)
        return x


class Numerics(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.debugging.check_numerics(x, "not a number")


def _own_step() -> tuple[Any, list[Any]]:
    model = OwnStep([keras.Input((4,)), L.Dense(1)])
    model.compile("sgd", "mse")
    return model, list(zip(X, Y, strict=True))


def _strings() -> tuple[Any, list[Any]]:
    inputs = keras.Input((1,), dtype="string")
    codes = L.StringLookup(vocabulary=["a", "b", "c"], output_mode="one_hot")(inputs)
    model = keras.Model(inputs, L.Dense(1)(codes))
    model.compile("sgd", "mse")
    words = [np.array([["a"], ["b"], ["c"], ["?"]] * 2) for _ in range(COUNT)]
    return model, list(zip([tf.constant(w) for w in words], Y, strict=True))


KINDS: dict[str, model_kinds.Kind] = {
    **model_kinds.KINDS,
    "own_step": _own_step,
    "numerics": lambda: sequential(Numerics(), L.Dense(1)),
    "asserting": lambda: sequential(Asserting(), L.Dense(1)),
    "strings": _strings,
}


def made(kind: str) -> tuple[Any, list[Any]]:
    """A new model of a kind, always with the same weights, and its batches."""
    keras.utils.set_random_seed(5)
    return KINDS[kind]()
