"""R functions through rpy2: generators, and what a loss and a callback call."""

from __future__ import annotations

import threading
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import evaluate_generator, fit_generator, predict_generator
from support.r_code import RRuntimeError, closure
from support.tiny_trainings import linear_model, weights_of

BATCHES = "function() { x <- matrix(rnorm(12), 4); list(x, rowSums(x)) }"


def test_r_makes_batches_and_a_part_of_the_loss() -> None:
    threads, half = set(), closure("function() 0.5")

    def loss(y: Any, p: Any) -> Any:
        threads.add(threading.current_thread())
        return float(half()[0]) * keras.ops.mean(keras.ops.square(y - p), axis=-1)

    def rate(epoch: int, before: float) -> float:
        return float(closure("function(rate) rate / 2")(before)[0])

    seeded = f"set.seed(1); {BATCHES}"
    model, plain = linear_model(), linear_model()
    model.compile("sgd", loss)
    schedule = keras.callbacks.LearningRateScheduler(rate)
    ours = fit_generator(model, closure(seeded), 5, 2, 0, [schedule], closure(BATCHES), 2)
    plain.compile("sgd", lambda y, p: 0.5 * keras.ops.mean(keras.ops.square(y - p), axis=-1))
    theirs = fit_generator(plain, closure(seeded), 5, 2, 0, [schedule], closure(BATCHES), 2)
    assert ours.history["loss"] == theirs.history["loss"]
    assert all(map(np.array_equal, weights_of(model), weights_of(plain)))
    # On PyTorch, steps run elsewhere, and what they call of R comes back.
    others = {"fitgenerator-training"} if keras.config.backend() == "torch" else set()
    assert {thread.name for thread in threads} == {"MainThread"} | others
    assert predict_generator(model, closure("function() matrix(0, 2, 3)"), 2).shape == (4, 1)
    assert np.isfinite(evaluate_generator(model, closure(BATCHES), 2))


def test_an_error_in_r_arrives_and_the_model_can_be_used() -> None:
    model = linear_model()
    failing = (
        "n <- 0; function() { n <<- n + 1; if (n > 2) stop('no data'); list(matrix(n, 2, 3), 1:2) }"
    )
    with pytest.raises(RRuntimeError, match="no data") as caught:
        fit_generator(model, closure(failing), 5, verbose=0)
    assert "batch 3" in "".join(caught.value.__notes__)
    assert fit_generator(model, closure(BATCHES), 2, verbose=0).epoch == [0]
