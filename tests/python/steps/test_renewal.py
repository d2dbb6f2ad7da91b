"""What Keras forgets, we forget; what Keras goes on with, we go on with. In both Kerases."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from fitgenerator.steps.chosen import steps_of
from support.both_kerases import BOTH, RUNS, dense_model, ours, theirs
from support.tiny_trainings import (
    forever,
    keras_history,
    make_batches,
    run,
    same_weights,
    weights_of,
)

QUANTIZES = pytest.mark.filterwarnings("ignore:.*[Qq]uantiz")


def model_that_adds_its_loss(package: Any) -> Any:
    class Penalty(package.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            self.add_loss(tf.reduce_mean((x - 1) ** 2))
            return x

    package.utils.set_random_seed(7)
    inputs = package.Input((3,))
    return package.Model(inputs, Penalty()(package.layers.Dense(2)(inputs)))


def scaled_model(package: Any) -> Any:
    """A model whose own steps read an attribute when they are traced, and then no more."""

    class Scaled(package.Sequential):  # type: ignore[misc]
        scale = 1.0

        def test_step(self, data: Any) -> Any:
            return {"scaled": self.scale * tf.reduce_mean(self(data[0]))}

        def predict_step(self, data: Any) -> Any:
            return self.scale * self(data[0])

        def train_step(self, data: Any) -> Any:
            weights = self.trainable_variables
            with tf.GradientTape() as tape:
                loss = self.scale * tf.reduce_mean((self(data[0]) - data[1]) ** 2)
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return {"scaled": loss}

    package.utils.set_random_seed(7)
    model = Scaled([package.layers.Input((3,)), package.layers.Dense(1)])
    model.compile(package.optimizers.SGD(0.05))
    return model


# -- compile, quantize, make_train_function -----------------------------------------------------


@BOTH
def test_T3_compiling_again_is_noticed_whatever_it_leaves_as_it_was(package: Any) -> None:
    def histories(fit: Callable[[Any], Any]) -> Any:
        model, optimizer = model_that_adds_its_loss(package), package.optimizers.SGD(0.05)
        found = []
        for _ in range(3):  # neither a loss nor metrics, and the same optimizer
            model.compile(optimizer)
            found.append(fit(model))
        return found

    assert histories(ours) == histories(theirs)


@BOTH
@pytest.mark.parametrize("mode", RUNS)
@pytest.mark.parametrize("again", ["compile", "make function"])
def test_T3_an_own_step_is_traced_anew_where_Keras_traces_it_anew(
    package: Any, mode: str, again: str
) -> None:
    def results(call: Callable[[Any], Any]) -> Any:
        model = scaled_model(package)
        found = [call(model)]
        model.scale = 0.5
        found.append(call(model))  # Keras goes on with what it has traced
        if again == "compile":
            model.compile(model.optimizer)
        else:
            getattr(model, f"make_{mode}_function")(force=True)
        return [*found, call(model)]

    mine, others = RUNS[mode]
    assert results(mine) == results(others)


@BOTH
def test_T3_what_is_made_anew_in_a_callback_counts_from_the_next_epoch_on(package: Any) -> None:
    model = scaled_model(package)

    def renew(epoch: int, logs: Any = None) -> None:
        model.scale = 0.0
        if epoch == 2:
            model.make_train_function(force=True)

    callback = package.callbacks.LambdaCallback(on_epoch_begin=renew)
    ours(model)
    losses = run(model, make_batches(3), None, 4, [callback]).history["scaled"]
    assert losses[2:] == [0, 0]
    assert min(losses[:2]) > 0


@BOTH
@pytest.mark.parametrize("mode", RUNS)
def test_T3_a_second_call_traces_nothing_again(package: Any, mode: str) -> None:
    model = scaled_model(package)
    first = RUNS[mode][0](model)
    traces = steps_of(model).traces
    assert RUNS[mode][0](model) == first or mode == "train"
    assert steps_of(model).traces == traces


@BOTH
@pytest.mark.parametrize("mode", RUNS)
def test_T3_Keras_own_calls_in_between_change_nothing(package: Any, mode: str) -> None:
    mine, others = RUNS[mode]
    calls = [mine, others, mine, others]
    mixed, plain = dense_model(package), dense_model(package)
    for call in calls:
        left, right = (keras.tree.flatten(value) for value in (call(mixed), others(plain)))
        np.testing.assert_allclose(left, right, rtol=1e-5)
    assert same_weights(weights_of(mixed), weights_of(plain))
    assert steps_of(mixed).traces == 1


@BOTH
def test_T3_Keras_own_calls_afterwards_are_those_of_a_model_that_we_never_saw(
    package: Any, tmp_path: Any
) -> None:
    model, plain = dense_model(package), dense_model(package)
    for mine, _ in RUNS.values():
        mine(model)
    plain.set_weights(model.get_weights())
    board = package.callbacks.TensorBoard(str(tmp_path))
    given = {"steps_per_epoch": 3, "epochs": 2}
    assert keras_history(model, forever(make_batches(3)), callbacks=[board], **given) == (
        keras_history(plain, forever(make_batches(3)), **given)
    )
    for _, others in RUNS.values():
        assert others(model) == others(plain)
    copied = pickle.loads(pickle.dumps(model))
    cloned = package.models.clone_model(model)
    assert same_weights(weights_of(copied), weights_of(model))
    assert copied.train_function is None
    assert cloned.train_function is None


def test_T3_TensorBoard_of_Keras_2_looks_for_no_graph_where_Keras_has_traced_none(
    tmp_path: Any,
) -> None:
    model = dense_model(tf_keras)
    board = tf_keras.callbacks.TensorBoard(str(tmp_path), update_freq="batch")
    run(model, make_batches(3), callbacks=[board])
    assert list(tmp_path.rglob("events*"))


@BOTH
def test_T3_a_train_function_of_the_models_own_is_made_once_as_fit_makes_it(package: Any) -> None:
    made: list[bool] = []

    class Own(package.Sequential):  # type: ignore[misc]
        def make_train_function(self, force: bool = False) -> Any:
            if self.train_function is None or force:
                made.append(force)
            return super().make_train_function(force)

    model = Own([package.layers.Input((3,)), package.layers.Dense(1)])
    model.compile("sgd", "mse")
    for _ in range(2):
        ours(model)
    theirs(model)
    assert made == [False]


@QUANTIZES
@pytest.mark.parametrize("frozen", [False, True])
def test_T4_a_quantized_model_predicts_as_such(frozen: bool) -> None:
    model = dense_model(keras, compiled=False)
    model.trainable = not frozen
    mine, others = RUNS["predict"]
    before = mine(model)
    assert before == others(model)
    model.quantize("int8")
    assert mine(model) != before
    assert mine(model) == others(model)
