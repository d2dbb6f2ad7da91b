"""What one process of `resume.py` does: trains from where the last one came to, says how it ended.

`resume_trial.R` does so in R, with the model and the hash from here.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import fitgenerator
import keras
import numpy as np

FEATURES, ROWS = 64, 16
STEPS, EPOCHS = 4, 12  # with files after epochs
STEPS_WITHIN, EPOCHS_WITHIN = 25, 3  # with files within them
VALIDATION = 4  # steps


@dataclass(frozen=True)
class Setting:
    """When files within epochs are due, and which batch takes a minute, if any."""

    every: int | None = None
    seconds: float | None = None
    stall: int | None = None  # batches that are made before it; SIGTERM does not wait for it

    def words(self) -> list[str]:
        """The setting as arguments of a script."""
        return [str(value or 0) for value in (self.every, self.seconds, self.stall)]


def new_model(dropout: float = 0.3) -> Any:
    """1.2 million weights, random and normalising layers, Adam: a checkpoint of 14 MB."""
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((FEATURES,)),
        keras.layers.Dense(2048, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(dropout),
        keras.layers.Dense(512, activation="relu"),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "mse", metrics=["mae"])
    return model


def batch(*seed: int) -> Any:
    """A batch that follows from a seed."""
    x = np.random.default_rng(seed).normal(size=(ROWS, FEATURES)).astype("float32")
    return x, x.sum(axis=1, keepdims=True)


def batches(epoch: int, seed: int) -> Iterator[Any]:
    """Batches that follow from a seed and the number of the epoch."""
    while True:
        for step in range(STEPS):
            yield batch(seed, epoch, step)
        epoch += 1


def sequence(seed: int, length: int, stall: int | None = None) -> Any:
    """The same, with places, in an order of its own in each epoch."""
    made = 0

    def one(number: int, epoch: int) -> Any:
        nonlocal made
        made += 1
        if made - 1 == stall:
            threading.Event().wait(60)
        return batch(seed, epoch, number)

    return fitgenerator.batch_sequence(one, length, shuffle=True, seed=seed)


def digest(model: Any) -> str:
    """A hash of all that training has changed."""
    found = hashlib.sha256()
    for variable in [*model.variables, *model.optimizer.variables]:
        found.update(np.ascontiguousarray(variable.numpy()).tobytes())
    return found.hexdigest()


def say(line: str) -> None:
    """A line for the process that kills."""
    print(line, flush=True)


def started() -> Any:
    """A callback that says when the training begins."""
    return keras.callbacks.LambdaCallback(on_train_begin=lambda logs=None: say("training"))


def done(history: Any, model: Any) -> None:
    """Say how the training ended."""
    say("done " + json.dumps([history, digest(model)]))


def train(folder: Path) -> None:
    """Files after each epoch; batches of a generator."""
    saved = fitgenerator.Checkpoint(folder / "training.npz")
    first, model = saved.epoch, new_model()
    history = fitgenerator.fit_generator(
        model,
        batches(first, 1),
        STEPS,
        EPOCHS,
        verbose=0,
        callbacks=[started(), saved],
        validation_data=batches(first, 2),
        validation_steps=STEPS,
    )
    done(history.history, model)


def train_within(folder: Path, setting: Setting) -> None:
    """Files within epochs; batches that have places, and a callback with a memory."""
    saved = fitgenerator.Checkpoint(
        folder / "training.npz", every=setting.every, seconds=setting.seconds, on_signal=True
    )
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=0, min_delta=0.1)
    model = new_model()
    history = fitgenerator.fit_generator(
        model,
        sequence(1, STEPS_WITHIN, setting.stall),
        epochs=EPOCHS_WITHIN,
        verbose=0,
        callbacks=[started(), saved, plateau],
        validation_data=sequence(2, VALIDATION),
    )
    done(history.history, model)


def train_keras(folder: Path) -> None:
    """Keras's own files after each epoch; weights only, without Dropout, for comparison."""
    backup, model = folder / "backup", new_model(0.0)
    first = keras_epoch(backup / "training_metadata.json")
    fitgenerator.fit_generator(
        model,
        batches(first, 1),
        STEPS,
        EPOCHS,
        verbose=0,
        callbacks=[
            started(),
            keras.callbacks.BackupAndRestore(backup, delete_checkpoint=False),
        ],
    )
    done({}, model)  # Keras's keeps no history


def keras_epoch(metadata: Path) -> int:
    """The epoch that `BackupAndRestore` will go on with, where its file can be read."""
    try:
        return int(json.loads(metadata.read_text())["epoch"])
    except (OSError, ValueError):
        return 0
