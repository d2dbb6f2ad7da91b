"""T1: what XLA compiles by default gives TensorFlow's numbers, or notices that it may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from fitgenerator.steps.tensorflow import xla_operations
from fitgenerator.steps.tensorflow.xla_guard import within_limits
from fitgenerator.steps.tensorflow.xla_operations import unsafe_operation
from support.xla_cases import CASES, MOVES, Case


def _guarded(function: Any) -> Any:
    """`function`, which returns first whether all values were within limits."""

    def run(*arguments: Any) -> Any:
        graph = tf.compat.v1.get_default_graph()
        outputs = function(*arguments)
        return within_limits(graph.get_operations()), outputs

    return run


def _same(left: Any, right: Any, nothing: float) -> bool:
    """Whether values are equal to 1e-5, where less than `nothing` counts as zero."""
    pairs = [*zip(tf.nest.flatten(left), tf.nest.flatten(right), strict=True)]
    return all(a.shape == b.shape for a, b in pairs) and all(
        np.allclose(np.float64(a), np.float64(b), 1e-5, nothing, equal_nan=True) for a, b in pairs
    )


def _value(function: Any, arguments: Any) -> Any:
    try:
        return function(*arguments)
    except tf.errors.InvalidArgumentError:
        return None


# TensorFlow 2.16 outside XLA: it adds in another order, and 0 * x is 0 where x is no number.
OF_ITS_OWN = ["Mean", "Sum", "BiasAddGrad", "Cumsum", "0 x"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_T1_an_operation_means_the_same_within_its_limits(case: Case) -> None:
    if tf.__version__.startswith("2.16.") and case.name in OF_ITS_OWN:
        pytest.skip("TensorFlow 2.16 itself does not give these numbers outside XLA")
    plain = tf.function(case.function, autograph=False)
    compiled = tf.function(_guarded(case.function), jit_compile=True, autograph=False)
    # A formula may lose what is too small to be a divisor: x is then 0, or 0 is x.
    nothing = 1e-30 if case.name.isidentifier() else 2.0**-60
    empty = [tuple(value[:0] for value in case.ordinary)] if case.empties else []
    for given in [case.ordinary, *case.special, *empty]:
        arguments = [tf.constant(value) for value in given]
        well, outputs = compiled(*arguments)
        assert well or given is not case.ordinary
        if well:
            expected = _value(plain, arguments)
            assert expected is not None, given
            assert _same(outputs, expected, nothing), (given, outputs, expected)


def test_T1_each_operation_that_computes_has_a_case() -> None:
    tested = {case.name for case in CASES}
    known = xla_operations._ALWAYS | set(xla_operations._LIMITS)
    assert sorted(known - tested - set(MOVES)) == []


def _graph_of(function: Any) -> Any:
    spec = tf.TensorSpec((None, 3))
    return tf.function(function, autograph=False).get_concrete_function(spec).graph


@tf.function(autograph=False)
def _checked(x: Any) -> Any:
    return tf.debugging.check_numerics(x, "not a number")


@tf.function(autograph=False)
def _limited(x: Any) -> Any:
    return tf.exp(x)


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda x: tf.exp(x) + 1, None),
        (tf.function(tf.tanh, autograph=False), None),
        (_checked, "CheckNumerics"),
        (tf.function(lambda x: _checked(x) + 1, autograph=False), "CheckNumerics"),
        (_limited, "Exp"),  # nothing checks its limits there
        (lambda x: tf.py_function(lambda y: y, [x], tf.float32), "EagerPyFunc"),
        (lambda x: x + tf.random.normal((3,)), "RandomStandardNormal"),
    ],
)
def test_T1_functions_are_opened_and_what_is_not_known_is_unsafe(function: Any, found: Any) -> None:
    assert unsafe_operation(_graph_of(function)) == found


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: _checked(x), lambda: x),
        lambda x: tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, _checked(y)), (0, x))[1],
        lambda x: tf.map_fn(_checked, x),
        tf.recompute_grad(_checked),
    ],
)
def test_T1_so_are_branches_and_bodies_of_loops(function: Any) -> None:
    assert unsafe_operation(_graph_of(function)) is not None


def test_T1_an_operation_of_somebodys_own_is_unsafe() -> None:
    class Graph:
        """One that has such an operation: to register it takes a compiler."""

        def as_graph_def(self) -> Any:
            definition = tf.compat.v1.GraphDef()
            definition.node.add(name="x", op="Placeholder")
            definition.node.add(name="own", op="SomebodysOwn", input=["x"])
            return definition

    assert unsafe_operation(Graph()) == "SomebodysOwn"
