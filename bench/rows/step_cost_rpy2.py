"""Row 2, from Python: the small model on an R closure (rpy2), against a Python generator.

Then the same function of R called by a Python generator; and a Python generator that never calls R,
with R and without, as if it did not run in this process.

tools/with-env python bench/rows/step_cost_rpy2.py [STEPS]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fitgenerator as fg
from common import alternate, forever, small_batch, small_model, table
from fitgenerator import api
from rpy2 import rinterface

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 12_000

rinterface.initr()
CLOSURE = rinterface.baseenv["eval"](
    rinterface.baseenv["parse"](
        text=rinterface.StrSexpVector(
            ["local({x <- matrix(rnorm(512), 32); b <- list(x, rowSums(x)); function() b})"]
        )
    )
)


def timed(make: Callable[[], Any], **options: Any) -> Callable[[], float]:
    """Microseconds a step on a warm model."""
    model = small_model()

    def run() -> float:
        begun = time.perf_counter()
        fg.fit_generator(model, make(), STEPS, verbose=0, **options)
        return 1e6 * (time.perf_counter() - begun) / STEPS

    run()
    return run


table(
    "2-rpy2",
    "small model, R closure from Python",
    "microseconds per step",
    alternate(
        {
            "Python generator": timed(lambda: forever(small_batch())),
            "R closure through rpy2": timed(lambda: CLOSURE),
        },
        5,
    ),
    against="Python generator",
)


def calling() -> Iterator[Any]:
    """The batch of the closure, from a generator in Python that calls it each time."""
    batch = small_batch()
    while True:
        CLOSURE()
        yield batch


PLAIN = {"jit_compile": False}
table(
    "2-rpy2-sources",
    "R code in a Python generator, from Python",
    "microseconds per step",
    alternate(
        {
            "R closure through rpy2": timed(lambda: CLOSURE, **PLAIN),
            "Python generator that calls R": timed(calling, **PLAIN),
        },
        5,
    ),
    against="Python generator that calls R",
)


def without_r(run: Callable[[], float]) -> Callable[[], float]:
    """`run`, for which R does not run here."""

    def timed_so() -> float:
        found, api.r_runs = api.r_runs, lambda: False
        try:
            return run()
        finally:
            api.r_runs = found

    return timed_so


PYTHON = timed(lambda: forever(small_batch()), **PLAIN)
table(
    "2-rpy2-neutral",
    "a Python generator that never calls R, from Python",
    "microseconds per step",
    alternate({"R runs": PYTHON, "R does not run": without_r(PYTHON)}, 15),
    against="R runs",
)
