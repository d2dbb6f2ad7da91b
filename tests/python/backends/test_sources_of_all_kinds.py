"""Every kind of source, and of array, trains a model alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import (
    batch_sequence,
    fit_generator,
    flow_from_chunks,
    flow_from_data,
    flow_from_frame,
    predict_generator,
    timeseries_generator,
)
from support.any_backend import values
from support.tiny_trainings import Indexed, Loader, Reiterable, forever, make_batches

BATCHES = make_batches(3)
X, Y = (np.concatenate(part) for part in zip(*BATCHES, strict=True))


def frame() -> Any:
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame({**dict(zip("abc", X.T, strict=True)), "y": Y[:, 0]})


def chunks() -> Any:
    table = frame()
    return flow_from_chunks(lambda: iter([table[:5], table[5:]]), list("abc"), "y", batch_size=4)


def sparse() -> Any:
    scipy = pytest.importorskip("scipy.sparse")
    return [(scipy.csr_matrix(x), y) for x, y in BATCHES]


def tensors(change: Callable[[Any], Any]) -> Any:
    return [(change(x), change(y)) for x, y in BATCHES]


SOURCES: dict[str, Callable[[], Any]] = {
    "list": lambda: BATCHES,
    "generator": lambda: forever(BATCHES),
    "data set": lambda: Indexed(BATCHES),
    "loader": lambda: Loader(BATCHES),
    "iterable": lambda: Reiterable(BATCHES),
    "flow of arrays": lambda: flow_from_data(X, Y, batch_size=4, shuffle=False),
    "flow of a frame": lambda: flow_from_frame(frame(), list("abc"), "y", None, 4, shuffle=False),
    "chunks": chunks,
    "batch function": lambda: batch_sequence(lambda i: BATCHES[i], 3),
    "sparse matrices": sparse,
    "the backend's tensors": lambda: tensors(keras.ops.convert_to_tensor),
    "variables": lambda: tensors(keras.Variable),
    "columns first": lambda: tensors(np.asfortranarray),
    "doubles": lambda: tensors(np.float64),
}


@cache
def model() -> tuple[Any, list[Any]]:
    """A model without a state beside its weights, and these."""
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    made.compile("sgd", "mse")
    return made, made.get_weights()


def trained(source: Any, **options: Any) -> list[Any]:
    made, begin = model()
    made.set_weights(begin)
    fit_generator(made, source, 3, 2, verbose=0, **options)
    return values(made)


@pytest.mark.parametrize("kind", list(SOURCES))
def test_sources_train_alike(kind: str) -> None:
    expected = trained(BATCHES, max_queue_size=0)
    for options in ({}, {"workers": 2, "jit_compile": True}):
        got = trained(SOURCES[kind](), **options)
        assert all(np.allclose(a, b, 1e-6) for a, b in zip(got, expected, strict=True)), options


def test_series_and_inputs_by_name() -> None:
    series = timeseries_generator(X, Y, length=3, batch_size=4)
    made = keras.Sequential([keras.Input((3, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    assert predict_generator(made, series).shape == (9, 1)
    inputs = {name: keras.Input((3,), name=name) for name in "ab"}
    named = keras.Model(inputs, {"sum": keras.layers.Add()(list(inputs.values()))})
    batches = [({"b": x, "a": x},) for x, _ in BATCHES]
    assert np.array_equal(predict_generator(named, batches)["sum"], 2 * X)
