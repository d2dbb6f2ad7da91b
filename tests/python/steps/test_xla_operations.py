"""T1: what XLA compiles by default gives TensorFlow's numbers, or notices that it may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from fitgenerator.steps.tensorflow import xla_operations
from fitgenerator.steps.tensorflow.xla_guard import within_limits
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
    pairs = zip(tf.nest.flatten(left), tf.nest.flatten(right), strict=True)
    return all(
        np.allclose(np.float64(a), np.float64(b), 1e-5, nothing, equal_nan=True) for a, b in pairs
    )


def _value(function: Any, arguments: Any) -> Any:
    try:
        return function(*arguments)
    except tf.errors.InvalidArgumentError:
        return None


@pytest.mark.parametrize("case", CASES, ids=str)
def test_T1_an_operation_means_the_same_within_its_limits(case: Case) -> None:
    plain = tf.function(case.function, autograph=False)
    compiled = tf.function(_guarded(case.function), jit_compile=True, autograph=False)
    # A formula may lose what is too small to be a divisor: x is then 0, or 0 is x.
    nothing = 1e-30 if case.name.isidentifier() else 2.0**-60
    for given in [case.ordinary, *case.special]:
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
