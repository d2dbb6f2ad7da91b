"""Kinds of models, each with batches for it: what the sweep trains, evaluates and predicts with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

L = keras.layers
Kind = Callable[[], tuple[Any, list[Any]]]

COUNT, ROWS = 26, 8
# One of each mechanism: these run by default, on every backend.
QUICK = ("outputs", "classes", "embedding", "dropout", "add_loss", "masked")


def _numbers(*shape: int, seed: int = 0) -> list[Any]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(ROWS, *shape)).astype("float32") for _ in range(COUNT)]


def _integers(high: int, *shape: int) -> list[Any]:
    random = np.random.default_rng(3)
    whole = [random.integers(0, high, (ROWS, *shape)) for _ in range(COUNT)]
    return [each.astype("int32") for each in whole]  # JAX has no longer ones


X, Y = _numbers(4), _numbers(1, seed=1)
CLASSES = _integers(3)
ONE_HOT = [np.eye(3, dtype="float32")[c] for c in CLASSES]
BINARY = [(y > 0).astype("float32") for y in Y]
WORDS = _integers(6, 5)
PICTURES = _numbers(6, 6, 1)
SERIES = _numbers(5, 2)


def sequential(
    *layers: Any,
    x: list[Any] = X,
    y: list[Any] = Y,
    loss: Any = "mse",
    optimizer: Any = "adam",
    **settings: Any,
) -> tuple[Any, list[Any]]:
    model = keras.Sequential([keras.Input(x[0].shape[1:], dtype=x[0].dtype), *layers])
    model.compile(optimizer, loss, **settings)
    return model, list(zip(x, y, strict=True))


def _two(loss: Any, y: list[Any], **settings: Any) -> tuple[Any, list[Any]]:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [L.Dense(1, name=name)(inputs) for name in "ab"])
    model.compile("sgd", loss, **settings)
    return model, list(zip(X, y, strict=True))


def _named() -> tuple[Any, list[Any]]:
    inputs = {name: keras.Input((4,), name=name) for name in "uv"}
    hidden = L.Concatenate()(list(inputs.values()))
    model = keras.Model(
        inputs, {"p": L.Dense(1, name="p")(hidden), "q": L.Dense(1, name="q")(hidden)}
    )
    model.compile(
        "sgd", {"p": "mse", "q": "mae"}, metrics={"p": ["mae"]}, loss_weights={"p": 2.0, "q": 1.0}
    )
    return model, [({"u": x, "v": -x}, {"p": y, "q": 2 * y}) for x, y in zip(X, Y, strict=True)]


class Penalty(keras.layers.Layer):
    def call(self, x: Any) -> Any:
        self.add_loss(0.1 * keras.ops.mean(keras.ops.square(x)))
        return x


def _weighted() -> tuple[Any, list[Any]]:
    model, batches = sequential(L.Dense(1), weighted_metrics=["mae"], metrics=["mse"])
    return model, [(x, y, np.arange(ROWS, dtype="float32")) for x, y in batches]


def _mixed() -> tuple[Any, list[Any]]:
    return sequential(L.Dense(4, "relu", dtype="mixed_float16"), L.Dense(1, dtype="float32"))


def _ragged_lengths() -> tuple[Any, list[Any]]:
    inputs = keras.Input((None, 2))
    model = keras.Model(inputs, L.Dense(1)(L.GlobalAveragePooling1D()(inputs)))
    model.compile("sgd", "mse")
    # Keras leaves a length open where its first two batches differ in it.
    return model, [(x[:, : 3 + k % 3], y) for k, (x, y) in enumerate(zip(SERIES, Y, strict=True))]


def _by_optimizer(name: str, **settings: Any) -> Kind:
    made = {"class_name": name, "config": settings}
    return lambda: sequential(
        L.Dense(3, "relu"), L.Dense(1), optimizer=keras.optimizers.deserialize(made)
    )


# TensorFlow has single kernels for many of these, which it must use in a loop as in a step.
ACTIVATIONS: dict[str, Any] = {
    **{name: name for name in ("gelu", "elu", "selu", "swish", "softplus", "relu6")},
    **{name: name for name in ("mish", "leaky_relu", "hard_silu")},
    "gelu by tanh": lambda x: keras.activations.gelu(x, approximate=True),
    "own swish": lambda x: x * keras.ops.sigmoid(x),
    "own leaky relu": lambda x: keras.ops.maximum(x, 0.1 * x),
}


def _by_activation(name: str, *before: Callable[[], Any]) -> Kind:
    return lambda: sequential(
        L.Dense(3),
        *(layer() for layer in before),
        L.Activation(ACTIVATIONS[name]),
        L.Dense(1),
        metrics=["mae"],
    )


def _nothing() -> Any:
    """A layer that changes nothing: TensorFlow takes it out."""
    return L.Rescaling(1.0)


def _convolved(activation: Any, *between: Callable[[], Any]) -> Kind:
    return lambda: sequential(
        L.Conv2D(3, 3, use_bias=not between),
        *(layer() for layer in between),
        L.Activation(activation),
        L.Flatten(),
        L.Dense(1),
        x=PICTURES,
        optimizer="sgd",
    )


def _by_loss(name: str, y: list[Any] = BINARY) -> Kind:
    return lambda: sequential(L.Dense(1, "sigmoid"), y=y, loss=name)


def _stateful() -> tuple[Any, list[Any]]:
    inputs = keras.Input(batch_shape=(ROWS, 5, 2))
    model = keras.Model(inputs, L.Dense(1)(L.LSTM(2, stateful=True)(inputs)))
    model.compile("sgd", "mse")
    return model, list(zip(SERIES, Y, strict=True))


def _attention() -> tuple[Any, list[Any]]:
    inputs = keras.Input((5, 2))
    hidden = L.MultiHeadAttention(2, 2)(inputs, inputs)
    model = keras.Model(inputs, L.Dense(1)(L.GlobalAveragePooling1D()(hidden)))
    model.compile("adam", "mse")
    return model, list(zip(SERIES, Y, strict=True))


KINDS: dict[str, Kind] = {
    "dense": lambda: sequential(L.Dense(8, "relu"), L.Dense(1), metrics=["mae", "mse"]),
    "outputs": lambda: _two(["mse", "mae"], [(y, 2 * y) for y in Y], metrics=[["mae"], ["mse"]]),
    "outputs, weighted": lambda: _two(["mse"] * 2, [(y, -y) for y in Y], loss_weights=[0.5, 2.0]),
    "named": _named,
    "classes": lambda: sequential(
        L.Dense(3, "softmax"),
        y=CLASSES,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    ),
    "one-hot": lambda: sequential(
        L.Dense(3, "softmax"),
        y=ONE_HOT,
        loss="categorical_crossentropy",
        metrics=["accuracy", "precision", "recall", "auc"],
    ),
    "binary": lambda: sequential(
        L.Dense(1, "sigmoid"), y=BINARY, loss="binary_crossentropy", metrics=["accuracy", "auc"]
    ),
    "embedding": lambda: sequential(L.Embedding(6, 3), L.Flatten(), L.Dense(1), x=WORDS),
    "masked": lambda: sequential(L.Embedding(6, 3, mask_zero=True), L.LSTM(2), L.Dense(1), x=WORDS),
    "gru": lambda: sequential(L.GRU(2), L.Dense(1), x=SERIES),
    "stateful": _stateful,
    "lengths": _ragged_lengths,
    "conv": lambda: sequential(
        L.Conv2D(2, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(1), x=PICTURES
    ),
    "separable": lambda: sequential(
        L.SeparableConv2D(2, 3), L.GlobalMaxPooling2D(), L.Dense(1), x=PICTURES
    ),
    "conv1d": lambda: sequential(
        L.Conv1D(2, 3), L.AveragePooling1D(2), L.Flatten(), L.Dense(1), x=SERIES
    ),
    "attention": _attention,
    "batch norm": lambda: sequential(L.Dense(4), L.BatchNormalization(), L.Dense(1)),
    "batch norm, sgd": lambda: sequential(
        L.Dense(4), L.BatchNormalization(), L.Dense(1), optimizer="sgd"
    ),
    "batch norm, no bias": lambda: sequential(
        L.Dense(4, use_bias=False), L.BatchNormalization(), L.Dense(1)
    ),
    "layer norm": lambda: sequential(L.Dense(4), L.LayerNormalization(), L.Dense(1)),
    "dropout": lambda: sequential(L.Dense(4, "relu"), L.Dropout(0.3, seed=2), L.Dense(1)),
    "noise": lambda: sequential(L.GaussianNoise(0.1), L.Dense(1)),
    "add_loss": lambda: sequential(L.Dense(3), Penalty(), L.Dense(1), metrics=["mae"]),
    "regularized": lambda: sequential(
        L.Dense(3, kernel_regularizer="l2", kernel_constraint="max_norm"), L.Dense(1)
    ),
    "weighted": _weighted,
    "mixed": _mixed,
    **{f"activation {n}": _by_activation(n) for n in ACTIVATIONS},
    **{
        f"activation {n}, after nothing": _by_activation(n, _nothing)
        for n in ("gelu by tanh", "mish", "own swish")
    },
    **{
        f"conv, {n}": _convolved(n)
        for n in ("swish", "gelu", "mish", "leaky_relu", "hard_silu", "tanh")
    },
    "conv, batch norm, relu": _convolved("relu", L.BatchNormalization),
    "conv, batch norm, swish": _convolved("swish", L.BatchNormalization),
    "conv, layer norm, gelu": _convolved("gelu", L.LayerNormalization),
    **{f"loss {n}": _by_loss(n) for n in ("mae", "huber", "log_cosh", "poisson", "hinge")},
    **{
        f"optimizer {n}": _by_optimizer(n)
        for n in ("RMSprop", "Adagrad", "Adamax", "Nadam", "Ftrl", "Lion")
    },
    "clipped": _by_optimizer("SGD", momentum=0.9, clipnorm=1.0, weight_decay=0.01),
    "accumulated": _by_optimizer("Adam", gradient_accumulation_steps=2),
}
