"""Models of Keras 2 (`tf_keras`): what `fit_generator` does equals what their own `fit` does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from fitgenerator import (
    Checkpoint,
    TrainableWarning,
    evaluate_generator,
    fit_generator,
    predict_generator,
)
from fitgenerator.models.keras_versions import Keras2, Keras3, keras_version_of
from support.tiny_trainings import (
    Batch,
    at_epoch_end,
    forever,
    keras_history,
    make_batches,
    notes_of,
    run,
    same_weights,
    weights_of,
)

QUIET: dict[str, Any] = {"verbose": 0}
CLASS_WEIGHT = {0: 1.0, 1: 3.0}


@pytest.fixture(autouse=True)
def one_seed_of_keras_2() -> None:
    tf_keras.utils.set_random_seed(5)


def model_of(package: Any = tf_keras, **settings: Any) -> Any:
    """The same model in either Keras."""
    layers = package.layers
    model = package.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(4, activation="relu", kernel_initializer=start(0)),
            layers.BatchNormalization(),
            layers.Dense(1, activation="sigmoid", kernel_initializer=start(1)),
        ]
    )
    settings = {"optimizer": "adam", "loss": "binary_crossentropy", **settings}
    model.compile(metrics=["accuracy", "mae"], weighted_metrics=["mse"], **settings)
    return model


def start(seed: int) -> Any:
    def initializer(shape: Any, dtype: Any = None, **_: Any) -> Any:
        return tf.constant(np.random.default_rng(seed).normal(size=shape), dtype)

    return initializer


def uneven_batches(weighted: bool = False) -> list[Batch]:
    """Batches of several sizes, of doubles, with classes and perhaps weights."""
    random = np.random.default_rng(1)
    batches = []
    for rows in (4, 1, 4, 3, 4):
        inputs, targets = random.normal(size=(rows, 3)), random.integers(0, 2, size=(rows, 1))
        batches.append((inputs, targets) + ((random.random(rows),) if weighted else ()))
    return batches


def assert_close(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Same names in the same order, numbers equal to 1e-5."""
    assert list(ours) == list(theirs)
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], rtol=1e-5)


@pytest.mark.parametrize("queue", [0, 10])
@pytest.mark.parametrize("weighted", [False, True])
def test_history_and_weights_equal_those_of_keras_2(queue: int, weighted: bool) -> None:
    ours, theirs, batches = model_of(), model_of(), uneven_batches(weighted)
    given = {"validation_steps": 2, "class_weight": None if weighted else CLASS_WEIGHT, **QUIET}
    history = fit_generator(
        ours,
        forever(batches),
        5,
        3,
        validation_data=forever(batches[:2]),
        max_queue_size=queue,
        **given,
    )
    expected = theirs.fit(
        forever(batches),
        steps_per_epoch=5,
        epochs=3,
        validation_data=dataset(batches[:2]),
        **given,
    )
    assert_close(history.history, expected.history)
    for mine, other in zip(weights_of(ours), weights_of(theirs), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)
    assert ours.history is history
    assert int(ours._train_counter.numpy()) == int(theirs._train_counter.numpy())
    assert_close(
        evaluate_generator(ours, forever(batches), 5, return_dict=True),
        theirs.evaluate(dataset(batches), return_dict=True, **QUIET),
    )
    np.testing.assert_allclose(
        predict_generator(ours, forever(batches), 5),
        theirs.predict(dataset(batches), **QUIET),
        rtol=1e-5,
        atol=1e-6,
    )


def dataset(batches: list[Batch]) -> Any:
    """The batches as a data set, which Keras 2 reads from the first each time."""
    parts = [tf.TensorSpec((None, *np.shape(p)[1:]), p.dtype) for p in batches[0]]
    return tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=tuple(parts))


def test_several_steps_in_a_call_give_the_same_bits(loops_pay: None) -> None:
    batches = [(x[:4].astype("float32"), y) for x, y in uneven_batches() if len(x) == 4]
    history = run(model_of(), forever(batches), 60)
    alone = run(model_of(), forever(batches), 60, max_queue_size=0)
    assert history.history == alone.history
    assert history.pipeline.calls < history.pipeline.steps


