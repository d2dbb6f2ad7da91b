"""Where TensorBoard's callback is given, the pipeline's figures are scalars, too."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest
import tensorflow as tf
from support.tiny_trainings import linear_model, make_batches, run


def scalars(folder: Path) -> dict[str, list[float]]:
    """The values by name, in the order of the epochs."""
    found: dict[str, list[float]] = {}
    for path in folder.glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append(float(tf.make_ndarray(value.tensor)))
    return found


def test_each_epoch_has_its_figures(tmp_path: Path) -> None:
    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    run(linear_model(), iter(make_batches(12)), 4, 3, callbacks=[board])
    found = scalars(tmp_path / "pipeline")
    shares = ("model_waited", "step", "callbacks", "other")
    for epoch in range(3):
        total = sum(found[f"pipeline/share_{name}"][epoch] for name in shares)
        assert total == pytest.approx(1, abs=1e-3)
    assert len(found["pipeline/steps_per_second"]) == 3
    assert min(found["pipeline/steps_per_second"]) > 0
    assert "epoch_loss" in scalars(tmp_path / "train")


def test_without_TensorBoard_nothing_is_written(tmp_path: Path) -> None:
    run(linear_model(), iter(make_batches(4)), 4, callbacks=[])
    assert not list(tmp_path.iterdir())


def test_the_figures_of_a_training_that_ended_early_are_there(tmp_path: Path) -> None:
    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    with pytest.warns(UserWarning, match="ended"):
        run(linear_model(), iter(make_batches(5)), 4, 3, callbacks=[board])
    assert len(scalars(tmp_path / "pipeline")["pipeline/queue_fill"]) == 1
