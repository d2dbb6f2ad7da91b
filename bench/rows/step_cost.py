"""Row 1: cost of a step of a small model on a Python generator, in Keras and in fitgenerator.

    tools/with-env python bench/rows/step_cost.py [STEPS] [ROUNDS]

STEPS is the length of fitgenerator's default call (which uses XLA loops from 10,000 steps on).
Keras runs a fifth of them, because its steps all cost the same. Figures are for a warm model: every
function was traced in an earlier call.
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
import tensorflow as tf
from common import alternate, forever, marking_the_end, small_batch, small_model, table

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 12_000
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
FEWER = STEPS // 5
BATCH = small_batch()


class Dataset(keras.utils.PyDataset):
    """The same batch as an indexed source."""

    def __len__(self) -> int:
        return FEWER

    def __getitem__(self, index: int) -> Any:
        return BATCH


def timed(
    fit: Callable[[Any, Any], object], steps: int, execution: int = 1
) -> Callable[[], tuple[float, float]]:
    """Runs `fit(model, callback)`; microseconds a step until the last step, and in all."""
    model = small_model()
    model.compile("adam", "mse", steps_per_execution=execution)
    end = marking_the_end()

    def run() -> tuple[float, float]:
        begun = time.perf_counter()
        end.begin()
        fit(model, end)
        return 1e6 * end.seconds / steps, 1e6 * (time.perf_counter() - begun) / steps

    run()
    return run


def keras_fit(make: Callable[[], Any], execution: int = 1) -> Callable[[], tuple[float, float]]:
    """Keras's `fit`."""

    def fit(model: Any, end: Any) -> None:
        model.fit(make(), steps_per_epoch=FEWER, verbose=0, callbacks=[end], shuffle=False)

    return timed(fit, FEWER, execution)


def ours(steps: int, execution: int = 1, **options: Any) -> Callable[[], tuple[float, float]]:
    """Our `fit_generator`."""

    def fit(model: Any, end: Any) -> None:
        fg.fit_generator(model, forever(BATCH), steps, verbose=0, callbacks=[end], **options)

    return timed(fit, steps, execution)


def train_on_batch() -> tuple[float, float]:
    """A loop over `train_on_batch`."""
    begun = time.perf_counter()
    for _ in range(FEWER):
        ONE_BY_ONE.train_on_batch(*BATCH)
    seconds = time.perf_counter() - begun
    return 1e6 * seconds / FEWER, 1e6 * seconds / FEWER


def bare_loop() -> Callable[[], tuple[float, float]]:
    """The model's step as a `tf.function` on tensors that are there already: the limit of steps."""
    model = small_model()
    x, y = map(tf.constant, BATCH)
    step = tf.function(model.train_step)
    step((x, y))

    def run() -> tuple[float, float]:
        begun = time.perf_counter()
        for _ in range(FEWER):
            step((x, y))
        seconds = time.perf_counter() - begun
        return 1e6 * seconds / FEWER, 1e6 * seconds / FEWER

    return run


def dataset() -> Any:
    """The batch as a `tf.data.Dataset`."""
    return tf.data.Dataset.from_tensors(BATCH).repeat().prefetch(tf.data.AUTOTUNE)


ONE_BY_ONE = small_model()
ONE_BY_ONE.train_on_batch(*BATCH)

figures = alternate(
    {
        "Keras fit(generator)": keras_fit(lambda: forever(BATCH)),
        "Keras fit(PyDataset), 1 worker": keras_fit(Dataset),
        "Keras fit(PyDataset), 2 workers": keras_fit(lambda: Dataset(workers=2)),
        "Keras fit(tf.data)": keras_fit(dataset),
        "Keras train_on_batch": train_on_batch,
        "Keras fit, 10 steps per execution": keras_fit(lambda: forever(BATCH), 10),
        "Keras fit, 50 steps per execution": keras_fit(lambda: forever(BATCH), 50),
        "bare loop on preloaded tensors": bare_loop(),
        "fit_generator, defaults": ours(STEPS),
        f"fit_generator, {FEWER} steps": ours(FEWER),
        "fit_generator, jit_compile=False": ours(FEWER, jit_compile=False),
        "fit_generator, lock-step": ours(FEWER, max_queue_size=0),
        "fit_generator, 10 steps per execution": ours(STEPS, 10),
        "fit_generator, 50 steps per execution": ours(STEPS, 50, max_queue_size=50),
    },
    ROUNDS,
)
table(
    "1",
    "small model, Python generator",
    "microseconds per step",
    {name: [last for last, _ in values] for name, values in figures.items()},
    against="Keras fit(generator)",
    others={"whole call": {name: min(w for _, w in values) for name, values in figures.items()}},
)