def test_steps_per_execution_and_eager_steps() -> None:
    expected = run(model_of(), forever(uneven_batches()), 5).history
    seen: list[int] = []
    note = tf_keras.callbacks.LambdaCallback(on_batch_end=lambda batch, logs: seen.append(batch))
    for settings in ({"steps_per_execution": 2}, {"run_eagerly": True}):
        model = model_of(**settings)
        assert_close(run(model, forever(uneven_batches()), 5, callbacks=note).history, expected)
    assert seen[3:] == [0, 1, 2, 3, 4]


def test_callbacks_of_keras_2_work(tmp_path: Path) -> None:
    kinds = tf_keras.callbacks
    seen: list[str] = []

    class Mine(kinds.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.extend(logs)

    callbacks = kinds.CallbackList(
        [
            Mine(),
            kinds.EarlyStopping("val_loss", patience=1, min_delta=10.0, restore_best_weights=True),
            kinds.ModelCheckpoint(str(tmp_path / "w.{epoch}.weights.h5"), save_weights_only=True),
            kinds.CSVLogger(str(tmp_path / "log.csv")),
            kinds.ReduceLROnPlateau("loss"),
            kinds.TensorBoard(str(tmp_path / "board")),
            kinds.TerminateOnNaN(),
        ]
    )
    batches = uneven_batches()
    history = run(
        model_of(), forever(batches), 5, 9, callbacks, forever(batches), validation_steps=2
    )
    assert history.epoch == [0, 1]
    assert not history.incomplete
    assert seen[:3] == ["loss", "accuracy", "mae"]
    assert "val_loss" in seen
    assert (tmp_path / "w.2.weights.h5").exists()
    assert (tmp_path / "log.csv").read_text().count("\n") == 3


def test_stop_training_ends_the_epoch_at_once() -> None:
    model = model_of()

    def stop(batch: int, logs: Any) -> None:
        model.stop_training = batch == 1

    note = tf_keras.callbacks.LambdaCallback(on_batch_end=stop)
    history = run(model, forever(uneven_batches()), 5, 3, note)
    assert (history.epoch, int(model._train_counter.numpy())) == ([0], 2)
    assert run(model, forever(uneven_batches()), 5, 2).epoch == [0, 1]


def test_a_training_that_failed_goes_on(tmp_path: Path) -> None:
    batches = uneven_batches()
    undisturbed = run(model_of(), forever(batches), 5, 4)

    def fail(epoch: int) -> None:
        if epoch == 1:
            raise OSError("full")

    def ours(model: Any) -> Any:
        return Checkpoint(tmp_path / "training.npz")

    def theirs(model: Any) -> Any:
        return tf_keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))

    for make in (ours, theirs):
        model = model_of()
        with pytest.raises(OSError, match="full"):
            run(model, forever(batches), 5, 4, [make(model), at_epoch_end(fail)])
        model = model_of()
        history = run(model, forever(batches), 5, 4, [make(model)])
        assert history.epoch[-2:] == [2, 3]
        assert_close(
            {name: values[-2:] for name, values in history.history.items()},
            {name: values[-2:] for name, values in undisturbed.history.items()},
        )
        assert run(model, forever(batches), 5, 2).epoch == [0, 1]


def test_what_is_trainable_is_as_it_was_when_it_was_compiled() -> None:
    model = model_of()
    model.layers[0].trainable = False
    before = weights_of(model)[0]
    with pytest.warns(TrainableWarning, match="dense"):
        run(model, forever(uneven_batches()), 5)
    assert not np.array_equal(weights_of(model)[0], before)
    assert not model.layers[0].trainable


