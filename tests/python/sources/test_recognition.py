"""Every kind of source: where its batches begin, whether they carry on, how long it is."""

from __future__ import annotations

import random
import threading
from collections import deque
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf
from fitgenerator import ArgumentError, ArgumentTypeError, evaluate_generator
from fitgenerator.sources.recognition import as_source
from fitgenerator.sources.validation import as_validation
from support.tiny_trainings import (
    PATIENCE,
    HookLog,
    Indexed,
    Loader,
    Reiterable,
    Seen,
    Watched,
    echo_model,
    linear_model,
    make_batches,
    numbered,
    numbered_batch,
    run,
)

THREE = [numbered_batch(k) for k in (1, 2, 3)]


def dataset(batches: list[Any] | None = None) -> Any:
    """A tf.data.Dataset that does not know its length."""
    given = THREE if batches is None else batches
    spec = tf.TensorSpec((None, 1), tf.float32)
    return tf.data.Dataset.from_generator(lambda: iter(given), output_signature=(spec, spec))


def known_dataset() -> Any:
    return dataset().apply(tf.data.experimental.assert_cardinality(3))


class Old:
    """The least that an indexed source has."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return THREE[index]


SIZED = {
    "PyDataset": lambda: Indexed(THREE),
    "list of tuples": lambda: list(THREE),
    "tuple of tuples": lambda: tuple(THREE),
    "indexed object": Old,
    "deque": lambda: deque(THREE),
    "loader": lambda: Loader(THREE),
    "tf.data of known length": known_dataset,
}
RESTARTING = {**SIZED, "re-iterable": lambda: Reiterable(THREE), "tf.data": dataset}
CARRYING_ON = {
    "generator": numbered,
    "iterator": lambda: iter([numbered_batch(k) for k in range(1, 9)]),
    "watched": lambda: Watched(numbered()),
}


def trained_on(source: Any, *steps: Any, **options: Any) -> list[float]:
    seen = Seen()
    run(echo_model(), source, *steps, callbacks=[seen], **options)
    return seen.train


# -- training -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", RESTARTING.values(), ids=RESTARTING)
def test_without_steps_an_epoch_is_a_pass(make: Any, queue: int) -> None:
    assert trained_on(make(), None, 2, max_queue_size=queue) == [1, 2, 3, 1, 2, 3]


@pytest.mark.parametrize("make", RESTARTING.values(), ids=RESTARTING)
def test_with_steps_it_goes_on_and_begins_again_when_used_up(make: Any, queue: int) -> None:
    assert trained_on(make(), 2, 4, max_queue_size=queue) == [1, 2, 3, 1, 2, 3, 1, 2]


@pytest.mark.parametrize("make", RESTARTING.values(), ids=RESTARTING)
def test_more_steps_than_it_has_begin_again_within_the_epoch(make: Any) -> None:
    assert trained_on(make(), 5) == [1, 2, 3, 1, 2]


@pytest.mark.parametrize("make", CARRYING_ON.values(), ids=CARRYING_ON)
def test_an_iterator_carries_on(make: Any, queue: int) -> None:
    assert trained_on(make(), 2, 3, max_queue_size=queue) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("make", SIZED.values(), ids=SIZED)
def test_the_length_is_told_to_callbacks(make: Any) -> None:
    assert run(echo_model(), make()).params["steps"] == 3


def test_an_infinite_dataset_needs_steps() -> None:
    endless = dataset().repeat()
    with pytest.raises(ArgumentError, match="`steps_per_epoch` must be given"):
        run(echo_model(), endless)
    assert trained_on(endless, 2, 2) == [1, 2, 3, 1]


def test_a_PyDataset_without_a_length_needs_steps() -> None:
    class Endless(keras.utils.PyDataset):
        def __getitem__(self, index: int) -> Any:
            return numbered_batch(index)

        @property
        def num_batches(self) -> None:
            return None

    with pytest.raises(ArgumentError, match="`steps_per_epoch` must be given"):
        run(echo_model(), Endless())
    assert trained_on(Endless(), 2, 2) == [0, 1, 2, 3]


# -- validation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("make", RESTARTING.values(), ids=RESTARTING)
def test_D4_validation_begins_at_the_first_batch_each_time(make: Any, queue: int) -> None:
    seen = Seen()
    options = {"max_queue_size": queue, "callbacks": [seen]}
    history = run(echo_model(), numbered(), 1, 3, validation_data=make(), **options)
    assert seen.test == [1, 2, 3] * 3
    assert history.history["val_loss"] == [2] * 3
    seen.test.clear()
    run(echo_model(), numbered(), 1, 3, validation_data=make(), validation_steps=2, **options)
    assert seen.test == [1, 2] * 3


@pytest.mark.parametrize("make", CARRYING_ON.values(), ids=CARRYING_ON)
def test_D1_validation_by_an_iterator_carries_on(make: Any, queue: int) -> None:
    seen = Seen()
    options = {"max_queue_size": queue, "callbacks": [seen]}
    run(echo_model(), numbered(), 2, 3, validation_data=make(), validation_steps=2, **options)
    assert seen.test == [1, 2, 3, 4, 5, 6]
    assert seen.train == [1, 2, 3, 4, 5, 6]


def test_D3_arrays_are_evaluated_in_batches_of_32() -> None:
    rows = np.arange(70, dtype="float64")[:, None]
    log = HookLog()
    history = run(echo_model(), numbered(), 1, 2, [log], (rows, rows * 0))
    batches = [entry[1] for entry in log.log if entry[0] == "on_test_batch_begin"]
    assert batches == [0, 1, 2] * 2
    assert history.history["val_loss"] == pytest.approx([34.5] * 2)


def test_lists_of_tuples_are_batches_and_tuples_of_lists_are_arrays() -> None:
    x, y = make_batches(1)[0]
    assert as_validation([(x, y)], echo_model()).length == 1
    nested = as_validation(([x, x], {"a": y}), echo_model())
    batch = nested.open()
    batch.begin(fresh=True, wrap=False, epoch=0, count=None)
    inputs, targets = batch.claim().read()
    assert [a.shape for a in inputs] == [(4, 3)] * 2
    assert targets["a"].shape == (4, 1)


# -- indexed sources ----------------------------------------------------------------------------


def test_hooks_of_a_source_are_called_between_passes_never_while_it_reads(queue: int) -> None:
    source = Indexed(THREE)
    run(echo_model(), source, None, 2, max_queue_size=queue)
    one = ["begin", *(("batch", i) for i in range(3))]
    assert source.asked in ([*one, "end", *one], [*one, "end", *one, "end"])


def test_hooks_wait_until_every_worker_has_read(queue: int) -> None:
    reading, overlaps = set[int](), []

    class Slow(Indexed):
        def __getitem__(self, index: int) -> Any:
            reading.add(index)
            threading.Event().wait(random.uniform(0, 0.01))
            batch = super().__getitem__(index)
            reading.discard(index)
            return batch

        def on_epoch_end(self) -> None:
            overlaps.extend(reading)
            self.batches.reverse()

    source = Slow([numbered_batch(k) for k in range(1, 6)])
    seen = trained_on(source, None, 3, workers=3, max_queue_size=queue)
    assert seen == [1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 1, 2, 3, 4, 5]
    assert not overlaps


def test_several_workers_keep_the_order() -> None:
    class Jittery(Indexed):
        def __getitem__(self, index: int) -> Any:
            threading.Event().wait(random.uniform(0, 0.005))
            return super().__getitem__(index)

    source = Jittery([numbered_batch(k) for k in range(40)])
    assert trained_on(source, None, 2, workers=3) == [*range(40)] * 2
    assert len(source.threads) == 3


def test_several_workers_read_at_the_same_time() -> None:
    meeting = threading.Barrier(3)

    class Meeting(Indexed):
        def __getitem__(self, index: int) -> Any:
            meeting.wait(PATIENCE)
            return super().__getitem__(index)

    assert trained_on(Meeting(THREE), None, 2, workers=3) == [1, 2, 3, 1, 2, 3]


def test_several_workers_are_no_more_than_the_queue_holds() -> None:
    source = Indexed([numbered_batch(k) for k in range(20)])
    assert trained_on(source, workers=5, max_queue_size=2) == [*range(20)]
    assert len(source.threads) <= 2


def test_an_iterator_has_one_reader_whatever_workers_says() -> None:
    source = Watched(numbered())
    assert trained_on(source, 8, workers=4) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert len(source.threads) == 1


def test_no_workers_is_lockstep() -> None:
    source = Watched(numbered())
    assert trained_on(source, 3, workers=0) == [1, 2, 3]
    assert source.threads == {threading.main_thread()}


# -- one object for both ------------------------------------------------------------------------


@pytest.mark.parametrize("freq", [1, 2])
def test_one_iterator_for_both_gives_training_then_validation(queue: int, freq: int) -> None:
    source, seen = Watched(numbered()), Seen()
    run(
        echo_model(),
        source,
        3,
        4,
        [seen],
        source,
        validation_steps=2,
        validation_freq=freq,
        max_queue_size=queue,
    )
    if freq == 1:
        assert seen.train == [1, 2, 3, 6, 7, 8, 11, 12, 13, 16, 17, 18]
        assert seen.test == [4, 5, 9, 10, 14, 15, 19, 20]
    else:
        assert seen.train == [1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14]
        assert seen.test == [7, 8, 15, 16]
    assert source.pulls == seen.train[-1] + 2
    assert len(source.threads) == 1


def test_one_iterator_for_both_is_never_read_across_the_border() -> None:
    pulls_at: dict[tuple[str, int], int] = {}
    source = Watched(numbered())

    class Border(keras.callbacks.Callback):
        def on_test_begin(self, logs: Any = None) -> None:
            pulls_at["test", len(pulls_at)] = source.pulls

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            pulls_at["epoch", len(pulls_at)] = source.pulls

    run(echo_model(), source, 3, 2, [Border()], source, validation_steps=2)
    ends = [pulls for (kind, _), pulls in pulls_at.items() if kind == "epoch"]
    assert ends == [5, 10]


def test_one_indexed_source_for_both_begins_again_for_validation() -> None:
    source, seen = Indexed(THREE), Seen()
    run(echo_model(), source, 2, 2, [seen], source)
    assert seen.train == [1, 2, 3, 1]
    assert seen.test == [1, 2, 3] * 2


# -- what an object is, its class says ----------------------------------------------------------


class Answering:
    """Answers to every name with something that can be called, as mocks do."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **named: self


