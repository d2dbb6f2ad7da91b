"""XLA: only where asked for, decided by the number of steps, visible in `pipeline`."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitgenerator import evaluate_generator, predict_generator
from fitgenerator.errors import context_of
from fitgenerator.steps.tensorflow.compiled_steps import TensorFlowSteps
from fitgenerator.training import call_policy
from support.both_kerases import BOTH
from support.tiny_trainings import (
    Indexed,
    close_history,
    forever,
    keras_history,
    linear_model,
    make_batches,
    rich_model,
    run,
    same_history,
    same_weights,
    weights_of,
)

pytestmark = pytest.mark.usefixtures("loops_pay")


@pytest.fixture
def compiling_pays(monkeypatch: pytest.MonkeyPatch) -> int:
    """Enough steps for "auto" to have XLA compile."""
    monkeypatch.setattr(TensorFlowSteps, "worth_compiling", 120)
    return 120


def both(make: Any, steps: int, epochs: int, **options: Any) -> tuple[Any, Any]:
    """The histories with and without XLA."""
    batches = make_batches(7)
    ours = run(make(), forever(batches), steps, epochs, **options)
    return ours, run(make(), forever(batches), steps, epochs, jit_compile=False)


def test_auto_compiles_for_many_steps_from_a_fixed_one_on(compiling_pays: int) -> None:
    ours, plain = both(linear_model, 40, 3)
    assert close_history(ours.history, plain.history)
    # The lead is at most 11 batches, so full calls of 10 begin with the 21st.
    assert (ours.pipeline.xla_steps, plain.pipeline.xla_steps) == (100, 0)
    again, _ = both(linear_model, 40, 3)
    assert same_history(ours, again.history)


def test_auto_compiles_nothing_for_few_steps(compiling_pays: int) -> None:
    ours, plain = both(linear_model, 59, 2)
    assert ours.pipeline.xla_steps == 0
    assert same_history(ours, plain.history)


def test_auto_compiles_nothing_that_draws_random_numbers(compiling_pays: int) -> None:
    ours, plain = both(rich_model, 60, 2)
    assert ours.pipeline.xla_steps == 0
    assert same_history(ours, plain.history)


def small_model(
    *layers: Any, shape: tuple[int, ...] = (4,), loss: str = "mse", package: Any = keras
) -> Any:
    """A compiled model of these layers."""
    package.utils.set_random_seed(1)
    model = package.Sequential([package.layers.Input(shape), *layers])
    model.compile("adam", loss)
    return model


def test_auto_compiles_dense_and_convolutional_models_of_floats(compiling_pays: int) -> None:
    random = np.random.default_rng(1)
    dense = small_model(keras.layers.Dense(3, "relu"), keras.layers.Dense(1, "tanh"))
    batch = random.normal(size=(8, 4)), random.normal(size=(8, 1))
    assert run(dense, forever([batch]), 60, 2).pipeline.xla_steps == 100
    layers = (keras.layers.Conv2D(2, 3, activation="relu"), keras.layers.Flatten())
    conv = small_model(*layers, keras.layers.Dense(1), shape=(5, 5, 1))
    batch = random.normal(size=(8, 5, 5, 1)), random.normal(size=(8, 1))
    assert run(conv, forever([batch]), 60, 2).pipeline.xla_steps == 100


def embedding_model(package: Any, *others: Any) -> Any:
    layers = package.layers
    words = layers.Embedding(5, 2), *others, layers.Flatten(), layers.Dense(1)
    return small_model(*words, shape=(2,), package=package)


def classes_model(package: Any, *others: Any) -> Any:
    classes = *others, package.layers.Dense(3, "softmax")
    loss = "sparse_categorical_crossentropy"
    return small_model(*classes, shape=(2,), loss=loss, package=package)


def checking_model(package: Any, check: Any = lambda x: tf.debugging.assert_less(x, 1000.0)) -> Any:
    class Checking(package.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            check(x)
            return x

    return small_model(Checking(), package.layers.Dense(1), shape=(2,), package=package)


def place_of(call: Any) -> tuple[int, int]:
    """The batches, first and last, at which TensorFlow's check fails in `call`."""
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        call()
    batch = context_of(caught.value).batch
    assert batch is not None
    return batch if isinstance(batch, tuple) else (batch, batch)


ONES, GOOD = np.ones((8, 2)), (np.ones((8, 2)), np.ones((8, 1)))
LABELS = (ONES, np.zeros(8, int)), (ONES, np.full(8, 7))
CHECKED = [
    (embedding_model, GOOD, (9 * ONES, GOOD[1])),
    (classes_model, *LABELS),
    (checking_model, GOOD, (1e4 * ONES, GOOD[1])),
]


