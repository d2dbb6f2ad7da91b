"""XLA's loops on a CPU: not of steps whose convolutions would take several times as long there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from support.any_backend import equal, values
from support.tiny_trainings import forever, run

L = keras.layers
BACKEND = keras.config.backend()
LOOPS = BACKEND != "torch"  # of several steps
MISSED = "loops" if BACKEND == "jax" else "xla"  # JAX compiles single steps, too
Layers = Callable[[], list[Any]]

# Layers with much work, and the shape of their input without the rows. "Of each time" has two
# times: TensorFlow adds three gradients of one weight, or more, in an order that changes from run
# to run (in Keras's fit(), too).
MUCH: dict[str, tuple[Layers, tuple[int, ...]]] = {
    "one dimension": (lambda: [L.Conv1D(16, 3)], (128, 8)),
    "two dimensions": (lambda: [L.Conv2D(8, 3, activation="relu")], (20, 20, 4)),
    "three dimensions": (lambda: [L.Conv3D(4, 3)], (10, 10, 10, 4)),
    "by channel": (lambda: [L.DepthwiseConv2D(3)], (28, 28, 8)),
    "separable": (lambda: [L.SeparableConv2D(8, 3)], (28, 28, 4)),
    "transposed": (lambda: [L.Conv2DTranspose(8, 3, strides=2)], (14, 14, 4)),
    "within a model": (lambda: [keras.Sequential([L.Conv2D(8, 3), L.ReLU()])], (20, 20, 4)),
    "of each time": (lambda: [L.TimeDistributed(L.Conv2D(8, 3))], (2, 16, 16, 4)),
}
OF_TENSORFLOW: dict[str, tuple[Layers, tuple[int, ...]]] = {
    "recurrent": (lambda: [L.ConvLSTM2D(2, 3)], (3, 12, 12, 4)),
    "pooling": (lambda: [L.MaxPooling2D(3, strides=1)], (32, 32, 16)),
}
if BACKEND == "tensorflow":
    MUCH |= OF_TENSORFLOW


def made(layers: Layers, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """A compiled model, and a batch for it."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input(shape), *layers(), L.Flatten(), L.Dense(1)])
    model.compile("adam", "mse")
    random = np.random.default_rng(1)
    inputs = random.normal(size=(16, *shape)).astype("float32")
    return model, (inputs, random.normal(size=(16, 1)).astype("float32"))


def trained(layers: Layers, shape: tuple[int, ...], jit_compile: bool | str) -> tuple[Any, Any]:
    """The model and the history of a training."""
    model, batch = made(layers, shape)
    return model, run(model, forever([batch]), 40, 2, jit_compile=jit_compile)


@pytest.mark.parametrize("kind", MUCH)
def test_much_work_is_not_put_in_a_loop_of_xlas(kind: str) -> None:
    layers, shape = MUCH[kind]
    model, history = trained(layers, shape, True)
    assert history.pipeline.xla_steps == 0
    if LOOPS:
        assert f"(no {MISSED} in training: " in str(history.pipeline)
        assert "its convolutions" in history.pipeline.fallback
    other, plain = trained(layers, shape, False)
    assert history.history == plain.history
    assert equal(model, other)


@pytest.mark.parametrize("layers", [lambda: [L.Conv2D(2, 3), L.MaxPooling2D()], lambda: []])
def test_little_work_is(layers: Layers) -> None:
    model, history = trained(layers, (6, 6, 1), True)
    assert (history.pipeline.xla_steps == 60) == LOOPS
    assert history.pipeline.fallback is None
    other, plain = trained(layers, (6, 6, 1), False)
    assert history.history["loss"] == pytest.approx(plain.history["loss"], rel=1e-5)
    for one, same in zip(values(model), values(other), strict=True):
        np.testing.assert_allclose(one, same, rtol=1e-4, atol=1e-6)


def test_auto_says_so_where_it_would_have_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    from fitgenerator.steps.chosen import steps_of

    layers, shape = MUCH["two dimensions"]
    model, batch = made(layers, shape)
    monkeypatch.setattr(type(steps_of(model)), "worth_compiling", 40)
    pipeline = run(model, forever([batch]), 40).pipeline
    assert pipeline.xla_steps == 0
    assert (pipeline.fallback is not None) == LOOPS


def test_each_reason_is_told() -> None:
    layers, shape = MUCH["three dimensions"]
    model, batch = made(layers, shape)
    pipeline = run(
        model,
        forever([batch]),
        40,
        1,
        None,
        forever([batch]),
        validation_steps=40,
        jit_compile=True,
    ).pipeline
    told = [] if pipeline.fallback is None else pipeline.fallback.split("; no ")
    wanted = [f"{MISSED} in training", f"{MISSED} in evaluation"] if LOOPS else []
    assert [text.split(":")[0] for text in told] == wanted
