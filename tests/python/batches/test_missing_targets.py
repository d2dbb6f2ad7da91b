"""T20: batches without targets, in both Kerases; and a named tuple in another order."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitgenerator import ArgumentError, BatchError, evaluate_generator, predict_generator
from support.both_kerases import BOTH
from support.tiny_trainings import (
    forever,
    keras_history,
    linear_model,
    run,
    same_weights,
    shown,
    weights_of,
)

X = np.linspace(-1, 1, 8, dtype="float32").reshape(4, 2)
Y = np.ones((4, 1), "float32")
W = np.arange(4, dtype="float32")


def added_loss(package: Any, loss: Any = None, outputs: int = 1) -> Any:
    """A model that adds its loss itself."""

    class Penalty(package.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            self.add_loss(tf.reduce_mean((x - 1) ** 2))
            return x

    package.utils.set_random_seed(7)
    inputs = package.Input((2,))
    last = [Penalty()(package.layers.Dense(1)(inputs)) for _ in range(outputs)]
    model = package.Model(inputs, last if outputs > 1 else last[0])
    model.compile(package.optimizers.SGD(0.05), loss)
    return model


NO_TARGETS = [(X,), (X, ()), (X, {}), (X, []), (X, None), [X], [X, None], (X, None, None), X]
NAMES = ["(x,)", "(x, ())", "(x, {})", "(x, [])", "(x, None)", "[x]", "[x, None]", "3 parts", "x"]


@BOTH
@pytest.mark.parametrize("batch", NO_TARGETS, ids=NAMES)
@pytest.mark.parametrize("loss", [None, "only None"])
def test_T20_missing_targets_are_none_where_there_is_no_loss(
    package: Any, batch: Any, loss: Any
) -> None:
    def made() -> Any:
        return added_loss(package, loss and [None, None], 2 if loss else 1)

    expected = keras_history(made(), forever([(X, {})]), steps_per_epoch=3, epochs=2)
    model = made()
    history = run(model, forever([batch]), 3, 2, None, forever([batch]), validation_steps=1)
    assert history.history["loss"] == expected["loss"]
    assert history.history["val_loss"][1] == evaluate_generator(model, forever([batch]), 2)
    assert predict_generator(added_loss(package), forever([batch]), 1).shape == (4, 1)


@BOTH
@pytest.mark.parametrize("batch", NO_TARGETS, ids=NAMES)
def test_T20_E2_missing_targets_are_refused_where_there_is_a_loss(package: Any, batch: Any) -> None:
    model = added_loss(package, "mse")
    before = weights_of(model)
    for call in (
        lambda: run(model, forever([batch]), 1),
        lambda: evaluate_generator(model, forever([batch]), 1),
    ):
        with pytest.raises(BatchError, match="compiled without a loss") as caught:
            call()
        assert "While batch 1 of `generator` was made" in shown(caught.value)
    assert same_weights(weights_of(model), before)


@BOTH
def test_T20_targets_that_are_there_are_checked_without_a_loss_too(package: Any) -> None:
    with pytest.raises(BatchError, match="same number of rows"):
        run(added_loss(package), forever([(X, Y[:3])]), 1)
    with pytest.raises(BatchError, match="train_step of the model's own"):
        run(added_loss(package), forever([(X, Y, W, W)]), 1)


@BOTH
def test_T20_a_loss_of_one_output_needs_targets(package: Any) -> None:
    model = added_loss(package, ["mse", None], 2)
    with pytest.raises(BatchError, match="targets are missing"):
        run(model, forever([(X, None)]), 1)


@BOTH
def test_T20_several_inputs_without_targets(package: Any) -> None:
    def made() -> Any:
        package.utils.set_random_seed(7)
        inputs = {name: package.Input((2,), name=name) for name in ("a", "b")}
        base = added_loss(package)
        model = package.Model(inputs, base(package.layers.Add()(list(inputs.values()))))
        model.compile("sgd")
        return model

    named = {"a": X, "b": X}
    expected = keras_history(made(), forever([(named,)]), steps_per_epoch=2)
    for batch in ((named,), named, [named], (named, None)):
        assert run(made(), forever([batch]), 2).history == expected


@BOTH
def test_T20_fixed_arrays_without_targets_validate(package: Any) -> None:
    expected = run(added_loss(package), forever([(X,)]), 2, 1, None, (X, None)).history
    assert np.isfinite(expected["val_loss"]).all()
    alone: Any
    for alone in ((X,), [X]):
        history = run(added_loss(package), forever([(X,)]), 2, 1, None, alone).history
        assert history["val_loss"] == expected["val_loss"]
    with pytest.raises(ArgumentError, match="as fixed arrays must be"):
        run(linear_model(), forever([(X, Y)]), 1, 1, None, (X,))


def test_a_named_tuple_in_another_order_is_refused_after_plain_batches_too() -> None:
    class Turned(NamedTuple):
        y: Any
        x: Any

    batches = [(Y, Y), Turned(Y, 2 * Y)]
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    with pytest.raises(BatchError, match="named tuple"):
        run(model, iter(batches), 2)
