"""Batches by their number: length, passes, hooks, workers; R functions by rpy2."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from fitgenerator import (
    ArgumentError,
    ArgumentTypeError,
    BatchError,
    batch_sequence,
    evaluate_generator,
    predict_generator,
)
from support.r_code import RRuntimeError, closure, r
from support.tiny_trainings import Seen, echo_model, numbered_batch, run


def sequence(length: int = 4, function: Any = numbered_batch, **options: Any) -> Any:
    return batch_sequence(function, length, **options)


def trained(given: Any, *steps: Any, **options: Any) -> list[float]:
    seen = Seen()
    run(echo_model(), given, *steps, callbacks=[seen], **options)
    return seen.train


def test_the_function_is_called_once_for_each_batch_of_an_epoch(queue: int) -> None:
    assert trained(sequence(), None, 2, max_queue_size=queue) == [0, 1, 2, 3] * 2
    assert trained(sequence(), 3, 2, max_queue_size=queue) == [0, 1, 2, 3, 0, 1]
    assert evaluate_generator(echo_model(), sequence()) == 1.5
    assert predict_generator(echo_model(), sequence()).ravel().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_shuffled_it_has_an_order_for_each_epoch_that_a_resumed_training_goes_on_with() -> None:
    whole = trained(sequence(shuffle=True, seed=3), None, 4, workers=3)
    passes = [whole[i : i + 4] for i in range(0, 16, 4)]
    assert all(sorted(one) == [0, 1, 2, 3] for one in passes)
    assert len({tuple(one) for one in passes}) > 1
    assert trained(sequence(shuffle=True, seed=3), None, 4, initial_epoch=1) == whole[4:]


def test_a_function_of_two_arguments_is_told_the_epoch() -> None:
    given = batch_sequence(lambda number, epoch: numbered_batch(10 * epoch + number), 2)
    assert trained(given, None, 3) == [0, 1, 10, 11, 20, 21]
    assert trained(given, None, 3, initial_epoch=2) == [20, 21]


def test_arguments_with_defaults_are_left_alone() -> None:
    def batch(number: int, rows: int = 3) -> Any:
        assert rows == 3
        return numbered_batch(number, rows)

    assert trained(batch_sequence(batch, 2)) == [0, 1]


def test_as_validation_data_it_begins_at_its_first_batch_each_time(queue: int) -> None:
    seen = Seen()
    options = {"max_queue_size": queue, "validation_steps": 3}
    run(echo_model(), sequence(), None, 2, [seen], sequence(), **options)
    assert seen.test == [0, 1, 2] * 2


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T5_the_hook_comes_after_each_pass_never_while_a_batch_is_made(workers: int) -> None:
    making, ended = set[int](), []

    def slow(number: int) -> Any:
        making.add(number)
        threading.Event().wait(0.002 * number)
        making.discard(number)
        return numbered_batch(number)

    given = sequence(function=slow, on_epoch_end=lambda epoch: ended.append((epoch, len(making))))
    trained(given, None, 3, workers=workers)
    assert ended == [(0, 0), (1, 0), (2, 0)]


def test_several_workers_call_the_function_at_the_same_time() -> None:
    meeting = threading.Barrier(2)

    def batch(number: int) -> Any:
        meeting.wait(30)
        return numbered_batch(number)

    assert trained(sequence(function=batch), workers=2) == [0, 1, 2, 3]


def test_its_errors_are_its_own() -> None:
    def fail(number: int) -> Any:
        raise KeyError(number)

    with pytest.raises(KeyError):
        run(echo_model(), sequence(function=fail))

    def stop(number: int) -> Any:
        raise StopIteration

    with pytest.raises(RuntimeError, match="Batch 0 of pass 0 raised StopIteration"):
        run(echo_model(), sequence(function=stop))


def test_Keras_own_fit_reads_it_and_calls_the_hook() -> None:
    ended: list[int] = []
    model = echo_model()
    given = sequence(on_epoch_end=ended.append)
    history = model.fit(given, shuffle=False, epochs=2, verbose=0)
    assert history.history["loss"] == [1.5, 1.5]
    assert ended[:2] == [0, 1]


# -- refused ------------------------------------------------------------------------------------


def wrapped_r_function() -> Any:
    """What reticulate makes of an R function."""


wrapped_r_function.__module__ = "rpytools.call"

REFUSED = {
    "no function": (ArgumentTypeError, (3, 4), "`function` must be a function, not the number 3"),
    "no argument": (ArgumentError, (lambda: 1, 4), "the number of a batch.* not 0 arguments"),
    "three": (ArgumentError, (lambda a, b, c: 1, 4), "not 3 arguments"),
    "no length": (ArgumentError, (len, 0), "`length` must be a whole number of at least 1, not 0"),
    "seed": (ArgumentError, (len, 1, True, -1), "`seed` must be a whole number of at least 0"),
    "hook": (ArgumentTypeError, (len, 1, True, 1, "x"), "`on_epoch_end` must be a function"),
    "reticulate": (
        ArgumentTypeError,
        (wrapped_r_function, 4),
        r"the R function batch_sequence\(\)",
    ),
}


@pytest.mark.parametrize(("kind", "given", "words"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_by_the_name_of_the_argument(
    kind: type[Exception], given: Any, words: str
) -> None:
    with pytest.raises(kind, match=words):
        batch_sequence(*given)


# -- R functions --------------------------------------------------------------------------------

BATCH = "function(i) list(matrix(i, 2, 1), matrix(0, 2, 1))"


def test_an_R_function_is_called_with_numbers_from_1_on_this_thread(queue: int) -> None:
    options = {"max_queue_size": queue}
    assert trained(batch_sequence(closure(BATCH), 3), None, 2, **options) == [1, 2, 3] * 2
    assert trained(batch_sequence(closure(BATCH), 3), 2, 2, **options) == [1, 2, 3, 1]
    seen = Seen()
    same = batch_sequence(closure(BATCH), 3)
    run(echo_model(), same, None, 2, [seen], same, **options)
    assert seen.train == seen.test == [1, 2, 3] * 2
    with pytest.warns(UserWarning, match="5 batches were wanted, 3 came"):
        assert evaluate_generator(echo_model(), same, 5, **options) == 2


def test_an_R_function_is_told_the_epoch_and_its_hook_the_end() -> None:
    code = "function(i, epoch) list(matrix(10 * epoch + i), matrix(0))"
    ended = closure(
        "seen <- NULL; function(epoch) { if (epoch >= 0) seen <<- c(seen, epoch); seen }"
    )
    assert trained(batch_sequence(closure(code), 2, on_epoch_end=ended), None, 3) == [
        1,
        2,
        11,
        12,
        21,
        22,
    ]
    assert [*ended(-1)] == [0, 1, 2]
    in_python: list[int] = []
    trained(batch_sequence(closure(code), 2, on_epoch_end=in_python.append), None, 3)
    assert in_python == [0, 1, 2]


def test_T5_R_functions_are_told_of_the_last_pass(queue: int) -> None:
    told: list[int] = []
    options = {"max_queue_size": queue}
    given = batch_sequence(closure(BATCH), 3, on_epoch_end=lambda: told.append(len(told)))
    assert evaluate_generator(echo_model(), given, **options) == 2
    predict_generator(echo_model(), given, **options)
    run(echo_model(), given, None, 1, None, given, **options)
    trained(given, 2, **options)  # a pass that is broken off, ...
    assert len(told) == 4
    trained(given, 2, **options)  # ... and ended by the next call
    assert len(told) == 5
    failing = closure("function(epoch) stop('in the hook')")
    for epochs in (1, 3):
        with pytest.raises(RRuntimeError, match="in the hook"):
            trained(batch_sequence(closure(BATCH), 2, on_epoch_end=failing), None, epochs)
    with pytest.raises(KeyError):
        trained(batch_sequence(closure(BATCH), 2, on_epoch_end={}.__getitem__), **options)


def test_T5_what_the_hook_of_an_R_function_draws_is_not_drawn_again() -> None:
    r("set.seed(1)")
    order = closure(
        "drawn <- NULL; function(e) { if (e >= 0) drawn <<- c(drawn, runif(1)); drawn }"
    )
    given = batch_sequence(closure(BATCH), 2, on_epoch_end=order)
    for _ in range(3):
        trained(given)
    drawn = [*order(-1)]
    assert len(set(drawn)) == 3
    r("set.seed(1)")
    order = closure(
        "drawn <- NULL; function(e) { if (e >= 0) drawn <<- c(drawn, runif(1)); drawn }"
    )
    trained(batch_sequence(closure(BATCH), 2, on_epoch_end=order), None, 3)
    assert [*order(-1)] == drawn


def test_with_a_seed_the_random_numbers_of_R_follow_from_the_place_of_the_batch() -> None:
    code = "function(i) list(matrix(rnorm(2)), matrix(0, 2, 1))"
    whole = trained(batch_sequence(closure(code), 3, True, 1), None, 3)
    assert trained(batch_sequence(closure(code), 3, True, 1), None, 3, initial_epoch=1) == whole[3:]
    assert len(set(whole)) == 9


def test_R_functions_that_are_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"function of `generator` must take .* not 3 arguments"
    ):
        run(echo_model(), batch_sequence(closure("function(a, b, c) 1"), 3))
    with pytest.raises(BatchError, match=r"Batch 1: generator\(\) returned NULL"):
        run(echo_model(), batch_sequence(closure("function(i) NULL"), 3))
    assert np.isfinite(trained(batch_sequence(closure(BATCH), 3))).all()
