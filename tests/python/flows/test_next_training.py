"""Where a training begins on a source of ours that was read before (T5)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from fitgenerator import (
    Checkpoint,
    batch_sequence,
    evaluate_generator,
    flow_from_data,
    flow_from_frame,
    predict_generator,
    timeseries_generator,
)
from fitgenerator.images import ImageDataGenerator
from support.r_code import closure
from support.tiny_trainings import (
    Seen,
    at_batch_begin,
    at_epoch_end,
    catch,
    echo_model,
    numbered,
    numbered_batch,
    run,
)

X = np.arange(10, dtype="float32")[:, None]


def image_flow() -> Any:
    augmented = ImageDataGenerator(brightness_range=(0.5, 1.5))
    flow = augmented.flow(100 + X.reshape(10, 1, 1, 1), 0 * X, batch_size=3, seed=1)
    return flow


MADE: dict[str, Callable[[], Any]] = {
    "data": lambda: flow_from_data(X, 0 * X, batch_size=3, seed=1),
    "balanced": lambda: flow_from_data(X, X[:, 0] > 5, batch_size=3, seed=1, balance=True),
    "frame": lambda: flow_from_frame(
        {"x": X[:, 0], "y": 0 * X[:, 0]}, "x", "y", batch_size=3, seed=1
    ),
    "series": lambda: timeseries_generator(
        np.arange(11.0), np.zeros(11), 1, batch_size=3, shuffle=True, seed=1
    ),
    "sequence": lambda: batch_sequence(numbered_batch, 4, shuffle=True, seed=1),
    "epochs": lambda: batch_sequence(lambda n, epoch: numbered_batch(10 * epoch + n), 4),
    "R": lambda: batch_sequence(
        closure("function(i) list(matrix(rnorm(2)), matrix(0, 2, 1))"), 4, shuffle=True, seed=1
    ),
    "images": image_flow,
}


@pytest.fixture(params=MADE, ids=MADE)
def make(request: pytest.FixtureRequest) -> Callable[[], Any]:
    return MADE[request.param]


@pytest.fixture(scope="module")
def image_model() -> Any:
    model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(1, use_bias=False, kernel_initializer="ones"))
    model.compile(keras.optimizers.SGD(0.0), lambda _, outputs: outputs)
    return model


@pytest.fixture
def seen_by(image_model: Any) -> Callable[..., list[float]]:
    """What a training on a source sees: the mean of each batch."""

    def train(source: Any, *steps: Any, **options: Any) -> list[float]:
        seen = Seen()
        model = image_model if isinstance(source, type(image_flow())) else echo_model()
        run(model, source, *steps, callbacks=[seen, *options.pop("also", [])], **options)
        return seen.train

    return train


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T5_one_epoch_calls_equal_one_call(make: Any, seen_by: Any, workers: int) -> None:
    whole, source = seen_by(make(), None, 5), make()
    parts = [seen_by(source, workers=workers) for _ in range(3)]
    parts.append(seen_by(source, None, 2, workers=workers))
    assert [*chain(*parts)] == whole
    assert len(whole) == 20
    assert parts[0] != parts[1]


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_T5_so_do_calls_whose_epochs_are_no_passes(make: Any, seen_by: Any, steps: int) -> None:
    whole, source = seen_by(make(), steps, 5), make()
    parts = [seen_by(source, steps) for _ in range(4)] + [seen_by(source, steps, workers=2)]
    assert [*chain(*parts)] == whole


def test_T5_an_epoch_that_is_given_decides(make: Any, seen_by: Any) -> None:
    whole, source = seen_by(make(), None, 4), make()
    assert seen_by(source, None, 4, initial_epoch=2) == whole[8:]
    assert seen_by(source, None, 2, initial_epoch=1) == whole[4:8]
    assert seen_by(source, None, 1, initial_epoch=0) == whole[:4]
    assert seen_by(source) == whole[4:8]  # after what was read last


def test_T5_a_checkpoint_decides(make: Any, seen_by: Any, tmp_path: Path) -> None:
    whole, source = seen_by(make(), None, 4), make()
    seen_by(source)
    for epochs in (1, 3, 4):
        part = seen_by(source, None, epochs, also=[Checkpoint(tmp_path / "a.npz")])
        assert part == whole[4 * {1: 0, 3: 1, 4: 3}[epochs] : 4 * epochs]


def test_T5_keras_own_backup_decides(seen_by: Any, tmp_path: Path) -> None:
    make = MADE["data"]
    whole, source = seen_by(make(), None, 4), make()
    seen_by(source)

    def backup() -> Any:
        return keras.callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)

    assert seen_by(source, None, 2, also=[backup()]) == whole[:8]
    assert seen_by(source, None, 4, also=[backup()]) == whole[8:]


class FromThird(keras.callbacks.Callback):
    """Has the training begin with its third epoch, as callbacks do that restore one."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.model._initial_epoch = 2


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras3", "keras2"])
def test_T5_a_model_that_is_not_built_begins_with_the_epoch_that_is_restored(
    make: Any, package: Any, seen_by: Any, queue: int
) -> None:
    whole, source = seen_by(make(), None, 4), make()
    layers = package.layers
    ones = {"use_bias": False, "kernel_initializer": "ones"}
    model = package.Sequential([layers.Flatten(), layers.Dense(1, **ones)])
    model.compile(package.optimizers.SGD(0.0), lambda _, outputs: outputs)
    seen = Seen()
    history = run(model, source, None, 3, [FromThird(), seen], max_queue_size=queue)
    assert history.epoch == [2]
    assert seen.train == whole[8:12]
    assert seen_by(source) == whole[12:]


