"""What is wrong with a batch for a model without a loss, or with steps of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import keras
import numpy as np
from fitgenerator import evaluate_generator, predict_generator
from fitgenerator.batches.preparation import Preparer

from support.array_kinds import recursive
from support.tiny_trainings import linear_model, make_batches, run

X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")


class OwnSteps(keras.Sequential):
    """A model whose steps could take anything."""

    def train_step(self, data: Any) -> Any:
        return super().train_step(data)

    def predict_step(self, data: Any) -> Any:
        return super().predict_step(data)


def _model(kind: Any = keras.Sequential, loss: Any = None) -> Any:
    model = kind([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss)
    return model


def own(raw: Any, **options: Any) -> Callable[[], object]:
    """Training a model with steps of its own on one batch."""
    return lambda: run(_model(OwnSteps), iter([raw]), 1, **options)


def for_replicas() -> None:
    """Prepare parts of unequal length for a model of several replicas."""
    preparer = Preparer(_model(OwnSteps))
    preparer._replicas = mock.Mock()
    preparer((X, Y[:3]))


class LosesLogs(keras.Sequential):
    """A model whose steps return no logs."""

    def train_step(self, data: Any) -> Any:
        super().train_step(data)

    def test_step(self, data: Any) -> Any:
        return super().test_step(data)["loss"]


def lost(call: Callable[..., object], *given: Any) -> Callable[[], object]:
    """A call with such a model."""
    return lambda: call(_model(LosesLogs, "mse"), iter([(X, Y)]), 1, *given)


class OwnFunction(keras.Sequential):
    """A model that makes what `fit` calls itself."""

    def make_train_function(self, force: bool = False) -> None:
        self.train_function = lambda iterator: {"loss": len(list(iterator))}


def refrozen() -> None:
    """Train again, after a layer was frozen and the model not compiled."""
    model = linear_model()
    run(model, make_batches(1))
    model.layers[0].trainable = False
    run(model, make_batches(1))


OWN_STEPS: dict[str, Callable[[], object]] = {
    "targets that are None": lambda: run(linear_model(), iter([(X, None)]), 1),
    "inputs alone, to evaluate": lambda: evaluate_generator(linear_model(), iter([X]), 1),
    "four parts without a loss": lambda: run(_model(), iter([(X, Y, Y, Y)]), 1),
    "no array for an own step": own((None, {})),
    "no rows for an own step": own({"a": X[:0]}),
    "parts of unequal length for replicas": for_replicas,
    "a number for an own step": own({"a": (X, 3.0)}),
    "dates for an own step": own({"a": Y.astype("int64").astype("datetime64[D]")}),
    "a list in itself for an own step": own(recursive()),
    "classes in another form": own({"a": X, "b": Y}, class_weight={1: 2}),
    "a step that returns nothing": lost(run),
    "a step that returns a number": lost(evaluate_generator),
    "a function of the model's own": lambda: run(_model(OwnFunction, "mse"), iter([(X, Y)]), 1),
    "text for an own prediction": lambda: predict_generator(_model(OwnSteps), iter(["text"]), 1),
}
FREEZING: dict[str, Callable[[], object]] = {"a layer that was frozen since": refrozen}
