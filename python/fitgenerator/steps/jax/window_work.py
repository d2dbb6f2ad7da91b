"""The work of a JAX function's sliding windows: its convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

# Multiply-adds of a step. Measured, over single steps: 0.5 to 1 with up to 0.7 million, 0.8 to 1.9
# with 1 to 2 million, 7 with 50 million.
MOST = 700_000
# What runs in a loop already is as slow in a single step.
_LOOPS = frozenset({"scan", "while"})


def multiply_adds(jaxpr: Any) -> float:
    """Multiply-adds of the convolutions, gradients included; those in loops left out.

    Of branches, the largest counts.
    """
    return float(sum(map(_of_one, jaxpr.eqns)))


def _of_one(equation: Any) -> float:
    kind, given = equation.primitive.name, equation.params
    if kind == "conv_general_dilated":
        window = equation.invars[1].aval.shape
        features = window[given["dimension_numbers"].rhs_spec[0]]
        work = math.prod(equation.outvars[0].aval.shape) * math.prod(window)
        return float(work / max(1, features))
    bodies = [multiply_adds(body) for body in _inner(given)]
    if kind == "cond":
        return max(bodies, default=0.0)
    times = 1.0
    if kind in _LOOPS:  # a scan that is unrolled is no loop
        length = given.get("length", math.inf)
        times = length if length <= given.get("unroll", 1) else 0
    return float(times * sum(bodies))


def _inner(parameters: dict[str, Any]) -> Iterator[Any]:
    """What an equation calls."""
    for value in parameters.values():
        for each in value if isinstance(value, (list, tuple)) else (value,):
            body = getattr(each, "jaxpr", each)
            if hasattr(body, "eqns"):
                yield body
