"""Which steps do not run in loops: TensorFlow would rewrite them there in another way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from fitgenerator.steps.chosen import steps_of
from fitgenerator.steps.tensorflow.rewritten_steps import is_rewritten_in_loops, uses_onednn
from fitgenerator.steps.tensorflow.xla_operations import unsafe_operation
from support.model_kinds_tensorflow import made
from support.tiny_trainings import Indexed, run

SPEC = tf.TensorSpec((None, 3))
# One of each thing that is usual: a layer, an activation, a loss, a metric, an optimizer.
USUAL = [
    *("dense", "conv", "separable", "one-hot", "binary", "classes", "embedding", "regularized"),
    *("activation elu", "activation selu", "activation softplus", "activation leaky_relu"),
    *("activation relu6", "activation gelu"),
    *("loss huber", "loss mae", "loss poisson", "loss hinge"),
    *("optimizer RMSprop", "optimizer Adagrad", "optimizer Nadam", "clipped"),
]


def graph_of(call: Callable[[Any], Any]) -> Any:
    return tf.function(call, autograph=False).get_concrete_function(SPEC).graph


@tf.function(autograph=False)
def nested(x: Any) -> Any:
    return tf.nn.silu(x)


@pytest.mark.parametrize(
    "call",
    [
        tf.nn.silu,
        nested,
        lambda x: tf.tanh(tf.nn.softplus(x + 0.0)),
        lambda x: tf.sigmoid(x / 1.0),
        lambda x: tf.nn.relu(x - tf.zeros_like(x)),
        lambda x: tf.pow(tf.ones_like(x) * x, 3.0),
        lambda x: tf.math.erf(x * tf.ones((2, 3))),
    ],
)
def test_T2_what_is_fused_behind_what_changes_nothing_is_found(call: Any) -> None:
    assert is_rewritten_in_loops(graph_of(call))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x * tf.sigmoid(x),
        lambda x: tf.nn.silu(x, beta=1.5),
        lambda x: tf.sigmoid(1.0 / x),
        lambda x: tf.tanh(0.0 - x),
        lambda x: tf.nn.gelu(x, approximate=True),
        lambda x: tf.reduce_mean(x) * 1.0,
    ],
)
def test_T2_other_operations_are_not(call: Any) -> None:
    assert not is_rewritten_in_loops(graph_of(call))


def trained(kind: str) -> Any:
    model, batches = made(kind)
    run(model, Indexed(batches[:2]))
    (step,) = steps_of(model)._kept["train"].traced.values()
    return step.concrete.graph


# Of the last three, parts that are not fused change nothing: a loss, gradients, random numbers.
@pytest.mark.parametrize("kind", ["dense", "conv", "loss huber", "clipped", "dropout"])
def test_T2_usual_models_have_loops(kind: str) -> None:
    assert not is_rewritten_in_loops(trained(kind))


@pytest.mark.parametrize("kind", ["activation swish", "conv, swish", "conv, batch norm, swish"])
def test_T2_models_with_swish_have_loops_only_without_onednn(kind: str, loops_pay: None) -> None:
    model, batches = made(kind)
    pipeline = run(model, Indexed(batches), jit_compile=False).pipeline
    assert (pipeline.calls == pipeline.steps) == uses_onednn()
    assert (pipeline.fallback or "").startswith("loop: in a loop, oneDNN's") == uses_onednn()


def test_T2_xla_where_it_is_asked_for_has_loops_of_swish_for_the_whole_training() -> None:
    model, batches = made("activation swish")
    pipeline = run(model, Indexed(batches[:26]), None, 3, jit_compile=True).pipeline
    # From the 21st step on, in the second and third epoch: two calls of ten, and six steps.
    assert pipeline.xla_steps == 40
    assert pipeline.fallback is None


@pytest.mark.parametrize("kind", USUAL)
def test_T1_usual_models_stay_eligible_for_xla(kind: str) -> None:
    assert unsafe_operation(trained(kind)) is None


def test_T1_floats_of_16_bits_are_not_compiled_by_default() -> None:
    assert unsafe_operation(trained("mixed")) is not None