@BOTH
@pytest.mark.parametrize(("kind", "good", "bad"), CHECKED)
def test_T1_auto_keeps_the_checks_that_tensorflow_makes(
    compiling_pays: int, package: Any, kind: Any, good: Any, bad: Any
) -> None:
    given, make = [good] * 99 + [bad] + [good] * 20, partial(kind, package)
    first, last = place_of(lambda: run(make(), iter(given), 60, 2))
    assert first <= 100 <= last
    first, last = place_of(lambda: evaluate_generator(make(), iter(given), 120))
    assert first <= 100 <= last
    model, validation = make(), iter(given)
    place_of(lambda: run(model, forever([good]), 1, 3, None, validation, validation_steps=40))
    if kind is not classes_model:
        first, last = place_of(lambda: predict_generator(make(), (x for x, _ in given), 120))
        assert first <= 100 <= last
    # Keras 2 gathers the rows of an embedding by an operation that is not known.
    compiles = kind is classes_model or (kind is embedding_model and package is keras)
    assert run(make(), forever([good]), 60, 2).pipeline.xla_steps == (100 if compiles else 0)


def drawing(kind: Any) -> Any:
    return kind(keras, keras.layers.Dropout(0.5))


def numerics_model() -> Any:
    def check(x: Any) -> None:
        tf.debugging.check_numerics(x, "not a number")

    return checking_model(keras, check)


@pytest.mark.parametrize(
    ("make", "good", "bad", "plausible"),
    [
        (lambda: drawing(embedding_model), GOOD, (9 * ONES, GOOD[1]), True),
        (lambda: drawing(classes_model), *LABELS, False),
        (lambda: checking_model(keras), GOOD, (1e4 * ONES, GOOD[1]), True),
        (numerics_model, GOOD, (np.nan * ONES, GOOD[1]), False),
    ],
    ids=["ids", "labels", "assertion", "numerics"],
)
def test_T1_xla_that_is_asked_for_leaves_out_the_checks_as_the_manual_says(
    make: Any, good: Any, bad: Any, plausible: bool
) -> None:
    given = [good] * 34 + [bad] + [good] * 15
    history = run(make(), iter(given), 50, jit_compile=True)
    assert history.pipeline.xla_steps == 30
    assert np.isfinite(history.history["loss"][0]) == plausible
    place_of(lambda: run(make(), iter(given), 50))


def test_T1_xla_that_is_asked_for_keeps_the_checks_of_operations_that_mean_the_same() -> None:
    for kind, good, bad in CHECKED[:2]:
        given = [good] * 34 + [bad] + [good] * 15
        place_of(lambda: run(kind(keras), iter(given), 50, jit_compile=True))  # noqa: B023


def test_T1_labels_are_checked_within_xla(compiling_pays: int) -> None:
    good, bad = LABELS
    model = classes_model(keras)
    history = run(model, forever([good]), 60, 2)
    assert history.pipeline.xla_steps == 100
    expected = weights_of(model)
    place_of(lambda: run(model, iter([*[bad] * 1, *[good] * 119]), 60, 2))
    assert same_weights(expected, weights_of(model))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_T1_numbers_beyond_the_range_give_what_plain_steps_give(
    compiling_pays: int, value: float
) -> None:
    def make() -> Any:
        optimizer = keras.optimizers.Adam(0.01, clipvalue=1.0)
        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")]
        model = keras.Sequential([keras.Input((3,)), *layers])
        model.compile(optimizer, "mse", metrics=["mae", "accuracy"])
        return model

    batches = make_batches(120)
    batches[57] = (np.full((4, 3), value, "float32"), batches[57][1])
    ours, plain = make(), make()
    left = run(ours, iter(batches), 60, 2)
    right = run(plain, iter(batches), 60, 2, jit_compile=False)
    assert left.pipeline.xla_steps == 30  # of the batches 21 to 50
    assert left.pipeline.fallback == "xla: a value is not finite, or not within its limits"
    for name, values in right.history.items():
        assert np.allclose(left.history[name], values, 1e-5, equal_nan=True)
    pairs = zip(weights_of(ours), weights_of(plain), strict=True)
    assert all(np.allclose(a, b, 1e-4, 1e-6, equal_nan=True) for a, b in pairs)


@BOTH
@pytest.mark.parametrize("options", [{}, {"jit_compile": True}])
def test_T2_metrics_of_several_outputs_are_those_without_xla(
    compiling_pays: int, package: Any, options: Any
) -> None:
    def make() -> Any:
        package.utils.set_random_seed(1)
        x = package.Input((4,))
        outputs = [package.layers.Dense(1, name=name)(x) for name in "ab"]
        model = package.Model(x, outputs)
        model.compile("sgd", ["mse", "mse"], metrics=[["mae"], ["mse"]])
        return model

    random = np.random.default_rng(0)
    batches = [
        (random.normal(size=(32, 4)), tuple(k * random.normal(size=(2, 32, 1))))
        for k in range(1, 26)
    ]
    ours = run(make(), forever(batches), 25, 6, validation_data=Indexed(batches), **options)
    plain = run(
        make(), forever(batches), 25, 6, validation_data=Indexed(batches), jit_compile=False
    )
    assert ours.pipeline.xla_steps > 100
    assert close_history(ours.history, plain.history)
    scores = evaluate_generator(make(), forever(batches), 125, **options)
    assert scores == pytest.approx(
        evaluate_generator(make(), forever(batches), 125, jit_compile=False), 1e-5
    )


