"""Row 10: Keras on PyTorch, against its own `fit`.

    KERAS_BACKEND=torch PYTHONPATH=python .venv-torch/bin/python bench/rows/backends_torch.py [STEPS] [ROUNDS]

`tools/test backends` makes the environment. First a small model on a Python generator, the same
batch each time; then a generator that sleeps as long as a step of a larger model takes, over the
longer of the two.
"""  # noqa: E501

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import keras
import numpy as np
from common import alternate, forever, marking_the_end, small_batch, small_model, table
from fitgenerator import fit_generator

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
LARGE_STEPS = 30
BATCH = small_batch()


def timed(model: Any, steps: int, fit: Callable[[Any, Any], object]) -> Callable[[], float]:
    """Microseconds a step of `fit(model, callback)`, warm, until the last step."""
    end = marking_the_end()

    def run() -> float:
        end.begin()
        fit(model, end)
        return float(1e6 * end.seconds / steps)

    run()
    return run


def keras_fit(make: Callable[[], Any], model: Any, steps: int) -> Callable[[], float]:
    """Keras's `fit`."""

    def fit(model: Any, end: Any) -> None:
        model.fit(make(), steps_per_epoch=steps, verbose=0, callbacks=[end])

    return timed(model, steps, fit)


def ours(make: Callable[[], Any], model: Any, steps: int, **options: Any) -> Callable[[], float]:
    """Our `fit_generator`."""

    def fit(model: Any, end: Any) -> None:
        fit_generator(model, make(), steps, verbose=0, callbacks=[end], **options)

    return timed(model, steps, fit)


def large_model() -> Any:
    """A dense model whose step takes some tens of milliseconds."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(2_000, activation="relu") for _ in range(3)]
    model = keras.Sequential([keras.Input((500,)), *layers, keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def sleeping(seconds: float) -> Iterator[Any]:
    """Batches for the large model, each after a sleep."""
    random = np.random.default_rng(0)
    batch = random.normal(size=(256, 500)).astype("float32"), np.zeros((256, 1), "float32")
    while True:
        time.sleep(seconds)
        yield batch


small = alternate(
    {
        "Keras fit(generator)": keras_fit(lambda: forever(BATCH), small_model(), STEPS),
        "fit_generator": ours(lambda: forever(BATCH), small_model(), STEPS),
        "fit_generator, lock-step": ours(
            lambda: forever(BATCH), small_model(), STEPS, max_queue_size=0
        ),
    },
    ROUNDS,
)
name = "microseconds per step"
table("10", "PyTorch: small model, Python generator", name, small, against="Keras fit(generator)")
step = statistics.median(
    alternate({"": ours(lambda: sleeping(0), large_model(), LARGE_STEPS)}, 3)[""]
)
large = alternate(
    {
        "Keras fit(generator)": keras_fit(lambda: sleeping(step / 1e6), large_model(), LARGE_STEPS),
        "fit_generator": ours(lambda: sleeping(step / 1e6), large_model(), LARGE_STEPS),
        "the step alone": lambda: step,
    },
    ROUNDS,
)
title = "PyTorch: a generator as slow as the step"
table("10-overlap", title, name, large, against="the step alone")
