"""What a checkpoint keeps of a model: every kind goes on, another model is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from fitgenerator import Checkpoint
from support.tiny_trainings import (
    Watched,
    at_epoch_end,
    batches_from,
    everything,
    linear_model,
    run,
    same_history,
    same_weights,
    weights_of,
)

STEPS = 3
Make = Callable[[], Any]


# -- all kinds of models ------------------------------------------------------------------------


class Noisy(keras.layers.Layer):
    """Draws from Keras's global seed generator."""

    def call(self, inputs: Any) -> Any:
        return inputs + keras.random.normal(keras.ops.shape(inputs))


class OwnOptimizer(keras.Model):
    """Trains with an optimizer of its own; the one that it is compiled with is never used."""

    def __init__(self, build: bool = True, where: str = "own") -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)
        own = keras.optimizers.Adam(0.1)
        if where == "model":
            self.part = keras.Sequential([keras.Input((3,)), self.dense])
            self.part.compile(own)
        else:
            setattr(self, where, {"own": own, "list": [own], "dict": {"a": (1, own)}}[where])
        self.find = lambda: own
        self.build((None, 3))
        if build:
            own.build(self.dense.trainable_variables)
        self.compile("rmsprop", "mse")

    def build(self, shape: Any) -> None:
        if not self.dense.built:
            self.dense.build(shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.dense(inputs)

    def train_step(self, data: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = keras.ops.mean((self(data[0]) - data[1]) ** 2)
        variables = self.dense.trainable_variables
        self.find().apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


def layered(*layers: Any, built: bool = True, **settings: Any) -> Any:
    """A compiled model of these layers and a last one."""
    given = [keras.Input((3,))] if built else []
    model = keras.Sequential([*given, *layers, keras.layers.Dense(1)])
    model.compile(**{"optimizer": "adam", "loss": "mse", **settings})
    return model


def with_policy(policy: str) -> Any:
    """A model of which all layers have this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return layered(keras.layers.Dense(4, activation="relu"), keras.layers.Dropout(0.3))
    finally:
        keras.config.set_dtype_policy(before)


def averaging() -> Any:
    return keras.optimizers.SGD(0.01, 0.9, use_ema=True, gradient_accumulation_steps=2)


MODELS: dict[str, Make] = {
    "mixed precision": lambda: with_policy("mixed_float16"),
    "bfloat16": lambda: with_policy("bfloat16"),
    "not built": lambda: layered(keras.layers.BatchNormalization(), built=False),
    "unseeded noise": lambda: layered(Noisy()),
    "own optimizer": OwnOptimizer,
    "own optimizer in a list": lambda: OwnOptimizer(where="list"),
    "own optimizer in a dict": lambda: OwnOptimizer(where="dict"),
    "own optimizer of a part": lambda: OwnOptimizer(where="model"),
    "averages and accumulation": lambda: layered(optimizer=averaging()),
    "eager": lambda: layered(keras.layers.Dropout(0.3), run_eagerly=True),
}


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_of_model_goes_on(kind: str, tmp_path: Path) -> None:
    path, later = tmp_path / "c.npz", tmp_path / "later.npz"

    def new() -> Any:
        keras.utils.set_random_seed(3)
        return MODELS[kind]()

    def keep(epoch: int) -> None:
        if epoch == 2:  # the file is written behind the other callbacks
            shutil.copy(path, later)

    whole, resumed = new(), new()
    expected = run(whole, batches_from(0), STEPS, 4, [Checkpoint(path), at_epoch_end(keep)])
    assert Checkpoint(later).epoch == 2
    history = run(resumed, batches_from(2), STEPS, 4, [Checkpoint(later)])
    assert same_history(history, expected.history)
    assert same_weights(states_of(resumed), states_of(whole))


def states_of(model: Any) -> list[Any]:
    own = model.find().variables if isinstance(model, OwnOptimizer) else ()
    return everything(model) + [v.numpy() for v in own]


def test_an_optimizer_without_variables_is_refused_in_words(tmp_path: Path) -> None:
    run(OwnOptimizer(), batches_from(0), STEPS, 1, [Checkpoint(tmp_path / "c.npz")])
    with pytest.raises(ValueError, match=r"`own` has no variables yet.*own\.build\(variables\)"):
        run(OwnOptimizer(False), batches_from(0), STEPS, 2, [Checkpoint(tmp_path / "c.npz")])


UNFIT: dict[str, tuple[Make, str]] = {
    "shape": (lambda: layered(keras.layers.Dense(5)), r"kernel of shape \(3, 4\).*\(3, 5\)"),
    "number": (
        lambda: linear_model(optimizer="adam"),
        "holds 4 variables of the model, which has 2",
    ),
    "type": (
        lambda: layered(keras.layers.Dense(4, dtype="float16")),
        r"variable 1 of the model is .*kernel of .*type float32 in it, where .*type float16",
    ),
    "optimizer": (
        lambda: layered(keras.layers.Dense(4), optimizer="sgd"),
        # With Keras 3.7, its seeds are variables, too.
        "written with the optimizer Adam( and the global seed generator)?, where there is the "
        "optimizer SGD",
    ),
    "schedule": (
        lambda: layered(
            keras.layers.Dense(4),
            optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9)),
        ),
        "it holds 10 variables of the optimizer Adam, which has 9",
    ),
}


@pytest.mark.parametrize("difference", UNFIT)
def test_another_model_is_refused_and_left_as_it_was(difference: str, tmp_path: Path) -> None:
    other, message = UNFIT[difference]
    path = tmp_path / "c.npz"
    run(layered(keras.layers.Dense(4)), batches_from(0), STEPS, 1, [Checkpoint(path)])
    model, source = other(), Watched(batches_from(0))
    before = weights_of(model)
    with pytest.raises(ValueError, match=r"c\.npz does not fit the model") as caught:
        run(model, source, STEPS, 2, [Checkpoint(path)])
    assert caught.match(message)
    assert caught.match("Give the model that it was written for, or another path, or remove")
    assert source.pulls == 0
    assert same_weights(weights_of(model), before)
    assert Checkpoint(path).epoch == 1
