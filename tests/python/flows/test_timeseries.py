"""Windows of time series: the batches of Keras's TimeseriesGenerator, and what differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fitgenerator import ArgumentError, timeseries_generator
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.legacy.preprocessing.sequence import TimeseriesGenerator
from support.tiny_trainings import echo_model, run

DATA = np.random.default_rng(0).normal(size=(60, 2)).astype("float32")
TARGETS = np.arange(60)


@settings(max_examples=150, deadline=None)
@given(
    length=st.integers(1, 20),
    sampling_rate=st.integers(1, 5),
    stride=st.integers(1, 7),
    start_index=st.integers(0, 12),
    end_index=st.none() | st.integers(32, 59),
    reverse=st.booleans(),
    batch_size=st.integers(1, 12),
)
def test_the_batches_are_those_of_Keras(**options: Any) -> None:
    ours = timeseries_generator(DATA, TARGETS, **options)
    theirs = TimeseriesGenerator(DATA, TARGETS, **options)
    assert len(ours) == len(theirs)
    for index in range(len(ours)):
        for part, wanted in zip(ours[index], theirs[index], strict=True):
            assert part.shape == wanted.shape
            assert np.array_equal(part, wanted)


def test_the_arguments_come_in_the_order_of_Keras() -> None:
    ours = timeseries_generator(DATA, TARGETS, 6, 2, 3, 1, 50, False, True, 4)
    theirs = TimeseriesGenerator(DATA, TARGETS, 6, 2, 3, 1, 50, False, True, 4)
    assert np.array_equal(ours[1][0], theirs[1][0])


def test_T29_the_attributes_are_those_of_Keras_and_cannot_be_set_without_effect() -> None:
    options = {"length": 6, "sampling_rate": 2, "stride": 3, "start_index": 1, "reverse": True}
    ours = timeseries_generator(DATA, TARGETS, **options)  # type: ignore[arg-type]
    theirs = TimeseriesGenerator(DATA, TARGETS, **options)
    names = [*options, "end_index", "shuffle", "batch_size"]
    assert {n: getattr(ours, n) for n in names} == {n: getattr(theirs, n) for n in names}
    assert np.array_equal(ours.data, theirs.data)
    assert np.array_equal(ours.targets, theirs.targets)
    with pytest.raises(ArgumentError, match="`length` of a flow cannot be changed; make a new"):
        ours.length = 3


def test_shuffled_every_window_comes_once_an_epoch() -> None:
    def ends(epoch: int, seed: int = 1) -> list[int]:
        flow = timeseries_generator(DATA, TARGETS, 10, shuffle=True, batch_size=8, seed=seed)
        return [int(t) for i in range(len(flow)) for t in flow.batch(epoch, i)[1]]

    assert sorted(ends(0)) == list(range(10, 60))
    assert ends(0) == ends(0) != ends(1)
    assert ends(0) != ends(0, seed=2)


def test_a_series_of_one_dimension_lists_and_doubles() -> None:
    windows, targets = timeseries_generator([*range(8)], np.arange(8.0), 3)[0]
    assert windows.tolist() == [[i, i + 1, i + 2] for i in range(5)]
    assert targets.dtype == "float32"


def test_a_model_trains_on_it_without_steps() -> None:
    series = np.arange(10.0)
    flow = timeseries_generator(series, series, 1, batch_size=3)
    history = run(echo_model(), flow, None, 2, validation_data=flow, workers=2)
    assert history.history == {"loss": [4, 4], "val_loss": [4, 4]}


REFUSED = {
    "lengths": ({"targets": TARGETS[:5]}, "same number of times .* 60 and 5"),
    "length": ({"length": 0}, "`length` must be a whole number of at least 1"),
    "too long": ({"length": 60}, "`length` leaves no window: the first would end at time 60"),
    "stride": ({"stride": 1.5}, "`stride` must be a whole number"),
    "sampling_rate": ({"sampling_rate": 0}, "`sampling_rate` must be a whole number"),
    "start_index": ({"start_index": -1}, "`start_index` must be a whole number of at least 0"),
    "end_index": (
        {"end_index": 60},
        "`end_index` must be a time of the data, from 0 to 59, not 60",
    ),
    "batch_size": ({"batch_size": 0}, "`batch_size` must be"),
    "reverse": ({"reverse": 1}, "`reverse` must be True or False, not 1"),
    "words": ({"data": np.array(["a"] * 60)}, "`data` must be an array of numbers, .* dtype str"),
    "text": ({"data": "series.csv"}, "`data` must be an array of shape"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_by_the_name_of_the_argument(given: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        timeseries_generator(**{"data": DATA, "targets": TARGETS, "length": 3, **given})


def test_floats_are_copied_whatever_their_dtype() -> None:
    for dtype in ("float32", "float64"):
        data = np.arange(6, dtype=dtype)[:, None]
        flow = timeseries_generator(data, data, length=2)
        data[:] = -1
        assert flow[0][0].min() >= 0
