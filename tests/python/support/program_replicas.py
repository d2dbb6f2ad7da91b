"""Trains the same models on one device and on two replicas; prints the differences as JSON.

    python program_replicas.py [CASE ...]

A process has its devices for as long as it lives, so this is a program of its own.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fitgenerator as fg
import keras
import numpy as np
import tensorflow as tf
from fitgenerator.training import call_policy

from support.shared_batches import sentences, vectors

(CPU,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(CPU, [tf.config.LogicalDeviceConfiguration()] * 3)
OWN = call_policy.SAVED
call_policy.SAVED = 1.0  # loops pay from a few steps on
layers, ops = keras.layers, keras.ops


def strategy_of(count: int) -> tf.distribute.Strategy:
    """A strategy of so many devices; several of them may be made in one process."""
    gather = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(
        [f"CPU:{i}" for i in range(count)], cross_device_ops=gather
    )


TWO, THREE = strategy_of(2), strategy_of(3)


@dataclass(frozen=True)
class Case:
    """A model, its batches, and how it is trained."""

    make: Callable[[], Any]
    batches: list[Any]
    options: dict[str, Any] = field(default_factory=dict)
    strategy: tf.distribute.Strategy = TWO


def dense(optimizer: Any = "adam", loss: Any = "mse", *more: Any, **options: Any) -> Any:
    """A compiled model of two dense layers."""
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(16, activation="tanh"), *more, layers.Dense(1)]
    )
    options.setdefault("metrics", ["mae"])
    model.compile(optimizer, loss, **options)
    return model


def masked(**options: Any) -> Any:
    """A model whose loss is a mean over the words that are there."""
    words = layers.Embedding(20, 4, mask_zero=True)
    model = keras.Sequential([words, layers.LSTM(6, return_sequences=True, **options)])
    model.add(layers.Dense(1))
    model.compile("adam", "mse", metrics=["mae"])
    return model


def two_outputs() -> Any:
    """A model of two outputs, each with a loss and a weight."""
    inputs = keras.Input((8,))
    hidden = layers.Dense(16, activation="tanh")(inputs)
    model = keras.Model(inputs, [layers.Dense(1, name=name)(hidden) for name in "ab"])
    model.compile(
        "adam", {"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 0.3}, metrics=[["mae"], []]
    )
    return model


def scaled(by: float) -> Any:
    """An optimizer that scales the loss."""
    return keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=by)


def mixed() -> Any:
    """A model that computes in 16 bits, with a scaled loss that does not overflow."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return dense(scaled(64.0))
    finally:
        keras.config.set_dtype_policy("float32")


def doubled(batches: list[Any]) -> list[Any]:
    """The same batches with two targets."""
    return [(x, (y, -y)) for x, y in batches]


