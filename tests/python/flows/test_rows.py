"""Arrays as batches of rows, and one batch at a time: what R's functions on arrays are made of."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from fitgenerator.batches.arrays import Sparse
from fitgenerator.errors import ArgumentError
from fitgenerator.flows.rows import rows
from fitgenerator.steps import single_batch
from support.tiny_trainings import linear_model, new_echo_model

X = np.arange(10.0).reshape(5, 2)


def test_batches_are_rows_in_order_and_the_last_one_has_the_rest() -> None:
    batches = rows([{"a": X, "b": [X + 1]}, np.arange(5), None], 2)
    assert len(batches) == 3
    inputs, targets, weights = batches[2]
    assert inputs["a"].tolist() == [[8.0, 9.0]]
    assert inputs["b"][0].tolist() == [[9.0, 10.0]]
    assert inputs["a"].dtype == keras.config.floatx()
    assert targets.tolist() == [4]
    assert weights is None


def test_each_pass_has_all_rows_in_an_order_of_its_own() -> None:
    def passes(seed: int) -> list[list[int]]:
        batches = rows([np.arange(20)], 3, seed)
        seen = []
        for _ in range(2):
            seen.append([int(row) for i in range(len(batches)) for row in batches[i][0]])
            batches.on_epoch_end()
        return seen

    first, second = passes(1)
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second
    assert passes(1) == [first, second]
    assert passes(2) != [first, second]


def test_sparse_rows_come_in_any_order() -> None:
    dense = np.array([[0, 1, 0], [0, 0, 0], [2, 0, 3], [0, 4, 0]], "float32")
    where = np.nonzero(dense)
    batches = rows([Sparse(*where, dense[where], dense.shape), np.arange(4)], 3, seed=3)
    taken = [batches[i] for i in range(2)]
    got = np.concatenate([inputs.dense() for inputs, _ in taken])
    order = np.concatenate([targets for _, targets in taken])
    np.testing.assert_array_equal(got, dense[order])


def test_the_last_rows_are_split_off() -> None:
    train, validation = rows([X, np.arange(5)], 2, seed=1).split(0.4)
    assert sorted(int(y) for i in range(len(train)) for y in train[i][1]) == [0, 1, 2]
    assert validation[0][1].tolist() == [3, 4]
    with pytest.raises(ArgumentError, match="leaves 0 rows of 5"):
        rows([X], 2).split(0.9)


def test_what_rows_cannot_be_taken_from_is_refused() -> None:
    with pytest.raises(ArgumentError, match="same number of rows"):
        rows([X, np.arange(4)], 2)
    with pytest.raises(ArgumentError, match="rows can be taken from"):
        rows([np.array([None, [1]], dtype=object)], 2)


def test_one_batch_is_a_step_of_the_model_and_metrics_are_its_own() -> None:
    model = linear_model()
    other = linear_model()
    batch = [np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")]
    for _ in range(2):
        ours = single_batch.run("train", model, batch)
        other.reset_metrics()  # old versions go on with those of the batch before
        theirs = other.train_on_batch(*batch, return_dict=True)
        assert ours == {name: float(value) for name, value in theirs.items()}
    assert single_batch.run("test", model, [batch[0], np.zeros(4, "float32")]).keys() == {"loss"}
    eager = new_echo_model(run_eagerly=True)
    assert single_batch.run("predict", eager, [np.ones((2, 1))]).tolist() == [[1.0], [1.0]]
