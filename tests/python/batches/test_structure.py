"""What a batch may be, what it becomes, and how classes weigh it."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from fitgenerator import BatchError, predict_generator
from fitgenerator.batches.arrays import Sparse
from fitgenerator.batches.class_weight import weigh
from fitgenerator.batches.preparation import Preparer
from fitgenerator.batches.structure import Parts, check, unpack
from fitgenerator.messages import describe
from fitgenerator.steps.chosen import steps_of
from support.model_kinds_tensorflow import made
from support.tiny_trainings import (
    Seen,
    close_history,
    echo_model,
    forever,
    keras_history,
    linear_model,
    make_batches,
    numbered_batch,
    run,
    same_history,
    shown,
    weights_of,
)

X = np.ones((4, 3), "float32")
Y = np.ones((4, 1), "float32")
W = np.ones(4, "float32")

# -- taking apart -------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [(X, Y), [X, Y], (X, Y, W), [X, Y, None], ([X, X], {"a": Y})])
def test_two_or_three_parts_are_a_batch(raw: Any) -> None:
    parts, rows = check(unpack(raw))
    assert rows == 4
    assert len(parts) == 3


@pytest.mark.parametrize("raw", [X, {"x": X}, (X,), (X, Y), (X, Y, W)], ids=str)
def test_P1_inputs_alone_are_a_batch_for_predict(raw: Any) -> None:
    assert check(unpack(raw, "inputs"), "inputs")[1] == 4


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (X, "an array of shape (4, 3)"),
        (X[0, 0], "a float32 of shape ()"),
        ([X], "a list of length 1 (an array of shape (4, 3))"),
        ((X, Y, W, W), "a tuple of length 4"),
        ((), "a tuple of length 0"),
        (None, "None"),
        (3, "the number 3"),
        ({"x": X}, "a dict with 1 key"),
        ("x" * 5000, "a str of length 5000"),
        ([X] * 5000, "a list of length 5000"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 99 else "",
)
def test_E2_anything_else_is_refused_in_few_words(raw: Any, found: str) -> None:
    with pytest.raises(BatchError) as caught:
        unpack(raw)
    message = str(caught.value)
    assert found in message
    assert "(inputs, targets) or (inputs, targets, sample_weights)" in message
    assert len(message) < 300


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ((None, Y), "inputs are missing"),
        (([], Y), "inputs are missing"),
        (([X, None], Y), "inputs are missing"),
        ((X, []), "targets are missing"),
        ((X, 3.0), "targets must be an array of shape (rows, ...), not the number 3.0; a batch"),
        (
            (np.float32(1), Y),
            "inputs must be an array of shape (rows, ...), not a float32 of shape ()",
        ),
        ((X, Y, 2.0), "sample weights must be an array of shape (rows, ...), not the number 2.0"),
        ((X, "text"), "targets must be an array of shape (rows, ...), not a str of length 4"),
        ((X[:0], Y[:0]), "0 rows"),
    ],
)
def test_E2_a_part_that_is_missing_or_no_array_is_named(raw: Any, words: str) -> None:
    with pytest.raises(BatchError, match=re.escape(words)):
        check(unpack(raw))


@pytest.mark.parametrize(
    "raw", [(X, Y[:3]), (X, Y, W[:3]), ([X, X[:3]], Y), (X, {"a": Y, "b": Y[:3]})]
)
def test_E3_unequal_rows_are_refused_with_both_counts(raw: Any) -> None:
    with pytest.raises(BatchError, match=r"same number of rows.*\b[34] in .*\b[34] in "):
        check(unpack(raw))


def test_describe_never_shows_contents() -> None:
    assert describe([X, (Y, None)]) == (
        "a list of length 2 (an array of shape (4, 3), a tuple of length 2 "
        "(an array of shape (4, 1), None))"
    )


# -- becoming tensors ---------------------------------------------------------------------------


def prepare(parts: Parts, rows: int, model: Any = None) -> Any:
    """A batch of tensors."""
    batch = Preparer(model or linear_model())(tuple(parts))
    assert batch.rows == rows
    return batch.ready()


@pytest.mark.parametrize(
    "dtype", ["float64", "float32", "float16", "int64", "int32", "uint8", "bool", "<U3"]
)
def test_dtypes_are_kept(dtype: str) -> None:
    array = np.array([[1], [0]]).astype(dtype)
    model = made("strings")[0] if dtype == "<U3" else None
    batch = prepare(Parts(array, np.zeros(2)), 2, model)
    assert batch.leaves[0].dtype == (tf.string if dtype == "<U3" else tf.as_dtype(dtype))


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
def test_G6_column_major_arrays_arrive_as_they_are(rank: int) -> None:
    array = np.arange(np.prod(range(2, 2 + rank))).reshape(range(2, 2 + rank))
    turned = np.asfortranarray(array)
    assert not turned.flags.c_contiguous
    batch = prepare(Parts(turned, array[:, ::-1]), 2)
    assert np.array_equal(batch.leaves[0], array)
    assert np.array_equal(batch.leaves[1], array[:, ::-1])


@pytest.mark.parametrize("dtype", ["int32", "uint32"])
def test_G6_integers_keep_every_bit(dtype: str) -> None:
    bounds = np.iinfo(dtype)
    random = np.random.default_rng(5)
    array = random.integers(bounds.min, bounds.max, (8, 40, 30, 3), dtype, endpoint=True)
    array[0] %= 256  # small numbers are subnormal floats
    array[1] |= np.array(0x7F800000).astype(dtype)  # and these are not numbers
    batch = prepare(Parts(np.asfortranarray(array), np.ones((8, 1))), 8)
    assert batch.leaves[0].dtype == dtype
    assert np.array_equal(batch.leaves[0], array)


def test_an_array_of_objects_is_refused_with_dtype_and_shape() -> None:
    ragged = np.array([[1], [1, 2]], dtype=object)
    with pytest.raises(BatchError, match=r"inputs, of shape \(2,\) and dtype object"):
        prepare(Parts(ragged, Y[:2]), 2)


def test_M4_a_buffer_that_the_generator_uses_again_does_not_change_earlier_batches() -> None:
    def refilling() -> Any:
        # Large and aligned, so that TensorFlow would rather share the memory than copy it.
        memory = np.zeros(64 * 1024 + 64, "uint8")
        start = -memory.ctypes.data % 64
        x = memory[start : start + 4 * 4096].view("float32").reshape(4096, 1)
        y = np.zeros((4096, 1), "float32")
        for number in range(1, 9):
            x[:] = number
            yield x, y

    seen = Seen()
    run(echo_model(), refilling(), 8, callbacks=[seen])
    assert seen.train == [1, 2, 3, 4, 5, 6, 7, 8]


def test_G5_integers_stay_integers_for_embeddings() -> None:
    def model() -> Any:
        keras.utils.set_random_seed(1)
        layers = [keras.Input((2,), dtype="int32"), keras.layers.Embedding(5, 2)]
        model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(3)])
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    random = np.random.default_rng(0)
    batches = [(random.integers(0, 5, (4, 2)), random.integers(0, 3, 4)) for _ in range(3)]
    theirs = keras_history(model(), forever(batches), steps_per_epoch=3)
    assert same_history(run(model(), iter(batches), 3), theirs)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "uint8", "bool"])
def test_G5_dtypes_give_the_losses_that_fit_gives(dtype: str) -> None:
    batches = [((x * 3).astype(dtype), y.astype(dtype)) for x, y in make_batches(3)]
    theirs = keras_history(linear_model(), forever(batches), steps_per_epoch=3)
    assert same_history(run(linear_model(), iter(batches), 3), theirs)


def test_G2_vectors_and_columns_of_targets_alternate() -> None:
    batches = make_batches(4)
    mixed = [(x, y[:, 0] if number % 2 else y) for number, (x, y) in enumerate(batches)]
    expected = run(linear_model(), iter(batches), 2, 2).history
    assert close_history(run(linear_model(), iter(mixed), 2, 2).history, expected)


def test_G2_one_row_is_a_batch() -> None:
    run(linear_model(), make_batches(3, rows=1))


@pytest.mark.parametrize("form", ["csr_matrix", "coo_matrix", "csc_array"])
def test_G1_scipy_matrices_are_made_dense(form: str) -> None:
    batches = [(np.where(x > 0, x, 0), y) for x, y in make_batches(3)]
    sparse = [(getattr(scipy.sparse, form)(x), y) for x, y in batches]
    expected = run(linear_model(), iter(batches), 3).history
    assert run(linear_model(), iter(sparse), 3).history == expected


def sparse_model() -> Any:
    keras.utils.set_random_seed(7)
    inputs = keras.Input((3,), sparse=True)
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


def test_G1_a_sparse_input_gets_sparse_tensors() -> None:
    batches = [(np.where(x > 0, x, 0), y) for x, y in make_batches(3)]
    sparse = [(scipy.sparse.csc_matrix(x), y) for x, y in batches]
    expected = run(linear_model(), iter(batches), 3).history
    model = sparse_model()
    assert close_history(run(model, iter(sparse), 3).history, expected)
    leaf = prepare(Parts(*sparse[0]), 4, model).leaves[0]
    assert isinstance(leaf, tf.SparseTensor)


def test_a_sparse_matrix_by_coordinates_is_an_array() -> None:
    matrix = Sparse([0, 1], [2, 0], np.array([5.0, 7.0]), (2, 3))
    assert matrix.dense().tolist() == [[0, 0, 5], [7, 0, 0]]
    assert matrix.dtype == np.float64


def test_ragged_tensors_pass_through() -> None:
    class Sums(keras.Model):
        def call(self, x: Any) -> Any:
            return tf.reduce_sum(x, axis=1)

    model = Sums()
    batches = [tf.ragged.constant([[1.0], [2.0, 3.0]]), tf.ragged.constant([[4.0, 5.0], [6.0]])]
    assert predict_generator(model, iter(batches), 2).tolist() == [1, 5, 9, 6]
    assert steps_of(model).traces == 1


def test_data_frames_and_lists_of_rows_are_not_mistaken() -> None:
    class Frame:
        """As much of a pandas DataFrame as matters here."""

        shape, dtypes = (4, 3), None

        def to_numpy(self) -> Any:
            return X

        def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
            return X

    parts, rows = check(Parts(Frame(), Y))
    assert rows == 4
    assert parts.inputs is X


# -- weighing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "targets",
    [[0, 1, 1], [[0], [1], [1]], [[1, 0], [0, 1], [0, 1]], [0.0, 1.0, 1.0], [False, True, True]],
    ids=["vector", "column", "one-hot", "floats", "booleans"],
)
def test_W1_each_row_gets_the_weight_of_its_class(targets: Any) -> None:
    parts = weigh(Parts(X[:3], np.array(targets)), {0: 1.0, 1: 5.0})
    assert parts.weights.tolist() == [1, 5, 5]
    assert parts.weights.dtype == keras.config.floatx()


@pytest.mark.parametrize("given", [[1, 2, 3], [[1], [2], [3]]], ids=["vector", "column"])
def test_W3_class_weight_times_sample_weight(given: Any) -> None:
    parts = weigh(Parts(X[:3], np.array([0, 1, 1]), np.array(given)), {0: 2.0, 1: 5.0})
    assert parts.weights.ravel().tolist() == [2, 10, 15]
    assert parts.weights.shape == np.shape(given)


def test_W1_one_step_has_the_loss_and_the_weights_of_the_closed_form() -> None:
    x = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], "float32")
    y = np.array([[0], [1], [1], [0]], "float32")
    weights, rate = np.array([1.0, 5.0, 5.0, 1.0]), 0.05
    model = linear_model()
    kernel, bias = weights_of(model)
    error = x @ kernel + bias - y
    loss = np.mean(weights * error[:, 0] ** 2)
    slope = 2 * weights[:, None] * error / 4
    history = run(model, iter([(x, y)]), 1, class_weight={0: 1, 1: 5})
    assert history.history["loss"] == pytest.approx([loss])
    assert model.get_weights()[0] == pytest.approx(kernel - rate * x.T @ slope, abs=1e-6)
    assert model.get_weights()[1] == pytest.approx(bias - rate * slope.sum(0), abs=1e-6)
    in_batch = linear_model()
    history = run(in_batch, iter([(x, y, weights)]), 1)
    assert history.history["loss"] == pytest.approx([loss])
    assert in_batch.get_weights()[0] == pytest.approx(model.get_weights()[0])


def test_W1_weights_for_classes_that_do_not_occur_are_fine() -> None:
    assert weigh(Parts(X, np.zeros(4)), {0: 2, 7: 3}).weights.tolist() == [2] * 4


def test_W2_a_class_without_a_weight_is_named_and_nothing_is_trained() -> None:
    model = linear_model()
    before = weights_of(model)
    with pytest.raises(BatchError, match=r"no weight for class 2.*it names 0, 1") as caught:
        run(model, iter([(X, np.array([0, 1, 1, 2]))]), 1, class_weight={0: 1, 1: 2})
    assert "batch 1" in shown(caught.value)
    assert [w.tolist() for w in before] == [w.tolist() for w in weights_of(model)]


@pytest.mark.parametrize("targets", [np.zeros((4, 2, 2)), [Y, Y], None])
def test_W5_targets_without_classes_point_to_sample_weights(targets: Any) -> None:
    with pytest.raises(BatchError, match="give sample weights in the batch"):
        weigh(check(Parts(X, targets))[0], {0: 1.0})


def test_validation_is_not_weighed_by_class() -> None:
    model = echo_model()
    batches = [numbered_batch(2)]
    history = run(
        model, iter(batches), 1, class_weight={0: 5}, validation_data=batches, validation_steps=1
    )
    assert history.history["loss"] == [10]
    assert history.history["val_loss"] == [2]


def test_validation_from_the_training_iterator_is_not_weighed_by_class() -> None:
    source = iter([numbered_batch(2), numbered_batch(3)])
    history = run(
        echo_model(), source, 1, class_weight={0: 5}, validation_data=source, validation_steps=1
    )
    assert history.history["loss"] == [10]
    assert history.history["val_loss"] == [3]
