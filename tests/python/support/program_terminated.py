"""A training that keeps itself on SIGTERM: `python program_terminated.py FOLDER SOURCE [HOW]`.

It says "training" where it begins, and "step N" after the file's number of steps at the end.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import fitgenerator
import keras
import numpy as np


def batch(index: int) -> Any:
    x = np.random.default_rng(index).normal(size=(4, 3)).astype("float32")
    return x, x.sum(axis=1, keepdims=True)


def quick(index: int) -> Any:
    time.sleep(0.005)
    return batch(index)


def slow(index: int) -> Any:
    """The sixth takes for ever."""
    time.sleep(0.001 if index < 5 else 100)
    return batch(index)


def generator() -> Any:
    while True:
        yield quick(0)


def main() -> None:
    folder, source, how = Path(sys.argv[1]), sys.argv[2], [*sys.argv[3:], ""][0]
    makers: dict[str, Any] = {
        "quick": lambda: fitgenerator.batch_sequence(quick, 100_000),
        "slow": lambda: fitgenerator.batch_sequence(slow, 100_000),
        "generator": generator,
    }
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    started = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs=None: say("training")
    )
    if how == "handler":
        signal.signal(signal.SIGTERM, lambda *_: say("handler"))
    saved = fitgenerator.Checkpoint(folder / "c.npz", on_signal=True)
    options: dict[str, Any] = {"max_queue_size": 0} if how == "lock-step" else {}
    try:
        fitgenerator.fit_generator(
            model, makers[source](), 100_000, 2, 0, [started, saved], **options
        )
    except fitgenerator.Terminated as error:
        say(f"terminated: {error}")
        if how == "handler":
            signal.raise_signal(signal.SIGTERM)
        if how != "caught":
            raise


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