def test_T5_a_generator_goes_on_with_the_batch_that_built_the_model(queue: int) -> None:
    model = keras.Sequential([keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), lambda _, outputs: outputs)
    seen = Seen()
    run(model, numbered(), 2, 4, [FromThird(), seen], max_queue_size=queue)
    assert seen.train == [1, 2, 3, 4]


def test_T5_evaluation_prediction_and_validation_do_not_advance_it(
    make: Any, seen_by: Any, image_model: Any
) -> None:
    whole, source = seen_by(make(), None, 3), make()
    assert seen_by(source) == whole[:4]
    model = image_model if isinstance(source, type(image_flow())) else echo_model()
    first = evaluate_generator(model, source)
    evaluate_generator(model, source, 2)
    catch(lambda: predict_generator(model, source, workers=2))
    assert seen_by(source, validation_data=source) == whole[4:8]
    run(model, make(), None, 2, None, source, validation_steps=2)
    assert seen_by(source) == whole[8:]
    assert first == pytest.approx(evaluate_generator(model, make()), rel=0.2)


@pytest.mark.parametrize("how", [None, RuntimeError("broken off"), KeyboardInterrupt()])
def test_T5_a_pass_that_is_broken_off_does_not_count(make: Any, seen_by: Any, how: Any) -> None:
    whole, source = seen_by(make(), None, 4), make()
    model = echo_model()

    def stop(number: int) -> None:
        if how is not None and number == 1:
            raise how

    seen_by(source)
    if how is None:
        seen_by(source, 2)
    else:
        with pytest.raises((RuntimeError, KeyboardInterrupt)):
            seen_by(source, None, 3, also=[at_batch_begin(stop)])
    again = seen_by(source)
    if make is not MADE["images"]:
        assert again == whole[4:8]
    assert model is echo_model()


def test_T5_an_early_stop_leaves_what_was_fetched_ahead(seen_by: Any) -> None:
    make = MADE["sequence"]
    whole, source = seen_by(make(), None, 3), make()
    stop = at_epoch_end(lambda epoch: setattr(echo_model(), "stop_training", True))
    assert seen_by(source, None, 9, also=[stop]) == whole[:4]
    assert seen_by(source) == whole[4:8]


def test_T5_models_of_keras_2_too() -> None:
    dense = tf_keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = tf_keras.Sequential([tf_keras.layers.InputLayer((1,)), dense])
    model.compile(tf_keras.optimizers.SGD(0.0), "mae")

    def losses(source: Any, epochs: int) -> list[float]:
        order: list[float] = []
        note = tf_keras.callbacks.LambdaCallback(
            on_batch_end=lambda batch, logs: order.append(logs["loss"])
        )
        run(model, source, None, epochs, [note])
        return order

    whole, source = losses(MADE["data"](), 3), MADE["data"]()
    assert [*chain(*(losses(source, 1) for _ in range(3)))] == whole


def test_T5_keras_own_fit_goes_on_by_itself() -> None:
    source = MADE["data"]()
    echo_model().fit(source, epochs=2, shuffle=False, verbose=0)
    assert source.epoch >= 2