class OwnStep(keras.Model):
    """A step that is not Keras's, with a metric of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)
        self.seen = keras.metrics.Mean(name="seen")

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        self.seen.update_state(ops.abs(y))
        # Beside a metric, under another name too: what only this step knows. "loss" is not the
        # tracker's, which has seen nothing.
        error = ops.mean(ops.abs(y))
        return {"seen": self.seen.result(), "again": self.seen.result(), "loss": error}


def own_step() -> Any:
    """A compiled model with a step of its own."""
    model = OwnStep()
    model.compile("adam", "mse")
    return model


def scalar_loss(y: Any, p: Any) -> Any:
    """A loss that is a mean already, as losses written in R often are."""
    return ops.mean(ops.square(y - p))


UNEVEN = vectors(11, 7, 1, 12, 5)
mse = keras.losses.MeanSquaredError
CASES: dict[str, Case] = {
    "equal rows": Case(dense, vectors(*[12] * 5)),
    "uneven rows": Case(dense, UNEVEN),
    "fewer rows than replicas": Case(dense, vectors(1, 2, 1, 2), strategy=THREE),
    "several steps a call": Case(dense, vectors(*[9] * 60), {"jit_compile": False}),
    "momentum": Case(lambda: dense(keras.optimizers.SGD(0.01, momentum=0.9)), UNEVEN),
    "loss scaling": Case(
        lambda: dense(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())), UNEVEN
    ),
    "mixed precision": Case(mixed, UNEVEN),
    "sample weights": Case(
        lambda: dense(weighted_metrics=["mae"]), vectors(11, 7, 1, 12, weighted=True)
    ),
    "mean by sample weight": Case(
        lambda: dense("adam", mse(reduction="mean_with_sample_weight")),
        vectors(11, 7, 1, 12, weighted=True),
    ),
    "sum": Case(lambda: dense("adam", mse(reduction="sum")), UNEVEN),
    "scalar loss": Case(lambda: dense("adam", scalar_loss), UNEVEN),
    "regularised": Case(
        lambda: dense(
            "adam",
            "mse",
            layers.Dense(4, kernel_regularizer="l2", activity_regularizer="l1"),
        ),
        UNEVEN,
    ),
    "batch normalisation": Case(
        lambda: dense("adam", "mse", layers.BatchNormalization(synchronized=True)),
        vectors(11, 7, 12, 5),
    ),
    "masked sentences": Case(masked, sentences(5, 4, 7, 2)),
    "masked and regularised": Case(
        lambda: masked(activity_regularizer="l2"), sentences(5, 4, 7, 2)
    ),
    "class weights": Case(
        lambda: dense("adam", "binary_crossentropy"),
        [(x, (y > 0.5).astype("float32")) for x, y in UNEVEN],
        {"class_weight": {0: 0.2, 1: 3.0}},
    ),
    "two outputs": Case(two_outputs, doubled(UNEVEN)),
    "step of its own": Case(own_step, UNEVEN),
    "eager": Case(lambda: dense(run_eagerly=True), UNEVEN[:3]),
    "compiled by XLA": Case(lambda: dense(jit_compile=True), UNEVEN),
    "epochs with validation": Case(
        dense,
        UNEVEN * 3,
        {"steps_per_epoch": 5, "epochs": 3, "validation_data": UNEVEN[1:4]},
    ),
}


def trained(case: Case, strategy: tf.distribute.Strategy | None) -> tuple[Any, Any]:
    """The model and its history."""
    keras.utils.set_random_seed(1)
    if strategy is None:
        model = case.make()
    else:
        with strategy.scope():
            model = case.make()
    options = {"steps_per_epoch": len(case.batches), **case.options}
    return model, fg.fit_generator(model, iter(case.batches), verbose=0, **options)


def far(one: Any, other: Any) -> float:
    """The largest difference, relative to the size of the numbers."""
    one, other = np.asarray(one, "float64"), np.asarray(other, "float64")
    scale = max(1.0, float(np.abs(one).max(initial=0.0)))
    return float(np.abs(one - other).max(initial=0.0)) / scale


def difference(name: str) -> dict[str, float]:
    """How far two replicas are from one device: weights, history, evaluation, predictions."""
    case = CASES[name]
    single, its = trained(case, None)
    several, theirs = trained(case, case.strategy)
    assert list(its.history) == list(theirs.history)
    found = {key: far(value, theirs.history[key]) for key, value in its.history.items()}
    weights = zip(single.get_weights(), several.get_weights(), strict=True)
    found["weights"] = max(far(a, b) for a, b in weights)
    if name != "step of its own":
        one, other = (
            fg.evaluate_generator(model, case.batches, return_dict=True)
            for model in (single, several)
        )
        found |= {f"evaluated {key}": far(value, other[key]) for key, value in one.items()}
    one, other = (fg.predict_generator(model, case.batches) for model in (single, several))
    pairs = zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True)
    found["predicted"] = max(_far_rows(a, b) for a, b in pairs)
    found["steps a call"] = theirs.pipeline.steps / theirs.pipeline.calls
    return found


def _far_rows(one: Any, other: Any) -> float:
    return far(one, other) if one.shape == other.shape else float("inf")


def resumed() -> dict[str, float]:
    """A training that goes on from a checkpoint, against one that was never stopped.

    The first epoch is on one device or on two, the second on two.
    """
    epochs = {"steps_per_epoch": len(UNEVEN), "epochs": 2}
    whole, _ = trained(Case(dense, UNEVEN * 2, epochs), TWO)
    found = {}
    for first, strategy in (("two", TWO), ("one", None)):
        with TemporaryDirectory() as folder:
            kept = {**epochs, "callbacks": [fg.Checkpoint(str(Path(folder) / "training.npz"))]}
            trained(Case(dense, UNEVEN, {**kept, "epochs": 1}), strategy)
            model, history = trained(Case(dense, UNEVEN, kept), TWO)
        assert history.epoch == [0, 1]
        weights = zip(whole.get_weights(), model.get_weights(), strict=True)
        found[first] = max(far(a, b) for a, b in weights)
    return found


def untrained() -> dict[str, float]:
    """Predictions and an evaluation of models that were never trained."""
    found = {}
    for name, strategy in (("two", TWO), ("three", THREE)):
        models = []
        for scope in (None, strategy):
            keras.utils.set_random_seed(1)
            with scope.scope() if scope else nullcontext():
                models.append(dense())
        one, other = (fg.predict_generator(model, UNEVEN) for model in models)
        found[f"predicted by {name}"] = _far_rows(one, other)
        one, other = (fg.evaluate_generator(model, UNEVEN) for model in models)
        found[f"evaluated by {name}"] = far(one, other)
    return found


def overflowed() -> dict[str, Any]:
    """A step whose gradients are finite in one replica alone: it is left out."""
    x, y = vectors(12)[0]
    y[6:] = 1e30
    with TWO.scope():
        model = dense(scaled(2.0**30))
    before = model.get_weights()
    fg.fit_generator(model, [(x, y)], verbose=0)
    same = all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    return {"same": same, "scale": float(model.optimizer.dynamic_scale.numpy())}


def decided() -> float:
    """Steps a call, where it is decided as for a user."""
    with TWO.scope():
        model = dense()
    call_policy.SAVED = OWN
    try:
        done = fg.fit_generator(model, itertools.cycle(vectors(12)), 3000, verbose=0).pipeline
    finally:
        call_policy.SAVED = 1.0
    return done.steps / done.calls


def failed() -> dict[str, str]:
    """What is said where something cannot be done, and what was done by then."""

    def breaks() -> Iterator[Any]:
        yield UNEVEN[0]
        raise RuntimeError("broken")

    x, y = UNEVEN[0]
    ragged = tf.RaggedTensor.from_row_lengths(x.ravel()[:4], [3, 1])
    with TWO.scope():
        model, own = dense(), own_step()
    outside = dense()
    said = {
        "uneven parts": _error(lambda: fg.fit_generator(own, [(x[:4], y[:3])], verbose=0)),
        "ragged": _error(lambda: fg.fit_generator(own, [(ragged, y[:2])], verbose=0)),
        "steps taken": str(int(own.optimizer.iterations.numpy())),
        "generator": _error(lambda: fg.fit_generator(model, breaks(), 2, verbose=0)),
    }
    with TWO.scope():
        said["outside"] = _error(lambda: fg.fit_generator(outside, iter(UNEVEN), 2, verbose=0))
    said["threads"] = str([t.name for t in threading.enumerate() if "fitgenerator" in t.name])
    return said


def _error(code: Callable[[], object]) -> str:
    try:
        code()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


if __name__ == "__main__":
    others = {
        "resumed": resumed,
        "untrained": untrained,
        "overflowed": overflowed,
        "decided": decided,
        "failed": failed,
    }
    for name in sys.argv[1:] or [*CASES, *others]:
        print(
            json.dumps([name, others[name]() if name in others else difference(name)]), flush=True
        )
