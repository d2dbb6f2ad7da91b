"""Run by test_forks.py: trains in forks, before and after TensorFlow has run in this process."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
from fitgenerator import SetupError, fit_generator


def new_model() -> Any:
    """A compiled model."""
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def ones() -> Iterator[Any]:
    """Batches without end."""
    while True:
        yield np.ones((4, 1), "float32"), np.ones(4, "float32")


def train(when: str, model: Any) -> None:
    """Train twice; tell how it ended, and after how many seconds."""
    begun = time.perf_counter()
    try:
        model = model or new_model()
        for _ in range(2):
            fit_generator(model, ones(), 2, verbose=0)
        text = "trained"
    except SetupError as error:
        text = str(error)
    print(when, f"{time.perf_counter() - begun:.1f}", text, sep="; ", flush=True)


def in_fork(when: str, model: Any = None) -> None:
    """Train in a fork."""
    process = multiprocessing.get_context("fork").Process(target=train, args=(when, model))
    process.start()
    process.join(30)
    if process.is_alive():
        print(when, "hangs", flush=True)
        process.kill()


if __name__ == "__main__":
    in_fork("before")
    built = new_model()
    in_fork("built", built)
    train("here", built)
    in_fork("trained", built)
