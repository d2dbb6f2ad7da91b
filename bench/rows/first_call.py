"""Row 1: whole first calls of a new model, and plain loops.

    tools/with-env python bench/rows/first_call.py [PAIRS] [STEPS ...]

A first call traces and, by default from 10,000 steps on, has XLA compile; it is compared with the
same call with `jit_compile=False`. Plain loops are compared, warm, with Keras's `fit(generator)`.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fitgenerator as fg
from common import alternate, forever, small_batch, small_model

PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
STEPS = [int(steps) for steps in sys.argv[2:]] or [3_000, 10_000, 30_000]
WARM = 3_000
BATCH = small_batch()


def first(steps: int, **options: Any) -> Callable[[], float]:
    """Seconds of a whole call that trains a new model."""

    def run() -> float:
        model = small_model()
        gc.collect()
        begun = time.perf_counter()
        fg.fit_generator(model, forever(BATCH), steps, verbose=0, **options)
        return time.perf_counter() - begun

    return run


def warm(fit: Callable[[Any], object]) -> Callable[[], float]:
    """Seconds of a call with a model that was trained so before."""
    model = small_model()

    def run() -> float:
        begun = time.perf_counter()
        fit(model)
        return time.perf_counter() - begun

    run()
    return run


def compare(title: str, one: str, other: str, rounds: dict[str, list[float]]) -> None:
    """Print the medians of both, and of their ratios."""
    ratios = sorted(a / b for a, b in zip(rounds[one], rounds[other], strict=True))
    medians = ", ".join(f"{name} {statistics.median(s):.2f} s" for name, s in rounds.items())
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    print(f"{title}: {medians}; {one} over {other} {statistics.median(ratios):.3f} ({spread})")


def keras_fit(model: Any) -> object:
    """Keras's own."""
    return model.fit(forever(BATCH), steps_per_epoch=WARM, verbose=0, shuffle=False)


def plain_fit(model: Any) -> object:
    """Ours, in plain loops."""
    return fg.fit_generator(model, forever(BATCH), WARM, verbose=0, jit_compile=False)


first(100)()  # what a process does once
for steps in STEPS:
    runs = {"default": first(steps), "plain": first(steps, jit_compile=False)}
    compare(f"first call of {steps} steps", "default", "plain", alternate(runs, PAIRS))
runs = {"Keras": warm(keras_fit), "plain": warm(plain_fit)}
compare(f"{WARM} steps, warm", "Keras", "plain", alternate(runs, PAIRS))
