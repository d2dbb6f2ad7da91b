"""`evaluate_generator` and `predict_generator`: what Keras gives on the whole data."""

from __future__ import annotations

import random
import threading
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import evaluate_generator, predict_generator
from support.tiny_trainings import (
    Indexed,
    Loader,
    Watched,
    echo_model,
    linear_model,
    make_batches,
    new_echo_model,
    numbered,
    numbered_batch,
    rich_model,
    run,
    same_weights,
    weights_of,
)

UNEVEN = [numbered_batch(k, rows=k) for k in (1, 5, 2, 4)]


def whole(batches: list[Any]) -> tuple[Any, ...]:
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


# -- evaluate -----------------------------------------------------------------------------------


def test_P2_batches_count_by_their_rows(queue: int) -> None:
    batches = [numbered_batch(1, rows=8), numbered_batch(9, rows=2)]
    assert evaluate_generator(echo_model(), batches, None, queue) == pytest.approx(2.6)


def test_P2_evaluate_equals_that_of_the_whole_data(queue: int) -> None:
    model, batches = rich_model(), make_batches(5, last_rows=1)
    expected = model.evaluate(*whole(batches), verbose=0)
    assert evaluate_generator(model, iter(batches), 5, queue) == pytest.approx(expected, rel=1e-6)


def test_P2_with_sample_weights_it_equals_keras_on_the_same_batches() -> None:
    weights = np.random.default_rng(0).uniform(0.5, 2, size=(5, 4))
    batches = [(x, y, w) for (x, y), w in zip(make_batches(5), weights, strict=True)]
    model = linear_model(weighted_metrics=["mae"])
    expected = model.evaluate(Indexed(batches), verbose=0)
    assert evaluate_generator(model, batches) == expected


def test_P3_names_are_loss_and_metrics_and_values_are_numbers() -> None:
    model, batches = linear_model(metrics=["mae", "mse"]), make_batches(2)
    result = evaluate_generator(model, batches, return_dict=True)
    assert list(result) == ["loss", "mae", "mse"]
    assert all(type(value) is float for value in result.values())


def test_P4_evaluating_again_gives_the_same_and_changes_nothing() -> None:
    model, batches = rich_model(), make_batches(3)
    run(model, batches)
    before, iterations = weights_of(model), int(model.optimizer.iterations)
    first = evaluate_generator(model, iter(batches), 3)
    predict_generator(model, iter(batches), 3)
    assert evaluate_generator(model, iter(batches), 3) == first
    assert same_weights(weights_of(model), before)
    assert int(model.optimizer.iterations) == iterations


def test_evaluate_needs_no_training_first() -> None:
    assert evaluate_generator(new_echo_model(), numbered(), 3) == 2


def test_evaluate_prints_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate_generator(echo_model(), numbered(), 3, verbose=1)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("3/3 - ")
    assert "loss: 2.0000" in line


# -- predict ------------------------------------------------------------------------------------


def test_P1_all_rows_in_the_order_of_the_batches(queue: int) -> None:
    rows = predict_generator(echo_model(), iter(UNEVEN), 4, queue)
    assert isinstance(rows, np.ndarray)
    assert rows.shape == (12, 1)
    assert rows[:, 0].tolist() == [1] + [5] * 5 + [2] * 2 + [4] * 4


def test_P1_order_holds_with_workers_and_random_delays() -> None:
    class Jittery(Indexed):
        def __getitem__(self, index: int) -> Any:
            threading.Event().wait(random.uniform(0, 0.01))
            return super().__getitem__(index)

    rows = predict_generator(echo_model(), Jittery(UNEVEN * 5), workers=3)
    assert rows[:, 0].tolist() == ([1] + [5] * 5 + [2] * 2 + [4] * 4) * 5


