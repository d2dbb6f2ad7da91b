"""Validation: which batches, when, and the numbers that `evaluate` gives on the same data."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import evaluate_generator
from support.tiny_trainings import (
    HookLog,
    Indexed,
    Seen,
    Watched,
    echo_model,
    forever,
    keras_history,
    linear_model,
    make_batches,
    numbered,
    numbered_batch,
    rich_model,
    run,
    same_history,
)


@pytest.mark.parametrize("epochs", [5, 12])
def test_A2_training_and_validation_generators_for_many_epochs(epochs: int, queue: int) -> None:
    train, unseen = Watched(numbered()), Watched(numbered())
    options = {"validation_steps": 2, "max_queue_size": queue}
    history = run(echo_model(), train, 3, epochs, None, unseen, **options)
    assert history.history["val_loss"] == [2 * e + 1.5 for e in range(epochs)]
    assert (train.pulls, unseen.pulls) == (3 * epochs, 2 * epochs)


def test_D1_each_validation_batch_is_used_once_in_order(queue: int) -> None:
    unseen, seen = Watched(numbered()), Seen()
    options = {"validation_steps": 2, "max_queue_size": queue}
    history = run(echo_model(), numbered(), 1, 4, [seen], unseen, **options)
    assert seen.test == [1, 2, 3, 4, 5, 6, 7, 8]
    assert history.history["val_loss"] == [1.5, 3.5, 5.5, 7.5]
    assert unseen.pulls == 8
    assert evaluate_generator(echo_model(), unseen, 1, queue) == 9


def test_D2_an_iterator_without_validation_steps_is_refused_before_epoch_1() -> None:
    source, unseen = Watched(numbered()), Watched(numbered())
    with pytest.raises(ValueError, match=r"^`validation_steps` must be given: `validation_data`"):
        run(echo_model(), source, 2, validation_data=unseen)
    assert (source.pulls, unseen.pulls) == (0, 0)


def arrays(rows: int = 70) -> tuple[Any, Any, Any]:
    random = np.random.default_rng(3)
    return (
        random.normal(size=(rows, 3)),
        random.normal(size=(rows, 1)),
        random.uniform(0.5, 2, size=rows),
    )


@pytest.mark.parametrize("count", [2, 3], ids=["x, y", "x, y, w"])
@pytest.mark.parametrize("kind", [tuple, list])
def test_D3_fixed_arrays_give_what_evaluate_gives(kind: Any, count: int) -> None:
    model, data = linear_model(metrics=["mae"]), arrays()[:count]
    history = run(model, iter(make_batches(2)), 2, validation_data=kind(data))
    x, y, w = (*data, None)[:3]
    expected = model.evaluate(x, y, sample_weight=w, verbose=0, return_dict=True)
    scores = {k[4:]: v for k, v in history.history.items() if k.startswith("val_")}
    assert scores == {k: [v] for k, v in expected.items()}


def test_D3_fixed_arrays_give_the_history_of_fit() -> None:
    batches, data = make_batches(4), arrays()
    theirs = keras_history(
        rich_model(), forever(batches), steps_per_epoch=2, epochs=2, validation_data=data
    )
    assert same_history(run(rich_model(), iter(batches), 2, 2, None, data), theirs)


def test_D3_fixed_arrays_for_several_inputs_are_lists_or_dicts() -> None:
    def model() -> Any:
        keras.utils.set_random_seed(1)
        a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
        both = keras.layers.Concatenate()([a, b])
        model = keras.Model([a, b], keras.layers.Dense(1)(both))
        model.compile("sgd", "mse")
        return model

    x, y, _ = arrays(5)
    parts = [x[:, :2], x]
    train = [([p[:4] for p in parts], y[:4])]
    by_place = run(model(), train, validation_data=(parts, y)).history
    names = {"b": parts[1], "a": parts[0]}
    by_name = run(model(), [({"a": names["a"][:4], "b": x[:4]}, y[:4])], validation_data=(names, y))
    assert by_place == by_name.history
    assert "val_loss" in by_place


def test_D4_validation_steps_bound_a_longer_source(queue: int) -> None:
    unseen = Indexed([numbered_batch(k) for k in range(100)])
    options = {"validation_steps": 5, "max_queue_size": queue}
    run(echo_model(), numbered(), 1, 3, None, unseen, **options)
    assert unseen.order == [0, 1, 2, 3, 4] * 3


@pytest.mark.parametrize(
    ("freq", "validated"), [(1, [1, 2, 3, 4]), (2, [2, 4]), ([1, 4], [1, 4]), ({3}, [3])]
)
def test_validation_freq_says_after_which_epochs(freq: Any, validated: list[int]) -> None:
    log, unseen = HookLog(), Watched(numbered())
    options = {"validation_steps": 2, "validation_freq": freq}
    history = run(echo_model(), numbered(), 1, 4, [log], unseen, **options)
    assert len(history.history["val_loss"]) == len(validated)
    assert unseen.pulls == 2 * len(validated)
    ends = [entry for entry in log.log if entry[0] == "on_epoch_end"]
    assert [e[1] + 1 for e in ends if "val_loss" in e] == validated


def test_validation_counts_from_initial_epoch_as_fit_does() -> None:
    log = HookLog()
    options = {"validation_freq": 2, "initial_epoch": 1}
    run(echo_model(), numbered(), 1, 4, [log], [numbered_batch(1)], **options)
    ends = [entry for entry in log.log if entry[0] == "on_epoch_end"]
    assert [e[1] for e in ends if "val_loss" in e] == [1, 3]


def test_validation_does_not_train() -> None:
    model = rich_model()
    batches = make_batches(2)
    run(model, batches)
    alone = model.evaluate(Indexed(batches), verbose=0, return_dict=True)
    history = run(model, batches, validation_data=batches)
    again = model.evaluate(Indexed(batches), verbose=0, return_dict=True)
    assert history.history["val_loss"] == [again["loss"]]
    assert alone != again
    assert int(model.optimizer.iterations) == 4


def test_a_smaller_last_batch_counts_by_its_rows(queue: int) -> None:
    unseen = [numbered_batch(1, rows=8), numbered_batch(9, rows=2)]
    history = run(echo_model(), numbered(), 1, validation_data=unseen, max_queue_size=queue)
    assert history.history["val_loss"] == pytest.approx([2.6])
