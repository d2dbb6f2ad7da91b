"""Row 5: models with expensive steps, to which the engine must add nothing.

    tools/with-env python bench/rows/real_models.py [ROUNDS]

The comparison is the model's step as a `tf.function` on tensors that already exist.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fitgenerator as fg
import keras
import numpy as np
import tensorflow as tf
from common import alternate, table

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5


def convolutional() -> Any:
    """A small convolutional net on 28 x 28 images."""
    conv = {"activation": "relu", "padding": "same"}
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, **conv),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, **conv),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def dense() -> Any:
    """Three wide layers."""
    wide = [keras.layers.Dense(1024, activation="relu") for _ in range(3)]
    return keras.Sequential([keras.Input((784,)), *wide, keras.layers.Dense(10, "softmax")])


def contenders(
    make: Callable[[], Any], shape: tuple[int, ...], steps: int
) -> dict[str, Callable[[], float]]:
    """The bare loop and ours, on the same batches; each gives milliseconds a step."""
    random = np.random.default_rng(0)
    batches = [
        (random.normal(size=(64, *shape)).astype("float32"), random.integers(0, 10, 64))
        for _ in range(8)
    ]

    def compiled() -> Any:
        keras.utils.set_random_seed(1)
        model = make()
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    bare, ours = compiled(), compiled()
    step = tf.function(bare.train_step)
    tensors = [(tf.constant(x), tf.constant(y)) for x, y in batches]

    def endless() -> Any:
        while True:
            yield from batches

    def run_bare() -> float:
        begun = time.perf_counter()
        for number in range(steps):
            logs = step(tensors[number % 8])
        float(logs["loss"])
        return 1e3 * (time.perf_counter() - begun) / steps

    def run_ours() -> float:
        begun = time.perf_counter()
        fg.fit_generator(ours, endless(), steps, verbose=0)
        return 1e3 * (time.perf_counter() - begun) / steps

    run_bare(), run_ours()
    return {"bare loop on preloaded tensors": run_bare, "fit_generator": run_ours}


for part, (name, make, shape, steps) in enumerate(
    [
        ("convolutional model", convolutional, (28, 28, 1), 150),
        ("dense model", dense, (784,), 150),
    ]
):
    table(
        f"5{'ab'[part]}",
        name,
        "milliseconds per step",
        alternate(contenders(make, shape, steps), ROUNDS),
        against="bare loop on preloaded tensors",
    )
