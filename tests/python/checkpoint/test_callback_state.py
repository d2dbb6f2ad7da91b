"""What callbacks remember over a crash."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
from fitgenerator import Checkpoint, History, Terminated
from support.tiny_trainings import (
    Batch,
    batches_from,
    echo_model,
    linear_model,
    make_batches,
    numbered_batch,
    run,
    same_weights,
    weights_of,
)

STEPS = 3


# -- Keras's callbacks that watch a metric ------------------------------------------------------

FALLING, RISING = [3, 2, 5, 6, 7, 8], [3, 4, 5, 6, 7, 8]


def watched(losses: list[int], epoch: int, epochs: int, callbacks: list[Any]) -> History:
    """Train an `echo_model`, with these losses, from an epoch on."""
    return run(echo_model(), numbered_from(losses[epoch:]), 1, epochs, callbacks)


def numbered_from(losses: list[int]) -> Iterator[Batch]:
    return (numbered_batch(loss) for loss in losses)


def stopping(patience: int = 2) -> Any:
    return keras.callbacks.EarlyStopping("loss", patience=patience)


def test_D5_early_stopping_goes_on_counting_and_stays_stopped(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    for epochs, finished in ((3, 3), (6, 4), (6, 4), (60, 4)):
        saved = Checkpoint(path)
        history = watched(FALLING, saved.epoch, epochs, [stopping(), saved])
        assert history.history["loss"] == FALLING[:finished]
        assert not history.incomplete
    saved = Checkpoint(path)  # with more patience there is more to do
    assert watched(FALLING, saved.epoch, 6, [stopping(4), saved]).epoch == list(range(6))


def scripted(scores: list[int]) -> Any:
    """A callback that adds a metric `score` with these values."""
    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(score=float(scores[epoch]))
    )


def test_early_stopping_restores_the_best_weights_of_before_the_crash(tmp_path: Path) -> None:
    def call(path: Path, epochs: int) -> list[Any]:
        model, saved = linear_model(), Checkpoint(path)
        stop = keras.callbacks.EarlyStopping(
            "score", patience=3, mode="min", restore_best_weights=True
        )
        callbacks = [scripted(RISING), stop, saved]
        run(model, batches_from(saved.epoch), STEPS, epochs, callbacks)
        return weights_of(model)

    expected = call(tmp_path / "one.npz", 6)
    call(tmp_path / "two.npz", 2)
    assert same_weights(call(tmp_path / "two.npz", 6), expected)
    assert Checkpoint(tmp_path / "two.npz").epoch == 4
    assert same_weights(call(tmp_path / "two.npz", 6), expected)


def test_plateaus_and_best_models_are_remembered(tmp_path: Path) -> None:
    best = tmp_path / "best.weights.h5"

    def call(path: Path, epochs: int) -> list[float]:
        best.unlink(missing_ok=True)
        saved = Checkpoint(path)
        plateau = keras.callbacks.ReduceLROnPlateau("score", mode="min", patience=3)
        keep = keras.callbacks.ModelCheckpoint(
            best, "score", mode="min", save_best_only=True, save_weights_only=True
        )
        callbacks = [scripted(RISING), plateau, keep, saved]
        history = run(linear_model(), batches_from(saved.epoch), STEPS, epochs, callbacks)
        rates: list[float] = history.history["learning_rate"]
        return rates

    rates = call(tmp_path / "one.npz", 6)
    assert best.exists()
    assert len(set(rates)) == 2
    call(tmp_path / "two.npz", 2)
    assert call(tmp_path / "two.npz", 6) == rates
    assert not best.exists()  # no later epoch was better than the first


def at_epoch_begin(epoch: int) -> Any:
    """A callback that fails there."""
    return keras.callbacks.LambdaCallback(on_epoch_begin=lambda number, logs: 1 / (epoch - number))


def averaging(epochs: int, saved: Checkpoint, *others: Any, swaps: bool) -> Any:
    """Train a model whose averages come into it after epochs, or in validations alone."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "mse")
    callbacks = [keras.callbacks.SwapEMAWeights(swap_on_epoch=swaps), *others, saved]
    batches = make_batches(6)
    valid = None if swaps else batches
    return run(model, batches, epochs=epochs, callbacks=callbacks, validation_data=valid)


def test_a_training_goes_on_with_its_own_weights_where_averages_were_in_the_model(
    tmp_path: Path,
) -> None:
    expected = averaging(4, Checkpoint(tmp_path / "one.npz"), swaps=True)
    crash = at_epoch_begin(2)
    with pytest.raises(ZeroDivisionError):
        averaging(4, Checkpoint(tmp_path / "two.npz"), crash, swaps=True)
    history = averaging(4, Checkpoint(tmp_path / "two.npz"), swaps=True)
    assert history.history == expected.history


def test_a_validation_that_SIGTERM_ended_goes_on_with_the_averages(tmp_path: Path) -> None:
    expected = averaging(3, Checkpoint(tmp_path / "one.npz"), swaps=False)
    ended = []

    def end(batch: int, logs: Any) -> None:
        ended.append(batch)
        if len(ended) == 8:  # of the second validation
            os.kill(os.getpid(), signal.SIGTERM)

    saved = Checkpoint(tmp_path / "two.npz", on_signal=True)
    with pytest.raises(Terminated):
        averaging(3, saved, keras.callbacks.LambdaCallback(on_test_batch_end=end), swaps=False)
    history = averaging(3, Checkpoint(tmp_path / "two.npz"), swaps=False)
    assert history.history == expected.history
