"""What is no array, or stands for less than it seems, is refused; what is one arrives whole."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
import tf_keras
from fitgenerator import ArgumentError, BatchError, predict_generator
from fitgenerator.batches.arrays import NoArrayError, Sparse, as_array
from fitgenerator.batches.class_weight import weigh
from fitgenerator.batches.model_inputs import Expected
from fitgenerator.batches.structure import Parts, check, unpack
from fitgenerator.messages import describe
from fitgenerator.r.reticulate.results import in_r
from support.array_kinds import Endless, Failing, Giver, Liar, nested, recursive, symbolic
from support.tiny_trainings import linear_model, make_batches, run, same_weights, shown, weights_of

X = np.ones((4, 3), "float32")
Y = np.ones((4, 1), "float32")


def refused(inputs: Any, targets: Any = Y) -> str:
    """What is said of a batch that is refused by the engine."""
    model = linear_model()
    before = weights_of(model)
    with pytest.raises(BatchError) as caught:
        run(model, iter([(inputs, targets)]), 1)
    assert "While batch 1 of `generator` was made." in shown(caught.value)
    assert len(shown(caught.value)) < 1000
    assert same_weights(weights_of(model), before)
    return str(caught.value)


# -- one array ----------------------------------------------------------------------------------


def test_entries_of_a_sparse_matrix_that_are_there_twice_are_added() -> None:
    given = scipy.sparse.coo_matrix(([1.0, 2, 4], ([1, 1, 0], [2, 2, 0])), shape=(2, 3))
    array = as_array(given)
    assert array.dense().tolist() == [[4, 0, 0], [0, 0, 3]]
    assert len(given.data) == 3  # the caller's matrix is as it was


def test_rows_of_a_column_major_sparse_matrix_can_be_taken() -> None:
    dense = np.array([[0, 1], [2, 0], [3, 4]])
    array = as_array(scipy.sparse.csc_matrix(dense))
    assert array[slice(1, 3)].dense().tolist() == dense[1:].tolist()


def test_a_sparse_array_of_another_rank_is_an_array() -> None:
    assert as_array(scipy.sparse.coo_array(np.array([0.0, 2]))).tolist() == [0, 2]


def test_a_sparse_matrix_that_is_no_tensor_is_named() -> None:
    matrix = scipy.sparse.csr_matrix(X.astype(np.longdouble))
    assert "inputs, of shape (4, 3) and dtype" in refused(matrix)


def test_masked_values_are_refused_not_dropped() -> None:
    masked = np.ma.array(X, mask=np.eye(4, 3))
    assert "inputs must be an array without masked" in refused(masked)
    assert as_array(np.ma.array(X)).shape == (4, 3)


def test_an_object_is_what_it_gives_not_what_it_says() -> None:
    assert as_array(Giver(X, shape=(9, 9), dtype="?")).shape == (4, 3)
    assert "must be an array" in refused(Liar())


def test_what_an_object_raises_itself_is_the_users_to_see() -> None:
    with pytest.raises(RuntimeError, match=r"^array"):
        as_array(Failing())


@pytest.mark.parametrize("leaf", [Endless(), range(4), {1}, len, object()], ids=describe)
def test_what_gives_no_array_is_refused_without_asking_it_for_its_elements(leaf: Any) -> None:
    with pytest.raises(NoArrayError, match=r"must be an array of shape .*, not (an?|the) "):
        as_array(leaf)


@pytest.mark.parametrize(
    "leaf", [keras.Input((3,)), keras.KerasTensor((4, 3)), symbolic()], ids=["input", "keras", "tf"]
)
def test_a_symbol_has_no_values(leaf: Any) -> None:
    assert "symbol" in refused(leaf)


def test_arrays_of_another_byte_order_are_turned() -> None:
    assert as_array(X.astype(">f4")).dtype == np.dtype("float32")


@pytest.mark.parametrize(
    ("targets", "python", "r"),
    [
        ([1.0, 0, 1, 0, 1], "give np.asarray(targets).", "give as.array(targets)."),
        ([[1, 0]] * 5, "give np.asarray(targets).", "give as.array(targets)."),
        ({"a": (1, 2)}, "give np.asarray(targets['a']).", "give as.array(targets['a'])."),
        ([Y, 1.0], "one row is np.array([number]).", "one row is as.array(number)."),
    ],
)
def test_T28_T33_a_list_of_numbers_is_to_become_an_array(targets: Any, python: str, r: str) -> None:
    with pytest.raises(BatchError) as caught:
        check(Parts(X, targets))
    assert str(caught.value).endswith(python)
    assert in_r(caught.value).endswith(r)


@pytest.mark.parametrize(
    "targets", [np.array(["cat"] * 4), np.array(["cat"] * 4, object), tf.constant(["cat"] * 4)]
)
def test_T28_text_is_no_target_of_keras_s_losses(targets: Any) -> None:
    said = refused(X, targets)
    assert "The batch's targets are text, and the loss needs numbers: number the classes" in said
    assert "targets['a'] are text" in refused(X, {"a": targets})


def test_T28_text_is_a_target_where_a_loss_takes_it() -> None:
    def loss(true: Any, predicted: Any) -> Any:
        return tf.cast(tf.strings.length(true), "float32") - predicted

    model = tf_keras.Sequential([tf_keras.layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", loss)
    assert run(model, iter([(X, np.array([["cat"]] * 4))]), 1).epoch == [0]


# -- the structure ------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [recursive(), nested(9000, X)], ids=["recursive", "deep"])
def test_lists_without_an_end_are_refused(part: Any) -> None:
    assert "inputs cannot be taken apart" in refused(part)


def test_what_is_wrong_in_a_structure_is_named_by_its_place() -> None:
    words = "targets['b'][1] must be an array of shape (rows, ...), not a str of length 4"
    with pytest.raises(BatchError, match=re.escape(words)):
        check(Parts(X, {"a": Y, "b": [Y, "text"]}))


def test_long_names_make_no_long_message() -> None:
    with pytest.raises(BatchError) as caught:
        check(Parts({"n" * 5000: "text"}, Y))
    assert len(str(caught.value)) < 300


class Turned(NamedTuple):
    """A batch by names, in another order."""

    labels: Any
    features: Any


class Named(NamedTuple):
    """A batch by names, in order."""

    image: Any
    digit: Any


def test_fields_of_a_named_tuple_that_say_another_order_are_refused() -> None:
    with pytest.raises(BatchError, match=r"another order: labels, features"):
        unpack(Turned(Y, X))
    assert unpack(Named(X, Y)).inputs is X


def test_a_list_is_as_long_as_it_is() -> None:
    class Mine(list[Any]):
        def __len__(self) -> int:
            return 2

    with pytest.raises(BatchError, match="A batch must be"):
        unpack(Mine([X, Y, Y, Y]))


@pytest.mark.parametrize("part", ["targets", "sample weights"])
def test_parts_without_values_would_make_the_loss_NaN(part: str) -> None:
    empty = np.ones((4, 0))
    with pytest.raises(BatchError, match=rf"{part} have no values: their shape is \(4, 0\)"):
        check(Parts(X, empty) if part == "targets" else Parts(X, Y, empty))


# -- what the model has -------------------------------------------------------------------------


def two_inputs(names: tuple[str, str] = ("a", "b"), *, named: bool = True) -> Any:
    inputs = {name: keras.Input((3,), name=name) for name in names}
    symbols = list(inputs.values())
    outputs = keras.layers.Dense(1)(keras.layers.Concatenate()(symbols))
    model = keras.Model(inputs if named else symbols, outputs)
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("inputs", [[X, X], [X, X, X]], ids=["two", "three"])
def test_G7_more_inputs_than_the_model_has_are_refused_not_dropped(inputs: Any) -> None:
    assert f"The batch has {len(inputs)} inputs and the model 1 input" in refused(inputs)


@pytest.mark.parametrize("names", [("a", "c"), ("a", "b", "c"), ("a",)], ids=str)
def test_G7_other_names_than_the_model_has_are_refused_not_mixed_up(names: Any) -> None:
    words = f"inputs are named {', '.join(names)}; the model.s are named a, b"
    with pytest.raises(BatchError, match=words):
        run(two_inputs(), iter([(dict.fromkeys(names, X), Y)]), 1)


def test_G7_a_model_that_takes_a_list_may_be_given_names() -> None:
    history = run(two_inputs(named=False), iter([({"b": X, "a": X}, Y)]), 1)
    assert len(history.history["loss"]) == 1


def test_complex_numbers_are_refused_where_the_model_has_real_ones() -> None:
    assert "inputs are complex" in refused(X + 1j)
    assert "targets are complex" in refused(X, Y + 1j)
    inputs = keras.Input((3,), dtype="complex64")
    model = keras.Model(inputs, keras.layers.Lambda(keras.ops.real)(inputs))
    assert predict_generator(model, iter([X + 1j]), 1).shape == (4, 3)


def test_a_subclassed_model_says_itself_what_it_takes() -> None:
    class Mine(keras.Model):
        def call(self, x: Any) -> Any:
            return x[0] + x[1]

    Expected(Mine()).check(Parts([X, X, X + 1j]))
    assert predict_generator(Mine(), iter([([X, X],)]), 1).shape == (4, 3)


# -- classes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([None], "not none"),
        (np.array(["a", "b"]), "targets that are an array of numbers, not an array of shape"),
        (np.array([0, np.nan]), "classes, not NaN or infinite"),
        (np.ones((2, 0)), "not of shape (rows, 0)"),
        (tf.ragged.constant([[1], [1, 2]]), "an array of numbers, not a RaggedTensor"),
    ],
    ids=["None", "text", "NaN", "no columns", "ragged"],
)
def test_W5_targets_that_have_no_classes_are_refused(targets: Any, words: str) -> None:
    with pytest.raises(BatchError, match=re.escape(words)):
        weigh(Parts(X[:2], targets), {0: 1.0, 1: 2.0})


def test_W3_class_weights_times_several_arrays_of_sample_weights_are_refused() -> None:
    with pytest.raises(BatchError, match="one array of sample weights, not with 2"):
        weigh(Parts(X, np.zeros(4), [Y, Y]), {0: 1.0})


def test_W1_classes_in_a_sparse_matrix_are_weighed() -> None:
    targets = Sparse([0, 1], [0, 1], np.array([1, 1]), (2, 2))
    assert weigh(Parts(X[:2], targets), {0: 1.0, 1: 5.0}).weights.tolist() == [1, 5]


def test_W2_many_classes_without_a_weight_make_no_long_message() -> None:
    with pytest.raises(BatchError, match="and 4992 more of the targets") as caught:
        weigh(Parts(np.ones((5000, 1)), np.arange(5000)), dict.fromkeys(range(6000, 9000), 1.0))
    assert len(str(caught.value)) < 400


def test_W2_a_class_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ArgumentError, match="names class 1 twice"):
        run(linear_model(), iter([(X, Y)]), 1, class_weight={1: 2.0, "1": 3.0})


# -- fixed arrays -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ((None, Y), "`validation_data`'s inputs are missing"),
        (
            (X, np.ma.array(Y, mask=True)),
            "targets must be an array without masked values",
        ),
        ((tf.sparse.from_dense(X), Y), "`validation_data` as fixed arrays must hold arrays that"),
    ],
    ids=["None", "masked", "no rows to take"],
)
def test_D2_fixed_arrays_that_cannot_be_used_are_refused_before_epoch_1(
    data: Any, words: str
) -> None:
    batches = iter(make_batches(1))
    with pytest.raises(ArgumentError, match=re.escape(words)):
        run(linear_model(), batches, 1, validation_data=data)
    assert next(batches, None) is not None


def test_D2_sparse_matrices_are_validation_data() -> None:
    dense = np.repeat(np.eye(3, dtype="float32"), 20, axis=0)
    targets = np.ones((60, 1), "float32")
    data = (scipy.sparse.csc_matrix(dense), targets)
    ours = run(linear_model(), make_batches(1), validation_data=data).history["val_loss"]
    theirs = run(linear_model(), make_batches(1), validation_data=(dense, targets)).history
    assert ours == theirs["val_loss"]