def test_a_model_that_is_not_built_and_one_with_several_inputs() -> None:
    class Mine(tf_keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = tf_keras.layers.Dense(1, kernel_initializer="ones")

        def call(self, inputs: Any) -> Any:
            return {"sum": self.dense(inputs["a"]) + self.dense(inputs["b"])}

    def batches() -> Iterator[Batch]:
        while True:
            yield {"b": np.ones((2, 3)), "a": np.zeros((2, 3))}, {"sum": np.zeros((2, 1))}

    model = Mine()
    model.compile(tf_keras.optimizers.SGD(0.0), "mae")
    assert run(model, batches(), 2).history["loss"] == [3.0]
    assert predict_generator(model, batches(), 2)["sum"].shape == (4, 1)
    inputs = {name: tf_keras.Input((3,), name=name) for name in "ab"}
    named = tf_keras.Model(inputs, tf_keras.layers.Add(name="sum")(list(inputs.values())))
    named.compile("sgd", {"sum": "mae"})
    assert evaluate_generator(named, batches(), 2) == 1.0


def test_an_error_in_a_step_names_the_batch_and_changes_no_weight() -> None:
    model, batches = model_of(), uneven_batches()
    batches[2] = (np.ones((4, 2)), np.ones((4, 1)))
    with pytest.raises(ValueError, match="incompatible") as caught:
        run(model, iter(batches), 5)
    assert "batch 3" in notes_of(caught.value)
    assert int(model._train_counter.numpy()) == 2


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "of before 2.11", "scaled"])
def test_E2_a_step_that_fails_changes_no_weight_of_any_output(optimizer: str) -> None:
    kinds, scale = tf_keras.optimizers, tf_keras.mixed_precision.LossScaleOptimizer
    made = {
        "adam": kinds.Adam(),
        "adamw": kinds.AdamW(),
        "of before 2.11": kinds.legacy.Adam(),
        "scaled": scale(kinds.AdamW(), dynamic=False, initial_scale=2.0),
    }
    inputs = tf_keras.Input((3,))
    model = tf_keras.Model(inputs, [tf_keras.layers.Dense(n)(inputs) for n in (1, 2)])

    def checked(targets: Any, outputs: Any) -> Any:
        return tf.debugging.check_numerics(tf_keras.losses.mse(targets, outputs), "no number")

    model.compile(made[optimizer], ["mse", checked])
    x, y = np.ones((4, 3)), [np.ones((4, 1)), np.ones((4, 2))]
    run(model, iter([(x, y)]), 1)
    before = weights_of(model)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        run(model, iter([(x, [y[0], np.full((4, 2), np.nan)])]), 1)
    assert "While batch 1 of `generator` was trained on." in notes_of(caught.value)
    assert same_weights(weights_of(model), before)
    assert int(model.optimizer.iterations) == 1
    assert "apply_gradients" not in vars(model.optimizer)
    assert "assign_add" not in vars(model.optimizer.iterations)


def test_a_model_with_an_optimizer_for_each_part_trains() -> None:
    kinds, deep = tf_keras.experimental, tf_keras.Sequential([tf_keras.layers.Dense(1)])
    model = kinds.WideDeepModel(kinds.LinearModel(), deep)
    model.compile(["sgd", "adam"], "mse")
    x, y = np.ones((4, 3)), np.ones((4, 1))
    losses = run(model, forever([(x, y)]), 1, 3).history["loss"]
    assert losses[0] > losses[1] > losses[2]
    assert [int(one.iterations) for one in model.optimizer] == [3, 3]


def test_the_keras_version_goes_by_the_model_and_another_thing_is_named() -> None:
    assert type(keras_version_of(model_of())) is Keras2
    assert type(keras_version_of(model_of(keras))) is Keras3
    with pytest.raises(TypeError, match=r"a keras\.Model, or a tf_keras\.Model, not .*Dense"):
        run(tf_keras.layers.Dense(1), forever(uneven_batches()), 1)
    with pytest.raises(ValueError, match="must be compiled"):
        run(tf_keras.Sequential([tf_keras.layers.Dense(1)]), forever(uneven_batches()), 1)


@pytest.mark.parametrize("size", [7, 64])
def test_a_group_of_keras_2_that_is_not_full_has_the_number_that_its_fit_gives(size: int) -> None:
    class Numbers(tf_keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[tuple[str, int]] = []

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seen.append(("train", batch))

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seen.append(("test", batch))

    batches = make_batches(10)
    seen = []
    for fit in (keras_history, run):
        model = tf_keras.Sequential([tf_keras.layers.Dense(1)])
        model.compile("sgd", "mse", steps_per_execution=size)
        numbers = Numbers()
        data = tf.data.Dataset.from_generator(
            lambda: iter(batches),
            output_signature=(tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))),
        ).apply(tf.data.experimental.assert_cardinality(10))
        fit(model, data, validation_data=data, callbacks=[numbers])
        seen.append(numbers.seen)
    assert seen[0] == seen[1]
    assert ("train", 9) in seen[1]
