"""A check that follows from another one is left out, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from fitgenerator.steps.tensorflow.xla_checks import needed
from fitgenerator.steps.tensorflow.xla_operations import limits_of

FORMULAS: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "the sum with a constant is checked": (lambda x: 1 / (tf.sqrt(x) + 1e-7), ["AddV2"]),
    "the constant hides others": (lambda x: 1 / (tf.sqrt(x) + 1e30), ["AddV2", "Sqrt"]),
    "no constant": (lambda x: 1 / (tf.sqrt(x) + x), ["AddV2", "Sqrt"]),
    "a product": (lambda x: 1 / (tf.sqrt(x) * 2), ["Mul", "Sqrt"]),
    "the root of a sum": (lambda x: tf.sqrt(1 - x**3.0), ["Placeholder", "Sqrt"]),
    "the root itself": (lambda x: tf.sqrt(x**3.0), ["Placeholder", "Pow", "Sqrt"]),
    "views": (lambda x: tf.reduce_max(tf.reshape(-x, [2, 2])), ["Placeholder"]),
    "one number": (lambda x: tf.reduce_sum(tf.reduce_max(x)), ["Placeholder"]),
    "an integer": (lambda x: tf.cast(tf.size(x) + tf.shape(x)[0], "float32") / 2, []),
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_T1_what_is_checked(formula: str) -> None:
    function, expected = FORMULAS[formula]
    with tf.Graph().as_default() as graph:
        function(tf.compat.v1.placeholder(tf.float32, [4]))
        found = [pair for op in graph.get_operations() for pair in limits_of(op)]
        checks = needed(found)
    assert sorted(tensor.op.type for _, tensor in checks) == expected
