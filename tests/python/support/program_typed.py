"""A user's script, which `mypy --strict` has to take as it is: see test_user_types.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from fitgenerator import (
    Checkpoint,
    History,
    Pipeline,
    evaluate_generator,
    fit_generator,
    last_history,
    predict_generator,
)
from numpy.typing import NDArray


def batches() -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Endless batches."""
    while True:
        inputs = np.ones((4, 3), "float32")
        yield inputs, inputs[:, :1]


def train(model: Any) -> float:
    """Train, evaluate, predict."""
    saved = Checkpoint("training.npz")
    history: History = fit_generator(
        model,
        batches(),
        steps_per_epoch=10,
        epochs=2,
        callbacks=[saved],
        class_weight={0: 1.0},
        timeout=5.0,
        jit_compile="auto",
    )
    pipeline: Pipeline = history.pipeline
    scores: dict[str, float] = evaluate_generator(model, batches(), steps=3, return_dict=True)
    predict_generator(model, batches(), 2, workers=0)
    last = last_history()
    losses: list[float] = [] if last is None else last.history["loss"]
    return scores["loss"] + sum(losses) + pipeline.wall + saved.epoch
