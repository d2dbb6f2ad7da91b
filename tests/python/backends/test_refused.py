"""What a backend does not take is refused before the first step, in words, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import (
    ArgumentError,
    ArgumentTypeError,
    BatchError,
    evaluate_generator,
    fit_generator,
    predict_generator,
)
from support.any_backend import rich, values
from support.tiny_trainings import Watched, make_batches, same_weights

BACKEND = keras.config.backend()
TITLE = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}[BACKEND]
elsewhere = pytest.mark.skipif(BACKEND == "tensorflow", reason="not about TensorFlow")
X, Y = make_batches(1)[0]


def of_tensorflow(name: str, **methods: Any) -> Any:
    """An object as of a TensorFlow that Keras does not run on."""
    return type(name, (), {"__module__": "tensorflow.python.framework", **methods})()


def classifier(loss: Any = "sparse_categorical_crossentropy", outputs: int = 3) -> Any:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(outputs, "softmax")])
    model.compile("sgd", loss)
    return model


def refused(
    kind: type[Exception], words: str, model: Any, *batches: Any, call: Any = fit_generator
) -> Watched:
    """Expect the error, and a model as it was before; the source."""
    before, source = values(model), Watched(batches)
    options = {} if call is evaluate_generator else {"verbose": 0}
    with pytest.raises(kind, match=words):
        call(model, source, len(batches), **options)
    assert same_weights(values(model), before)
    return source


def test_a_model_that_is_not_compiled() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    for call in (fit_generator, evaluate_generator):
        assert refused(ArgumentError, "must be compiled", model, (X, Y), call=call).pulls == 0
    assert predict_generator(model, iter([(X,)]), 1).shape == (4, 1)


@pytest.mark.parametrize("text", [np.array([["a"] * 3] * 4), np.array([["a"] * 3] * 4, object)])
def test_text_for_inputs_that_are_numbers(text: Any) -> None:
    words = "inputs are text, and the model needs numbers: encode them in the generator; on Tens"
    for call in (fit_generator, evaluate_generator):
        refused(BatchError, words, classifier(), (text, X[:, 0] * 0), call=call)
    refused(BatchError, words, classifier(), (text,), call=predict_generator)


def test_a_model_of_a_keras_that_was_loaded_anew() -> None:
    anew = type("Model", (), {"__module__": "keras.src.models.model"})
    mine = type("Mine", (anew,), {})
    with pytest.raises(ArgumentTypeError, match="of another Keras than the one that was loaded"):
        fit_generator(mine(), iter([(X, Y)]), 1)


@elsewhere
def test_a_model_of_another_backend() -> None:
    model = rich()
    variable = model.trainable_variables[0]
    own, variable._value = variable._value, of_tensorflow("EagerTensor")
    source = Watched([(X, Y)])
    with pytest.raises(
        ArgumentError, match=rf"Keras runs on {TITLE}, and .* tensorflow\.EagerTensor"
    ):
        fit_generator(model, source, 1, verbose=0)
    assert source.pulls == 0
    variable._value = own
    assert fit_generator(model, source, 1, verbose=0).epoch == [0]


@elsewhere
def test_tensors_and_data_sets_of_tensorflow() -> None:
    given = of_tensorflow("EagerTensor", __array__=lambda self, *_, **__: X)
    assert np.array_equal(
        predict_generator(rich(), iter([(given,)]), 1), predict_generator(rich(), iter([(X,)]), 1)
    )
    ragged = of_tensorflow("RaggedTensor", shape=SimpleNamespace(rank=2))
    refused(BatchError, "must be an array of shape .* not a RaggedTensor", rich(), (ragged, Y))
    data = of_tensorflow("_BatchDataset")
    with pytest.raises(ArgumentTypeError, match=r"must give batches: .* not a _BatchDataset"):
        fit_generator(rich(), data, 1)


@elsewhere
def test_sparse_inputs_and_text() -> None:
    if BACKEND == "jax":  # on PyTorch, Keras makes no such Input
        scipy = pytest.importorskip("scipy.sparse")
        model = keras.Sequential([keras.Input((3,), sparse=True), keras.layers.Dense(1)])
        rows = scipy.csr_matrix(np.eye(3, dtype="float32"))
        refused(BatchError, "no input may be sparse", model, (rows,), call=predict_generator)
        from jax.experimental import sparse

        matrix = sparse.BCOO.fromdense(X)
        refused(BatchError, "arrays must be dense, not BCOO", rich(), (matrix, Y))
    words = (np.array([["a", "b", "c"]]), np.zeros((1, 1)))
    refused(BatchError, "inputs are text, and the model needs numbers", rich(), words)


def two_outputs(losses: Any) -> Any:
    inputs = keras.Input((3,))
    outputs = [keras.layers.Dense(n, "softmax", name=f"o{n}")(inputs) for n in (2, 4)]
    model = keras.Model(inputs, outputs)
    model.compile("sgd", losses)
    return model


LABELS = np.array([0, 1, 2, 1])
SPARSE = "sparse_categorical_crossentropy"


@elsewhere
@pytest.mark.parametrize(
    ("model", "targets", "words"),
    [
        (classifier, LABELS + 1, "targets must be numbers of classes, from 0 to 2 .* not 3"),
        (classifier, LABELS - 1, "not -1"),
        (classifier, (LABELS + 1.5).astype("float32")[:, None], "not 3.5"),
        (classifier, np.full(4, np.nan, "float32"), "not nan"),
        (lambda: classifier(keras.losses.SparseCategoricalCrossentropy()), LABELS + 7, "not 7"),
        (lambda: two_outputs([SPARSE, SPARSE]), [LABELS % 2, LABELS + 2], r"targets\[1\].* not 4"),
        (
            lambda: two_outputs({"o2": SPARSE, "o4": SPARSE}),
            {"o4": LABELS, "o2": LABELS},
            r"targets\['o2'\].*from 0 to 1 .* not 2",
        ),
    ],
)
def test_labels_that_are_of_no_class(model: Callable[[], Any], targets: Any, words: str) -> None:
    made = model()
    refused(BatchError, words, made, (X, targets))
    refused(BatchError, words, made, (X, targets), call=evaluate_generator)
    # Also where a batch of the same form was taken before.
    right = keras.tree.map_structure(np.zeros_like, targets)
    fit_generator(made, iter([(X, right)]), 1, verbose=0)
    refused(BatchError, words, made, (X, targets))


def test_labels_that_are_allowed() -> None:
    ignoring = classifier(keras.losses.SparseCategoricalCrossentropy(ignore_class=-1))
    fit_generator(ignoring, iter([(X, np.array([-1, 0, 2, 1]))]), 1, verbose=0)
    fit_generator(classifier(), iter([(X, LABELS.astype("float32"))]), 1, verbose=0)
    fit_generator(two_outputs([SPARSE, "mse"]), iter([(X, [LABELS % 2, X[:, [0] * 4]])]), 1,
                  verbose=0)  # fmt: skip
