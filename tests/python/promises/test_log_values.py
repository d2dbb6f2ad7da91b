"""What logs and history hold: numbers, arrays and mappings, as in this Keras's `fit` (T11)."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitgenerator import evaluate_generator
from support.both_kerases import BOTH
from support.keras_floor import KERAS_3_7
from support.tiny_trainings import forever, keras_history, run

BATCH = np.linspace(0, 1, 12, dtype="float32").reshape(4, 3), np.ones((4, 3), "float32")


def shape_of(value: Any) -> Any:
    """Types and values, for comparison."""
    if isinstance(value, dict):
        return {name: shape_of(part) for name, part in value.items()}
    if KERAS_3_7 and tf.is_tensor(value):  # newer versions make arrays of them, as we do
        value = keras.ops.convert_to_numpy(value)
    if isinstance(value, np.ndarray):
        return type(value), value.dtype, value.tolist()
    return type(value), str(value)


def noting(package: Any, log: list[Any]) -> Any:
    """A callback that writes down its logs."""

    class Noting(package.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            log.append(shape_of(logs))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            log.append(shape_of(logs))

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            log.append(shape_of(logs))

    return Noting()


def with_metrics(package: Any) -> Any:
    """A model with a metric of several values, and one of several names."""

    class Sums(package.metrics.Metric):  # type: ignore[misc]
        def __init__(self, name: str, *, named: bool = False) -> None:
            super().__init__(name=name)
            self.named = named
            self.sums = self.add_weight(name="sums", shape=(3,), initializer="zeros")

        def update_state(self, targets: Any, outputs: Any, sample_weight: Any = None) -> None:
            self.sums.assign_add(tf.reduce_sum(outputs, 0))

        def result(self) -> Any:
            sums = tf.convert_to_tensor(self.sums)
            return {"first": sums[0], "all": sums} if self.named else sums

        def reset_state(self) -> None:
            self.sums.assign(tf.zeros(3))

    package.utils.set_random_seed(3)
    model = package.Sequential([package.layers.Input((3,)), package.layers.Dense(3)])
    model.compile("sgd", "mse", metrics=[Sums("sums"), Sums("named", named=True)])
    return model


def with_own_step(package: Any) -> Any:
    """A model whose steps return logs of every kind."""

    class Own(package.Model):  # type: ignore[misc]
        built = True

        def train_step(self, data: Any) -> Any:
            total = tf.reduce_sum(data[0])
            return {
                "z": total,
                "inner": {"text": tf.constant("word"), "b": tf.constant([1, 2]), "a": total + 1.0},
                "count": tf.constant(3),
                "one": tf.constant([1.0]),
                "flag": tf.constant(True),
            }

        test_step = train_step

    model = Own()
    model.compile("sgd")
    return model


def skip_raw_evaluations(package: Any, make: Any) -> None:
    """Skip what an evaluation, or a validation, of an older Keras 3 does not make plain."""
    if package is not keras or make is not with_own_step:
        return
    result = make(keras).evaluate(forever([BATCH]), steps=1, return_dict=True, verbose=0)
    if any(map(tf.is_tensor, keras.tree.flatten(result))):
        pytest.skip("this Keras evaluates to what the step returned, neither flat nor as numbers")


@BOTH
@pytest.mark.parametrize("make", [with_metrics, with_own_step])
def test_T11_logs_hold_what_those_of_fit_hold(package: Any, make: Any) -> None:
    skip_raw_evaluations(package, make)
    theirs: list[Any] = []
    expected = keras_history(
        make(package),
        forever([BATCH]),
        steps_per_epoch=2,
        epochs=2,
        validation_data=BATCH,
        callbacks=[noting(package, theirs)],
    )
    ours: list[Any] = []
    history = run(make(package), forever([BATCH]), 2, 2, [noting(package, ours)], BATCH).history
    assert ours == theirs
    assert list(history) == list(expected)
    for name, values in history.items():
        assert [*map(shape_of, values)] == [*map(shape_of, expected[name])]


@BOTH
@pytest.mark.parametrize("make", [with_metrics, with_own_step])
def test_T11_evaluations_give_what_those_of_keras_give(package: Any, make: Any) -> None:
    skip_raw_evaluations(package, make)
    source = forever([BATCH])
    ours = evaluate_generator(make(package), source, 2, return_dict=True, verbose=1)
    theirs = make(package).evaluate(source, steps=2, return_dict=True, verbose=0)
    assert shape_of(ours) == shape_of(theirs)


def test_T11_history_with_several_values_is_drawn_and_printed(capsys: Any) -> None:
    pytest.importorskip("matplotlib").use("agg")
    history = run(with_metrics(keras), forever([BATCH]), 2, 2, verbose=2)
    assert "sums: [" in capsys.readouterr().out
    assert [axes.get_title(loc="left") for axes in history.plot()] == ["loss", "first"]
