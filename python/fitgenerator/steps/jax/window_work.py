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
    """Multiply-adds of the convolutions, gradients included; those in loops left out."""
    own: float = sum(map(_of_one, jaxpr.eqns))
    return own + sum(map(multiply_adds, _inner(jaxpr)))


def _of_one(equation: Any) -> float:
    if equation.primitive.name != "conv_general_dilated":
        return 0.0
    window = equation.invars[1].aval.shape
    features = window[equation.params["dimension_numbers"].rhs_spec[0]]
    work: float = math.prod(equation.outvars[0].aval.shape) * math.prod(window) / max(1, features)
    return work


def _inner(jaxpr: Any) -> Iterator[Any]:
    """What its equations call."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in _LOOPS:
            continue
        for value in equation.params.values():
            for each in value if isinstance(value, (list, tuple)) else (value,):
                body = getattr(each, "jaxpr", each)
                if hasattr(body, "eqns"):
                    yield body
