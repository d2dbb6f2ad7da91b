"""Batches of arrays: order, cuts, balance, several inputs, sparse rows; what is refused."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from fitgenerator import (
    ArgumentError,
    Checkpoint,
    ShuffledWarning,
    flow_from_data,
    predict_generator,
)
from fitgenerator.r.reticulate.flows import data_flow
from fitgenerator.sources.seeded_source import Passes
from support.tiny_trainings import Seen, echo_model, linear_model, new_echo_model, run, same_weights

X = np.arange(12.0)[:, None]
Y = np.zeros((12, 1))


def flow(batch_size: int = 3, **options: Any) -> Any:
    return flow_from_data(X, Y, None, batch_size, **options)


def order(given: Passes, epoch: int = 0) -> list[float]:
    """All inputs of one pass."""
    return [float(v) for i in range(len(given)) for v in given.batch(epoch, i)[0].ravel()]


def trained(given: Any, *steps: Any, **options: Any) -> list[float]:
    seen = Seen()
    run(echo_model(), given, *steps, callbacks=[seen], **options)
    return seen.train


def means(given: Passes, *epochs: int) -> list[float]:
    """The loss of `echo_model` on each batch of these passes."""
    batches = [given.batch(e, i) for e in epochs for i in range(len(given))]
    return [round(float(np.mean(batch[0])), 3) for batch in batches]


# -- order --------------------------------------------------------------------------------------


def test_every_row_comes_once_an_epoch_in_an_order_of_its_own() -> None:
    orders = [order(flow(seed=1), epoch) for epoch in range(4)]
    assert all(sorted(given) == list(range(12)) for given in orders)
    assert len({tuple(given) for given in orders}) == 4
    assert order(flow(shuffle=False), 3) == list(range(12))


def test_the_order_follows_from_seed_and_epoch() -> None:
    assert order(flow(seed=1), 5) == order(flow(seed=1), 5) != order(flow(seed=2), 5)
    keras.utils.set_random_seed(3)
    first = order(flow())
    keras.utils.set_random_seed(3)
    assert order(flow()) == first


@pytest.mark.parametrize("workers", [1, 3])
def test_trains_without_steps_whatever_the_queue_and_the_workers(queue: int, workers: int) -> None:
    options = {"max_queue_size": queue, "workers": workers}
    assert trained(flow(seed=1), None, 3, **options) == means(flow(seed=1), 0, 1, 2)


def test_with_steps_the_passes_follow_each_other() -> None:
    assert trained(flow(seed=1), 3, 4) == means(flow(seed=1), 0, 1, 2)


@pytest.mark.parametrize("steps", [None, 3])
def test_a_later_epoch_begins_with_the_batches_that_it_would_have_had(steps: int | None) -> None:
    whole = trained(flow(seed=1), steps, 5)
    assert trained(flow(seed=1), steps, 5, initial_epoch=2) == whole[2 * (steps or 4) :]


@pytest.mark.parametrize("built", [True, False])
def test_a_training_that_is_resumed_equals_an_undisturbed_one(tmp_path: Any, built: bool) -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    y = x.sum(axis=1)

    def train(epochs: int, path: str) -> Any:
        model = linear_model(optimizer=keras.optimizers.Adam(0.1))
        if not built:
            model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones")])
            model.compile(keras.optimizers.Adam(0.1), "mse")
        data = flow_from_data(x, y, batch_size=6, seed=4)
        history = run(model, data, None, epochs, [Checkpoint(tmp_path / path)])
        return history.history, model.get_weights()

    whole, weights = train(4, "whole.npz")
    train(2, "parts.npz")
    resumed, resumed_weights = train(4, "parts.npz")
    assert resumed == whole
    assert same_weights(weights, resumed_weights)


def test_one_flow_is_training_and_validation_data_at_once() -> None:
    data, seen = flow(seed=1), Seen()
    run(echo_model(), data, None, 3, [seen], data)
    assert seen.train == seen.test == means(flow(seed=1), 0, 1, 2)


def test_Keras_own_fit_reads_it_with_an_order_for_each_epoch() -> None:
    seen = Seen()
    model = new_echo_model()
    model.fit(flow(seed=1), shuffle=False, epochs=2, verbose=0, callbacks=[seen])
    first, second = seen.train[:4], seen.train[4:]
    passes = [means(flow(seed=1), epoch) for epoch in range(4)]
    assert passes.index(first) < passes.index(second)  # Keras looks at a batch before it begins


def test_L2_predicting_from_a_shuffled_flow_warns() -> None:
    with pytest.warns(ShuffledWarning, match="`generator` shuffles: row i"):
        predict_generator(echo_model(), flow(seed=1))
    assert predict_generator(echo_model(), flow(shuffle=False)).ravel().tolist() == [*range(12)]
    assert predict_generator(echo_model(), flow_from_data(X, shuffle=False)).shape == (12, 1)


# -- batches ------------------------------------------------------------------------------------


def test_the_last_batch_is_smaller_left_out_or_filled_up() -> None:
    def cut(last: str) -> Any:
        return flow(5, seed=1, last_batch=last)

    sizes = {last: [len(batch[0]) for batch in cut(last)] for last in ("keep", "drop", "fill")}
    assert sizes == {"keep": [5, 5, 2], "drop": [5, 5], "fill": [5, 5, 5]}
    assert order(cut("fill"))[-3:] == order(cut("fill"))[:3]
    few = flow_from_data(X[:2], batch_size=5, shuffle=False, last_batch="fill")
    assert few[0][0].ravel().tolist() == [0, 1, 0, 1, 0]


def test_G7_several_inputs_and_outputs_stay_together() -> None:
    data = flow_from_data(
        {"a": X, "b": X[:, 0] + 100}, [Y + X, X], [X[:, 0], X[:, 0]], batch_size=4, seed=1
    )
    (inputs, targets, weights) = data[1]
    rows = data.rows(0, 1)
    assert inputs["a"].ravel().tolist() == rows.tolist()
    assert inputs["b"].tolist() == (rows + 100).tolist()
    assert all(part.ravel().tolist() == rows.tolist() for part in [*targets, *weights])


def test_G1_rows_of_sparse_matrices_are_made_dense() -> None:
    dense = np.random.default_rng(0).integers(0, 2, size=(12, 6)) * np.arange(1.0, 7)
    dense[4] = 0
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.coo_matrix, scipy.sparse.csc_array):
        data = flow_from_data(kind(dense), Y, batch_size=4, seed=1)
        for index in range(3):
            assert np.array_equal(data[index][0], dense[data.rows(0, index)])


def test_G5_floats_become_floatx_and_integers_stay() -> None:
    data = flow_from_data([X, X.astype("int64")], X[:, 0] > 3, batch_size=2)
    (floats, integers), flags = data[0]
    assert [a.dtype.name for a in (floats, integers, flags)] == ["float32", "int64", "bool"]


def test_frames_of_one_type_lists_of_labels_and_tensors_are_arrays() -> None:
    data = flow_from_data(pd.DataFrame({"a": X[:, 0], "b": X[:, 0]}), [*range(12)], shuffle=False)
    assert data[0][0].shape == (12, 2)
    assert data[0][1].tolist() == [*range(12)]
    assert flow_from_data(keras.ops.convert_to_tensor(X), shuffle=False)[0][0].shape == (12, 1)


def test_it_says_what_it_is() -> None:
    assert repr(flow(seed=1)) == "<DataFlow of 4 batches, shuffled>"
    assert len(flow(5)[-1][0]) == 2
    with pytest.raises(IndexError, match="there are 4 batches"):
        flow()[4]


# -- balance ------------------------------------------------------------------------------------

KINDS = np.repeat([0, 1, 2], [80, 15, 5])


@pytest.mark.parametrize(
    "labels",
    [KINDS, KINDS[:, None] * 1.0, np.eye(3)[KINDS], np.array(["a", "b", "c"])[KINDS]],
    ids=["integers", "floats", "one-hot", "words"],
)
def test_balanced_batches_have_every_class_as_often(labels: Any) -> None:
    data = flow_from_data(np.arange(100)[:, None], labels, batch_size=12, seed=1, balance=True)
    assert len(data) == 9
    for index in range(8):
        assert np.bincount(KINDS[data[index][0].ravel()]).tolist() == [4, 4, 4]
    once = np.unique(np.concatenate([data[i][0] for i in range(9)]), return_counts=True)
    assert once[1][once[0] < 80].max() == 1  # rows of the frequent class
    assert set(once[0][once[0] >= 80]) == set(range(80, 100))  # all of the others


def test_balanced_epochs_differ_and_follow_from_the_seed() -> None:
    def rows(epoch: int, **options: Any) -> list[int]:
        data = flow_from_data(KINDS[:, None], KINDS, balance=True, **options)
        return [*data.order(epoch)]

    assert rows(0, seed=1) == rows(0, seed=1) != rows(1, seed=1)
    plain = rows(0, shuffle=False)
    assert plain == rows(1, shuffle=False)
    assert plain[:6] == [0, 80, 95, 1, 81, 96]


def test_balance_takes_labels_of_its_own() -> None:
    data = flow_from_data([X], [Y, Y], balance=np.array(["a"] * 11 + ["b"]), batch_size=2, seed=1)
    assert all(11 in batch[0][0] for batch in data)


# -- refused ------------------------------------------------------------------------------------

REFUSED = {
    "rows": ({"y": Y[:3]}, r"same number of rows.* 12 in `x` \(12, 1\), 3 in `y` \(3, 1\)"),
    "batch_size": ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1, not 0"),
    "none left": ({"batch_size": 13, "last_batch": "drop"}, "`batch_size` must be at most .* 12"),
    "seed": ({"seed": -1}, "`seed` must be a whole number of at least 0, not -1"),
    "shuffle": ({"shuffle": "yes"}, "`shuffle` must be True or False, not 'yes'"),
    "last_batch": ({"last_batch": "pad"}, '`last_batch` must be "keep", "drop" or "fill"'),
    "weights alone": ({"y": None, "sample_weight": Y}, "`sample_weight` needs targets"),
    "text": ({"x": "data.csv"}, "`x` must be an array of shape"),
    "no rows": ({"x": X[:0], "y": None}, "0 rows"),
    "fractions": ({"y": X / 3, "balance": True}, "`balance` needs classes"),
    "NaN": ({"y": X * np.nan, "balance": True}, "`balance` needs classes"),
    "targets": ({"y": None, "balance": True}, "`balance` needs one array of targets, not none"),
    "labels": ({"balance": Y[:3]}, "`balance` must have a label for each of the 12 rows, not 3"),
    "no labels": ({"balance": "kind"}, "`balance` must be True, False or an array"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_by_the_name_of_the_argument(given: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        flow_from_data(**{"x": X, "y": Y, **given})


def test_masked_values_are_refused_not_dropped_where_R_holds_the_array() -> None:
    masked = np.ma.array(X, mask=X > 5)
    refusal = data_flow({"x": masked}, {})
    assert refusal["argument"] == "x"
    assert "`x` must be an array without masked values" in refusal["text"]
