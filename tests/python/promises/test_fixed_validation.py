"""Arrays as validation data: a tuple is read as in Keras's `fit`, and all of its rows are used."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from fitgenerator import StepsWarning, fit_generator
from fitgenerator.errors import ArgumentError
from support.tiny_trainings import catch, echo_model, numbered, numbered_batch, run

BOTH = pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras3", "keras2"])
A, B = np.full((40, 2), 1.0), np.full((40, 2), 2.0)


def pair_model(package: Any, names: Any = None) -> Any:
    """Two inputs and two outputs, by position or by the names of the inputs."""
    layers = package.layers
    inputs = [layers.Input((2,), name="left"), layers.Input((2,), name="right")]
    outputs = [layers.Dense(2, kernel_initializer="ones")(i) for i in inputs]
    model = package.Model(dict(zip(names, inputs, strict=True)) if names else inputs, outputs)
    model.compile(package.optimizers.SGD(0.0), ["mse", "mse"])
    return model


def subclassed_model(package: Any) -> Any:
    """As `pair_model`, but nobody knows its inputs."""

    class Pair(package.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = package.layers.Dense(2, kernel_initializer="ones")

        def call(self, inputs: Any) -> Any:
            left, right = inputs
            return self.dense(left), self.dense(right)

    model = Pair()
    model.compile(package.optimizers.SGD(0.0), ["mse", "mse"])
    return model


def single_model(package: Any) -> Any:
    """One input and one output; the loss of inputs k and targets 0 is 4 k squared."""
    layers = package.layers
    model = package.Sequential([layers.Input((2,)), layers.Dense(2, kernel_initializer="ones")])
    model.compile(package.optimizers.SGD(0.0), "mse")
    return model


def validated(model: Any, batch: Any, data: Any, **options: Any) -> float:
    """The `val_loss` of one epoch of one step."""
    history = fit_generator(model, iter([batch]), 1, verbose=0, validation_data=data, **options)
    (value,) = history.history["val_loss"]
    return float(value)


@BOTH
@pytest.mark.parametrize("make", [pair_model, subclassed_model])
@pytest.mark.parametrize("weighted", [False, True])
def test_T7_a_tuple_of_tuples_is_inputs_and_targets(
    package: Any, make: Any, weighted: bool
) -> None:
    weights = np.linspace(0.5, 2, 40)
    data = ((A, B), (A, B), (weights, weights)) if weighted else ((A, B), (A, B))
    model = make(package)
    batch = ((A, B), (A, B))
    ours = validated(model, batch, data)
    arguments = {"sample_weight": list(data[2])} if weighted else {}
    expected = model.evaluate([A, B], [A, B], verbose=0, return_dict=True, **arguments)
    assert ours == pytest.approx(expected["loss"], rel=1e-5)


@BOTH
def test_T7_a_tuple_is_batches_where_nothing_else_fits(package: Any) -> None:
    model, zero = single_model(package), np.zeros((40, 2))
    batches = ((A, zero), (B, zero))
    assert validated(model, (A, zero), batches) == pytest.approx((4 + 16) / 2)
    uneven = ((A, zero), (B[:8], zero[:8]))  # arrays have equally many rows
    assert validated(model, (A, zero), uneven) == pytest.approx((4 * 40 + 16 * 8) / 48)
    paired = (([A, B], [A, B]), ([A, B], [A, B]))  # four inputs, or two batches of two
    assert validated(pair_model(package), ([A, B], [A, B]), paired) == pytest.approx(1 + 4)


def test_T7_unknown_inputs_are_arrays_unless_their_rows_differ() -> None:
    model = keras.Sequential([keras.layers.Dense(2, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    zero = np.zeros((40, 2))
    uneven = ((A, zero), (B[:8], zero[:8]))
    assert validated(model, (A, zero), uneven) == pytest.approx((4 * 40 + 16 * 8) / 48)


@BOTH
def test_T7_lists_of_tuples_and_generators_stay_batches(package: Any) -> None:
    model, zero = single_model(package), np.zeros((40, 2))
    assert validated(model, (A, zero), [(A, zero), (B, zero)]) == pytest.approx(10)
    history = fit_generator(model, ((A, zero), (B, zero)), verbose=0)
    assert history.params["steps"] == 2
    both = pair_model(package)
    history = fit_generator(both, (((A, B), (A, B)), ((A, B), (A, B))), verbose=0)
    assert history.params["steps"] == 2


@BOTH
def test_T7_longer_tuples_stay_batches(package: Any) -> None:
    model, zero = single_model(package), np.zeros((40, 2))
    assert validated(model, (A, zero), ((A, zero),)) == pytest.approx(4)
    assert validated(model, (A, zero), ((A, zero),) * 4) == pytest.approx(4)


def test_T7_what_fits_neither_way_is_refused_as_arrays() -> None:
    with pytest.raises(ArgumentError, match=r"^`validation_data`"):
        run(single_model(keras), numbered(), 1, validation_data=((A, B), (A, B[:7], A, A)))


# -- all rows -----------------------------------------------------------------------------------

ROWS = np.r_[np.zeros((32, 1)), np.full((68, 1), 3.0)].astype("float32")
TARGETS = np.zeros((100, 1), "float32")


@pytest.mark.parametrize("steps", [1, 2.5, 7])
@pytest.mark.parametrize("form", [tuple, list])
def test_T8_all_rows_are_used_and_that_is_said_once(steps: float, form: Any) -> None:
    data, options = form((ROWS, TARGETS)), {"validation_steps": steps}
    values: list[float] = []
    warned = catch(
        lambda: values.extend(
            run(echo_model(), numbered(), 1, 3, None, data, **options).history["val_loss"]
        )
    )
    assert values == pytest.approx([ROWS.mean()] * 3)
    assert [w.category for w in warned] == [StepsWarning]
    assert str(warned[0].message) == (
        "`validation_steps` has no effect on fixed arrays: all 100 rows are used."
    )


def test_T8_steps_that_are_all_batches_need_no_word() -> None:
    history = run(echo_model(), numbered(), 1, validation_data=(ROWS, TARGETS), validation_steps=4)
    assert history.history["val_loss"] == pytest.approx([ROWS.mean()])


@pytest.mark.parametrize("steps", [0, -1, 0.5, "2", float("nan")])
def test_T8_steps_that_are_none_are_refused_all_the_same(steps: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^`validation_steps` must be a number"):
        run(echo_model(), numbered(), 1, validation_data=(ROWS, TARGETS), validation_steps=steps)


@BOTH
def test_T8_keras_uses_all_rows_as_well(package: Any) -> None:
    model = package.Sequential(
        [package.layers.Input((1,)), package.layers.Dense(1, kernel_initializer="ones")]
    )
    model.compile(package.optimizers.SGD(0.0), "mse")
    options = {"validation_data": (ROWS, TARGETS), "validation_steps": 1, "verbose": 0}
    expected = model.fit(*numbered_batch(1), **options).history["val_loss"]
    with pytest.warns(StepsWarning):
        history = fit_generator(model, [numbered_batch(1)], **options)
    assert history.history["val_loss"] == pytest.approx(expected)


def test_T8_batches_are_still_cut() -> None:
    batches = [numbered_batch(k) for k in (1, 2, 3)]
    history = run(echo_model(), numbered(), 1, validation_data=batches, validation_steps=2)
    assert history.history["val_loss"] == [1.5]
