"""Sample weights of several outputs: whatever their form, those that are missing are 1."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from fitgenerator import BatchError, evaluate_generator
from support.tiny_trainings import run

X = np.arange(12, dtype="float32").reshape(4, 3)
Y = np.zeros((4, 1), "float32")
W, ONE = np.array([1, 2, 3, 4], "float32"), np.ones(4, "float32")


def model_of(package: Any, named: bool) -> Any:
    """Two outputs, in a dict or in a list, from the same weights."""
    inputs = package.Input((3,))
    a, b = (package.layers.Dense(1, name=n, kernel_initializer="ones")(inputs) for n in "ab")
    model = package.Model(inputs, {"a": a, "b": b} if named else [a, b])
    model.compile(package.optimizers.SGD(0.01), "mse")
    return model


def history(package: Any, named: bool, targets: Any, weights: Any) -> Any:
    batches = iter([(X, targets, weights)] * 2)
    return run(model_of(package, named), batches, 2).history


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "keras2"])
@pytest.mark.parametrize("named", [False, True], ids=["list", "dict"])
@pytest.mark.parametrize(
    "weights", [{"a": W}, {"a": W, "b": None}, {"a": W, "b": ONE}, [W, None], [W, ONE]], ids=str
)
def test_T28_an_output_without_weights_has_weights_of_1(
    package: Any, named: bool, weights: Any
) -> None:
    targets = {"a": Y, "b": Y}
    full: Any = {"a": W, "b": ONE} if named else [W, ONE]
    wanted = history(package, named, targets if named else [Y, Y], full)
    assert history(package, named, targets, weights) == wanted
    assert wanted["a_loss"] != wanted["b_loss"]
    (scores,) = {
        tuple(evaluate_generator(model_of(package, named), iter([(X, targets, w)]), 1))
        for w in (weights, full)
    }
    assert len(scores) == 3


def test_T28_a_subclassed_model_s_outputs_are_those_of_its_targets() -> None:
    class Two(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = [keras.layers.Dense(1, kernel_initializer="ones") for _ in "ab"]

        def call(self, x: Any) -> Any:
            return {"a": self.dense[0](x), "b": self.dense[1](x)}

    def losses(weights: Any) -> Any:
        model = Two()
        model.compile(keras.optimizers.SGD(0.01), {"a": "mse", "b": "mse"})
        return run(model, iter([(X, {"a": Y, "b": Y}, weights)]), 1).history["loss"]

    assert losses({"a": W}) == losses({"a": W, "b": ONE})


@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras", "keras2"])
def test_T28_weights_that_fit_no_output_are_refused(package: Any) -> None:
    for weights, text in (
        ([W], "are a list of 1, and the model has 2 outputs: give one for each, None"),
        ({"a": W, "c": W}, "weights are named a, c; the model's outputs are named a, b"),
    ):
        with pytest.raises(BatchError, match=text):
            history(package, False, [Y, Y], weights)