@pytest.mark.parametrize(
    "form",
    [
        lambda x, y: x,
        lambda x, y: (x,),
        lambda x, y: [x],
        lambda x, y: (x, y),
        lambda x, y: [x, y],
        lambda x, y: (x, y, np.ones(len(x))),
        lambda x, y: (x, None),
        lambda x, y: (x, "whatever targets are"),
    ],
    ids=["x", "(x,)", "[x]", "(x, y)", "[x, y]", "(x, y, w)", "(x, None)", "(x, text)"],
)
def test_P1_every_form_of_batch_is_accepted(form: Any, queue: int) -> None:
    batches = iter([form(x, y) for x, y in UNEVEN])
    assert predict_generator(echo_model(), batches, 4, queue).shape == (12, 1)


def test_P1_predict_equals_keras_on_the_whole_data() -> None:
    model, batches = rich_model(), make_batches(5, last_rows=1)
    expected = model.predict(whole(batches)[0], verbose=0)
    assert predict_generator(model, batches) == pytest.approx(expected, abs=1e-6)


def test_P1_a_model_that_was_never_compiled_predicts(queue: int) -> None:
    model = keras.Sequential([keras.layers.Dense(2)])
    assert predict_generator(model, iter(UNEVEN), 2, queue).shape == (6, 2)


NESTED = {
    "list": lambda p, q: [p, q],
    "dict": lambda p, q: {"p": p, "q": q},
    "nested": lambda p, q: {"one": [p], "more": (q, {"p": p})},
}


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("shape", NESTED.values(), ids=NESTED)
def test_P3_the_structure_of_the_outputs_is_kept(shape: Any, steps: int) -> None:
    inputs = keras.Input((1,))
    p = keras.layers.Rescaling(10.0, name="p")(inputs)
    q = keras.layers.Flatten(name="q")(keras.layers.RepeatVector(3)(inputs))
    model = keras.Model(inputs, shape(p, q))
    ours = predict_generator(model, iter([x for x, _ in UNEVEN]), steps)
    theirs = model.predict(np.concatenate([x for x, _ in UNEVEN[:steps]]), verbose=0)
    keras.tree.assert_same_structure(ours, theirs)
    for a, b in zip(keras.tree.flatten(ours), keras.tree.flatten(theirs), strict=True):
        assert isinstance(a, np.ndarray)
        assert np.array_equal(a, b)


def test_predict_in_groups_gives_hooks_the_rows_of_a_group() -> None:
    def predicted(predict: Any) -> list[Any]:
        shapes = []
        callback = keras.callbacks.LambdaCallback()
        callback.on_predict_batch_end = lambda batch, logs: shapes.append(
            (batch, logs["outputs"].shape)
        )
        predict(new_echo_model(steps_per_execution=3), Loader(UNEVEN), [callback])
        return shapes

    ours = predicted(lambda m, data, c: predict_generator(m, data, callbacks=c))
    assert ours == [(2, (8, 1)), (5, (4, 1))]


@pytest.mark.parametrize("settings", [{"run_eagerly": True}, {"jit_compile": True}])
def test_compile_settings_hold_for_evaluate_and_predict(settings: Any) -> None:
    model = new_echo_model(**settings)
    assert evaluate_generator(model, UNEVEN) == pytest.approx(46 / 12)
    assert predict_generator(model, UNEVEN).shape == (12, 1)


def test_C1_exact_pulls_in_evaluate_and_predict(queue: int) -> None:
    source = Watched(numbered())
    assert evaluate_generator(echo_model(), source, 3, queue) == 2
    assert predict_generator(echo_model(), source, 2, queue)[::2, 0].tolist() == [4, 5]
    assert source.pulls == 5


def test_strings_and_integers_can_be_predicted() -> None:
    import tensorflow as tf

    class Words(keras.Model):
        def call(self, x: Any) -> Any:
            return {"word": tf.strings.as_string(tf.cast(x, tf.int32)), "n": tf.cast(x, tf.int32)}

    result = predict_generator(Words(), [(x,) for x, _ in UNEVEN[:2]])
    assert result["word"][:, 0].tolist() == [b"1"] + [b"5"] * 5
    assert result["n"].dtype == np.int32