def test_auto_compiles_nothing_large(compiling_pays: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_policy, "SMALL_MODEL", 3)
    assert both(linear_model, 60, 2)[0].pipeline.xla_steps == 0


def test_jit_compile_true_compiles_always() -> None:
    ours = run(rich_model(), forever(make_batches(7)), 45, jit_compile=True)
    assert ours.pipeline.xla_steps == 20  # and 5 that fill no call
    assert ours.pipeline.fallback is None


def test_epochs_shorter_than_the_queue(compiling_pays: int) -> None:
    ours, plain = both(linear_model, 4, 40)
    assert close_history(ours.history, plain.history)
    assert ours.pipeline.xla_steps == 160 - 12


def test_xla_in_validation_evaluate_and_predict() -> None:
    batches = make_batches(60)
    model = linear_model()
    options: Any = {"jit_compile": True}
    ours = run(model, Indexed(batches), None, 1, None, Indexed(batches), **options)
    assert ours.pipeline.xla_steps == 80
    expected = keras_history(linear_model(), Indexed(batches), validation_data=Indexed(batches))
    assert close_history(ours.history, expected)
    scores = evaluate_generator(model, Indexed(batches), jit_compile=True)
    assert scores == pytest.approx(model.evaluate(Indexed(batches), verbose=0), 1e-5)
    predictions = predict_generator(model, Indexed(batches), jit_compile=True)
    assert np.allclose(
        predictions, model.predict(Indexed(batches), verbose=0), rtol=1e-5, atol=1e-6
    )


class Refused:
    """A traced function whose compiler refuses at the call, as where a device has none."""

    def __init__(self, concrete: Any) -> None:
        self.graph = concrete.graph

    def __call__(self, *leaves: Any) -> Any:
        text = "Could not find compiler for platform METAL: NOT_FOUND"
        raise tf.errors.UnimplementedError(None, None, text)


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """XLA's compiler refuses whatever it is given."""
    plain = tf.function

    def function(python: Any, **options: Any) -> Any:
        made = plain(python, **options)
        if options.get("jit_compile"):
            trace = made.get_concrete_function
            made.get_concrete_function = lambda *specs: Refused(trace(*specs))
        return made

    monkeypatch.setattr(tf, "function", function)


@pytest.mark.usefixtures("no_compiler")
@pytest.mark.parametrize("options", [{}, {"jit_compile": True}])
def test_O7_where_there_is_no_compiler_loops_are_plain(compiling_pays: int, options: Any) -> None:
    ours, plain = both(linear_model, 60, 2, **options)
    assert same_history(ours, plain.history)
    assert ours.pipeline.xla_steps == 0
    assert ours.pipeline.calls < 120
    assert ours.pipeline.fallback.startswith("xla: ")
    assert "METAL" in ours.pipeline.fallback
    batches, model = Indexed(make_batches(120)), linear_model()
    scores = evaluate_generator(model, batches, **options)
    assert scores == evaluate_generator(model, batches, jit_compile=False)
    predictions = predict_generator(model, batches, **options)
    assert np.array_equal(predictions, predict_generator(model, batches, jit_compile=False))


def test_what_xla_cannot_compile_runs_in_plain_loops_from_unchanged_state() -> None:
    def make() -> Any:
        model = linear_model()

        def loss(y: Any, p: Any) -> Any:
            y = tf.numpy_function(lambda v: v, [y], tf.float32)
            return tf.reduce_mean((tf.reshape(y, tf.shape(p)) - p) ** 2, axis=-1)

        model.compile(keras.optimizers.SGD(0.05), loss)
        return model

    batches = make_batches(7)
    ours = run(make(), forever(batches), 60, jit_compile=True)
    alone = run(make(), forever(batches), 60, max_queue_size=1)
    assert ours.pipeline.xla_steps == 0
    assert ours.pipeline.fallback.startswith("xla: ")
    assert ours.pipeline.calls < 60
    assert same_history(ours, alone.history)


def test_T1_a_variable_without_a_fixed_shape_is_left_to_plain_loops(compiling_pays: int) -> None:
    class Lengths(keras.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.last = tf.Variable([0.0], shape=tf.TensorShape([None]), trainable=False)

        def call(self, x: Any) -> Any:
            self.last.assign([1.0, 2.0])
            return x

    def make() -> Any:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), Lengths(), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.05), "mse")
        return model

    ours, plain = both(make, compiling_pays, 1)
    assert ours.pipeline.fallback == "xla: the shape of a variable is not fixed"
    assert same_history(ours, plain.history)


def test_a_jit_compiled_model_has_xla_in_every_step_and_no_plain_loop() -> None:
    def make() -> Any:
        return rich_model(jit_compile=True)

    theirs = keras_history(make(), Indexed(make_batches(40)))
    alone = run(make(), Indexed(make_batches(40)))
    assert alone.pipeline.calls == 40
    assert same_history(alone, theirs)
    ours = run(make(), Indexed(make_batches(40)), jit_compile=True)
    assert ours.pipeline.xla_steps == 20
    assert close_history(ours.history, theirs)
