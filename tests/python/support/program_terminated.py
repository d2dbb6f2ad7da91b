"""A training that keeps itself on SIGTERM: `python program_terminated.py FOLDER SOURCE [HOW]`.

It says "training" when many steps are done, and at last how the training was ended.
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
    if index == 60:
        say("training")
    return batch(index)


def slow(index: int) -> Any:
    """Batch 60 takes for ever."""
    if index == 60:
        say("training")
        time.sleep(100)
    return batch(index)


def main() -> None:
    folder, source, how = Path(sys.argv[1]), sys.argv[2], [*sys.argv[3:], ""][0]
    makers: dict[str, Any] = {
        "quick": lambda: fitgenerator.batch_sequence(quick, 100_000),
        "slow": lambda: fitgenerator.batch_sequence(slow, 100_000),
    }
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    if how == "handler":
        signal.signal(signal.SIGTERM, lambda *_: say("handler"))
    saved = fitgenerator.Checkpoint(folder / "c.npz", on_signal=True)
    options: dict[str, Any] = {"max_queue_size": 0} if how == "lock-step" else {}
    verbose = 2 if how == "telling" else 0
    try:
        fitgenerator.fit_generator(model, makers[source](), 100_000, 2, verbose, [saved], **options)
    except fitgenerator.Terminated as error:
        say(f"terminated: {error}")
        if how == "handler":
            signal.raise_signal(signal.SIGTERM)
        raise


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
