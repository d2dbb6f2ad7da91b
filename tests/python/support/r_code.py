"""R in this process, through rpy2."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

pytest.importorskip("rpy2", reason="rpy2 is not installed")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of rpy2, about the environment that it sets
    from rpy2.rinterface_lib.embedded import RRuntimeError
    from rpy2.robjects import r

    r("invisible(NULL)")

__all__ = ["NUMBERED", "RRuntimeError", "closure", "r"]

# The batches of `tiny_trainings.numbered`.
NUMBERED = "n <- 0; function() { n <<- n + 1; list(matrix(n, 2, 1), c(0, 0)) }"


def closure(code: str = NUMBERED) -> Any:
    """An R function: the value of `code`, whose variables are its own."""
    return r(f"local({{ {code} }})")