class AnsweringIterator(Answering):
    def __init__(self) -> None:
        self.batches = numbered()

    def __next__(self) -> Any:
        return next(self.batches)


class AnsweringIndexed(Answering, Old):
    """An indexed source of three batches."""


@pytest.mark.parametrize("make", [AnsweringIterator, AnsweringIndexed])
def test_a_source_may_answer_to_every_name(make: Any, queue: int) -> None:
    assert trained_on(make(), 3, max_queue_size=queue) == [1, 2, 3]
    source = as_source(make(), "generator")
    assert (source.hosted, source.asks, source.shuffled) == (False, False, False)
    assert source.warns == ()


def test_a_generator_may_keep_a_dtype() -> None:
    source = Watched(numbered())
    source.dtype = np.dtype("float32")  # type: ignore[attr-defined]
    assert trained_on(source, 3) == [1, 2, 3]


# -- refused ------------------------------------------------------------------------------------


def generator_function() -> Any:
    yield THREE[0]


def wrapped_r_function() -> Any:
    """What reticulate makes of an R function."""


wrapped_r_function.__module__ = "rpytools.call"

REFUSED = {
    "array": (np.ones((4, 3)), r"not an array of shape.*\. flow_from_data\(\) makes"),
    "data frame": (pd.DataFrame({"a": [1.0]}), r"not a DataFrame.*\. flow_from_frame\(\) makes"),
    "sparse matrix": (scipy.sparse.lil_matrix((4, 3)), "not a lil_matrix of shape"),
    "tensor": (tf.ones((4, 3)), "not an EagerTensor of shape"),
    "batch": (numbered_batch(1), "not a tuple of length 2"),
    "list of arrays": ([np.ones(3), np.ones(3)], r"not a list of length 2.*flow_from_data\(\)"),
    "dict": ({"x": 1}, "not a dict with 1 key"),
    "text": ("data/", "not a str of length 5"),
    "number": (3, "not the number 3"),
    "None": (None, "not None"),
    "generator function": (generator_function, r"pass what it returns: generator_function\(\)"),
    "function": (lambda: THREE[0], "not the function <lambda>"),
    "R function of reticulate": (wrapped_r_function, r"call the R function fit_generator\(\)"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED)
def test_C3_the_wrong_kind_of_thing_is_refused_in_words(given: Any, words: str) -> None:
    with pytest.raises(ArgumentTypeError, match=f"^`generator` .*{words}"):
        run(linear_model(), given, 1)


@pytest.mark.parametrize("given", [np.ones((4, 3)), pd.DataFrame({"a": [1.0]}), 0.2])
def test_what_is_refused_as_validation_data_is_told_of_arrays(given: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"give batches: arrays \(inputs, targets\), an"):
        run(linear_model(), iter(THREE), 1, validation_data=given)


def test_reticulate_functions_are_refused_as_validation_data_too() -> None:
    with pytest.raises(ArgumentTypeError, match=r"^`validation_data` is an R function"):
        run(linear_model(), THREE, validation_data=wrapped_r_function, validation_steps=1)


def test_an_empty_source_is_refused() -> None:
    for empty in (Indexed([]), Loader([])):
        with pytest.raises(ArgumentError, match="`generator` has no batches: its length is 0"):
            evaluate_generator(linear_model(), empty)
