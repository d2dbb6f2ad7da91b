"""Batches of the forms that only a model's own step knows. In both Kerases."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from fitgenerator import ArgumentError, BatchError, evaluate_generator, predict_generator
from support.both_kerases import BOTH
from support.keras_floor import KERAS_3_7
from support.tiny_trainings import (
    Indexed,
    Loader,
    close_history,
    forever,
    keras_history,
    run,
    same_weights,
    weights_of,
)

X = np.linspace(-1, 1, 8, dtype="float32").reshape(4, 2)
Y = np.ones((4, 1), "float32")
W = np.arange(4, dtype="float32")


def form_of(data: Any) -> Any:
    """The structure of a batch, with its leaves' ranks."""
    if isinstance(data, dict):
        return {name: form_of(value) for name, value in data.items()}
    if isinstance(data, (tuple, list)):
        return type(data)(form_of(value) for value in data)
    return None if data is None else len(data.shape)


def own_model(package: Any, seen: list[Any] | None = None, **settings: Any) -> Any:
    """A model that takes any structure: its loss is the mean of all leaves, weighed by place."""
    seen = [] if seen is None else seen

    def total(data: Any) -> Any:
        seen.append(form_of(data))
        leaves = [leaf for leaf in tf.nest.flatten(data) if leaf is not None]
        means = [tf.reduce_mean(tf.cast(leaf, "float32")) for leaf in leaves]
        return tf.add_n([(i + 1) * mean for i, mean in enumerate(means)])

    class Own(package.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
            self.tracker = package.metrics.Mean(name="total")
            self.built = True

        metrics = property(lambda self: [self.tracker])

        def call(self, x: Any) -> Any:
            return x

        def train_step(self, data: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = self.scale * total(data)
            weights = self.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            self.tracker.update_state(loss)
            return {"total": self.tracker.result()}

        def test_step(self, data: Any) -> Any:
            self.tracker.update_state(total(data))
            return {"total": self.tracker.result()}

        def predict_step(self, data: Any) -> Any:
            return total(data) * tf.ones_like(tf.nest.flatten(data)[0][:, :1])

    model = Own()
    model.compile(package.optimizers.SGD(0.05), **settings)
    return model


FORMS: dict[str, Any] = {
    "(x,)": (X,),
    "(x, None)": (X, None),
    "(x, y)": (X, Y),
    "(x, y, w)": (X, Y, W),
    "(x, y, None)": (X, Y, None),
    "(x, None, w)": (X, None, W),
    "two lists": ((X, X, Y), (Y, W)),
    "dicts": ({"a": X, "b": Y}, {"c": W}),
    "uneven": (X, Y[:2]),
    "uneven inside": ((X, Y[:3]), W[:1]),
    "an empty part": (X, ()),
}
# What Keras 3 takes of a generator, and Keras 2 does not.
ONLY_KERAS_3: dict[str, Any] = {"four": (X, Y, W, W), "five": ({"a": X}, (Y, W), X, (), Y[:1])}
MODES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "train": (
        lambda model, source: run(model, source, 2).history,
        lambda model, source: keras_history(model, source, steps_per_epoch=2),
    ),
    "test": (
        lambda model, source: evaluate_generator(model, source, 2, return_dict=True),
        lambda model, source: model.evaluate(source, steps=2, verbose=0, return_dict=True),
    ),
    "predict": (
        lambda model, source: predict_generator(model, source, 2).tolist(),
        lambda model, source: model.predict(source, steps=2, verbose=0).tolist(),
    ),
}


def assert_as_keras(package: Any, mode: str, make: Callable[[], Any]) -> None:
    """The step sees what it sees in Keras's own call, and gives the same numbers."""
    mine, others = MODES[mode]
    ours, theirs = [], []
    found = mine(own_model(package, ours), make())
    try:
        expected = others(own_model(package, theirs), make())
    except Exception:
        if package is keras and KERAS_3_7:
            pytest.skip("Keras 3.7 cannot: it takes only tuples, and no `None`")
        raise
    assert found == expected
    assert ours[0] == theirs[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("package", "form"),
    [(package, form) for package in (keras, tf_keras) for form in FORMS]
    + [(keras, form) for form in ONLY_KERAS_3],
)
def test_T20_an_own_step_gets_the_structure_that_Keras_hands_on(
    package: Any, form: str, mode: str
) -> None:
    batch = {**FORMS, **ONLY_KERAS_3}[form]
    assert_as_keras(package, mode, lambda: forever([batch]))


@BOTH
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("data", [X, (X,), (X, Y), {"a": X, "b": Y}, (X, {"c": Y}, Y, Y, Y)])
def test_T20_elements_of_a_data_set_are_handed_on_as_they_are(
    package: Any, mode: str, data: Any
) -> None:
    assert_as_keras(package, mode, lambda: tf.data.Dataset.from_tensors(data).repeat(4))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("data", [X, (X,), [X, Y], {"a": X, "b": Y}, (X, Y, W)])
def test_T20_batches_of_a_PyDataset_are_handed_on_as_Keras_3_does(mode: str, data: Any) -> None:
    assert_as_keras(keras, mode, lambda: Indexed([data] * 4))


@BOTH
@pytest.mark.parametrize("data", [X, {"a": X, "b": Y[:2]}])
def test_T20_what_no_Keras_takes_of_a_generator_is_handed_on_as_it_is(
    package: Any, data: Any
) -> None:
    seen: list[Any] = []
    run(own_model(package, seen), forever([data]), 2)
    assert seen[0] == form_of(data)


@BOTH
def test_T20_lists_become_tuples_as_in_Keras(package: Any) -> None:
    seen: list[Any] = []
    run(own_model(package, seen), forever([[[X, X], [Y, [W]]]]), 2)
    assert seen[0] == ((2, 2), (2, (1,)))


@BOTH
def test_T20_a_loader_may_give_images_alone(package: Any) -> None:
    expected = keras_history(own_model(package), tf.data.Dataset.from_tensors(X), epochs=2)
    assert run(own_model(package), Loader([X]), None, 2).history == expected


@BOTH
def test_T20_validation_goes_by_the_test_step(package: Any) -> None:
    batch = (X, Y[:2], W, W)
    history = run(own_model(package), forever([(X,)]), 2, 2, None, forever([batch]),
                  validation_steps=2).history  # fmt: skip
    expected = evaluate_generator(own_model(package), forever([batch]), 2)
    assert history["val_total"] == [expected] * 2


@BOTH
def test_T20_fixed_arrays_are_handed_on_as_those_of_fit(package: Any) -> None:
    for arrays in ((X, None), (X, Y), (X, Y, W), ([X, X], None)):
        ours, theirs = [], []
        run(own_model(package, ours), forever([(X,)]), 1, 1, None, arrays)
        with suppress(ValueError):  # Keras does not take all of them
            keras_history(own_model(package, theirs), forever([(X,)]), steps_per_epoch=1,
                          validation_data=arrays)  # fmt: skip
        assert ours[1] == theirs[1]


def varied(count: int) -> list[Any]:
    """Batches whose first leaf always has as many rows, the second one not."""
    random = np.random.default_rng(5)
    rows = [2, 2, 1, 4, 4, 4, 1, 1]
    return [
        (random.normal(size=(4, 2)).astype("float32"), np.full((rows[k % 8], 1), k, "float32"))
        for k in range(count)
    ]


@BOTH
@pytest.mark.parametrize("xla", [False, True])
def test_T20_batches_of_other_rows_are_not_mixed_in_one_call(
    package: Any, xla: bool, loops_pay: None
) -> None:
    batches = varied(64)
    expected = keras_history(own_model(package), forever(batches), steps_per_epoch=64)
    history = run(own_model(package), forever(batches), 64, jit_compile=xla)
    assert close_history(history.history, expected)
    even = [(x, np.repeat(y, 3, 0)[:3]) for x, y in batches if len(y) == 1]
    history = run(own_model(package), forever(even), 200, jit_compile=xla)
    assert history.pipeline.calls < 200  # batches alike go into one call
    alone = run(own_model(package), forever(even), 200, max_queue_size=0)
    assert close_history(history.history, alone.history)


@BOTH
def test_T20_batches_of_the_usual_form_give_the_same_numbers(package: Any) -> None:
    class Wrapped(package.Sequential):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    def made(kind: Any) -> Any:
        package.utils.set_random_seed(7)
        model = kind([package.layers.Input((2,)), package.layers.Dense(1)])
        model.compile("sgd", "mse", weighted_metrics=["mae"])
        return model

    for given in ({}, {"class_weight": {1: 3.0}}):
        for batch in ((X, Y), [X, Y], (X, Y, W), (X, Y, None)):
            own = run(made(Wrapped), forever([batch]), 3, **given).history
            assert own == run(made(package.Sequential), forever([batch]), 3, **given).history


@BOTH
@pytest.mark.parametrize("batch", [X, (X,), (X, Y, W, W), {"a": X}, (X, Y[:2])], ids=str)
def test_T20_class_weights_need_the_usual_form(package: Any, batch: Any) -> None:
    with pytest.raises(BatchError, match=r"class_weight|same number of rows"):
        run(own_model(package), forever([batch]), 1, class_weight={1: 2.0})


@BOTH
@pytest.mark.parametrize(
    ("batch", "words"),
    [
        ((), "no array"),
        ((None, None), "no array"),
        ((X, 3.0), r"\[1\] must be an array of shape"),
        ({"a": (X, "text")}, r"\['a'\]\[1\] must be an array of shape"),
        ((X[:0], Y), "0 rows"),
    ],
)
def test_T20_leaves_are_checked_as_always(package: Any, batch: Any, words: str) -> None:
    with pytest.raises(BatchError, match=words):
        run(own_model(package), forever([batch]), 1)


def test_T20_a_step_that_was_assigned_to_the_model_is_its_own() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.test_step = lambda data: {"total": tf.reduce_sum(data[0]) + len(data)}
    assert evaluate_generator(model, forever([(np.ones((1, 2)), Y, Y, Y)]), 1) == 6.0
    with pytest.raises(BatchError, match="train_step of its own"):
        run(model, forever([(X, Y, Y, Y)]), 1)


def test_T20_a_step_of_Keras_own_classes_is_none_of_the_models() -> None:
    kinds = tf_keras.experimental
    model = kinds.WideDeepModel(
        kinds.LinearModel(), tf_keras.Sequential([tf_keras.layers.Dense(1)])
    )
    model.compile(["sgd", "adam"], "mse")
    with pytest.raises(BatchError, match="same number of rows"):
        run(model, forever([(X, Y[:3])]), 1)


def test_T20_an_eager_step_gets_the_same_structure() -> None:
    seen: list[Any] = []
    run(own_model(keras, seen, run_eagerly=True), forever([{"a": X, "b": (Y, None)}]), 2)
    assert seen == [{"a": 2, "b": (2, None)}] * 2


@BOTH
@pytest.mark.parametrize("eager", [False, True], ids=["traced", "eager"])
@pytest.mark.parametrize("result", [None, 0.5, [0.5]], ids=["None", "number", "list"])
def test_a_step_without_logs_is_refused_before_it_counts(
    package: Any, result: Any, eager: bool
) -> None:
    class Forgetful(package.Model):  # type: ignore[misc]
        def train_step(self, data: Any) -> Any:
            super().train_step(data)
            return result

        def test_step(self, data: Any) -> Any:
            return result

    inputs = package.Input((2,))
    model = Forgetful(inputs, package.layers.Dense(1)(inputs))
    model.compile("sgd", "mse", run_eagerly=eager)
    before = weights_of(model)
    with pytest.raises(ArgumentError, match=r"train_step\(\) must return a dict"):
        run(model, iter([(X, Y)]), 1)
    if not eager:
        assert same_weights(weights_of(model), before)
    with pytest.raises(ArgumentError, match=r"test_step\(\) must return a dict"):
        evaluate_generator(model, iter([(X, Y)]), 1)
