"""The count of a TensorFlow graph's convolutions: what XLA would compute in a loop."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from fitgenerator.steps.tensorflow.window_work import multiply_adds
from support.tiny_trainings import forever, run

L = keras.layers
KERNEL = tf.ones((3, 3, 4, 8))
OF_ONE = 10 * 10 * 8 * 3 * 3 * 4  # an image of 12 x 12


def convolved(x: Any) -> Any:
    return tf.nn.conv2d(x, KERNEL, 1, "VALID")


@tf.function
def called(x: Any) -> Any:
    return convolved(x)


def chosen(x: Any) -> Any:
    some = tf.reduce_sum(x) > 0
    return tf.cond(some, lambda: convolved(x), lambda: tf.nn.max_pool2d(x, 2, 2, "VALID"))


def repeated(x: Any) -> Any:
    return tf.while_loop(
        lambda y: tf.reduce_sum(y) < 0, lambda y: y + tf.reduce_sum(convolved(x)), [x]
    )


# What is computed of rows of 5 images each, how many images of each row it takes, and of all rows.
CASES: dict[str, tuple[Callable[[Any], Any], float]] = {
    "one of each row": (lambda x: convolved(x[:, 0]), 6),
    "images and rows in one dimension": (lambda x: convolved(tf.reshape(x, (-1, 12, 12, 4))), 30),
    "in a function": (lambda x: called(x[:, 0]), 6),
    "in a function, of all": (lambda x: called(tf.reshape(x, (-1, 12, 12, 4))), 30),
    "the larger branch": (lambda x: chosen(x[:, 0]), 6),
    "of no row": (lambda x: convolved(tf.ones((1, 12, 12, 4))), 1),
    "none": (lambda x: x, 0),
    "in a loop": (lambda x: repeated(x[:, 0]), math.inf),
}


@pytest.mark.parametrize("lengths", [(5, 12), (None, None)], ids=["fixed", "open"])
@pytest.mark.parametrize("kind", CASES)
def test_the_count_is_that_of_the_batch(kind: str, lengths: tuple[int | None, int | None]) -> None:
    function, images = CASES[kind]
    many, length = lengths
    spec = tf.TensorSpec((None, many, length, length, 4))
    graph = tf.function(function, autograph=False).get_concrete_function(spec).graph
    assert multiply_adds(graph, [(6, 5, 12, 12, 4)]) == images * OF_ONE


def test_a_dilated_convolution_has_the_work_that_tensorflow_makes_of_it() -> None:
    def dilated(x: Any) -> Any:
        return tf.nn.conv2d(x, KERNEL, 1, "SAME", dilations=4)

    spec = tf.TensorSpec((None, 32, 32, 4))
    graph = tf.function(dilated).get_concrete_function(spec).graph
    assert multiply_adds(graph, [(2, 32, 32, 4)]) == 2 * 32 * 32 * 8 * 3 * 3 * 4


def trained(model: Any, *shape: int, jit_compile: bool | str = True) -> Any:
    batch = np.ones((16, *shape), "float32"), np.ones((16, 1), "float32")
    return run(model, forever([batch]), 30, jit_compile=jit_compile).pipeline


def compiled(*layers: Any, of: Any = L) -> Any:
    model = (keras if of is L else tf_keras).Sequential([*layers, of.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("of", [L, tf_keras.layers], ids=["Keras 3", "Keras 2"])
def test_frames_are_counted_like_rows(of: Any) -> None:
    frames = of.TimeDistributed(of.Conv2D(8, 3))
    model = compiled(of.Input((32, 12, 12, 4)), frames, of.Flatten(), of=of)
    pipeline = trained(model, 32, 12, 12, 4)
    assert pipeline.xla_steps == 0
    assert "take several times as long" in pipeline.fallback


def test_what_a_model_was_given_before_changes_nothing() -> None:
    def model() -> Any:
        return compiled(L.Input((None, None, 1)), L.Conv2D(2, 3), L.GlobalAveragePooling2D())

    known = model()
    trained(known, 6, 6, 1)
    assert trained(known, 7, 7, 1).xla_steps == trained(model(), 7, 7, 1).xla_steps > 0


def test_few_convolutions_in_groups_are_compiled() -> None:
    """Keras calls a function for them."""
    model = compiled(L.Input((6, 6, 4)), L.Conv2D(4, 3, groups=2), L.Flatten())
    assert trained(model, 6, 6, 4).xla_steps > 0


def test_a_variable_that_was_replaced_between_two_calls_is_no_error() -> None:
    held = [tf.Variable(2.0)]

    class Scale(L.Layer):
        def call(self, x: Any) -> Any:
            return x * held[0]

    model = compiled(L.Input((3,)), Scale())
    trained(model, 3)
    held[0] = tf.Variable(3.0)
    gc.collect()
    assert trained(model, 3).xla_steps > 0
