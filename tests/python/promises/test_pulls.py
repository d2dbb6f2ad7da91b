"""Exactly these batches: how often, and when, a source is pulled."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fitgenerator import evaluate_generator, predict_generator
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_trainings import (
    PATIENCE,
    HookLog,
    Indexed,
    Seen,
    Watched,
    at_batch_begin,
    at_epoch_end,
    echo_model,
    linear_model,
    make_batches,
    numbered,
    numbered_batch,
    run,
)


def test_C1_pulls_exactly_steps_times_epochs_and_goes_on_with_the_next_batch(queue: int) -> None:
    model, seen, source = echo_model(), Seen(), Watched(numbered())
    run(model, source, 3, 2, callbacks=[seen], max_queue_size=queue)
    assert seen.train == [1, 2, 3, 4, 5, 6]
    assert source.pulls == 6
    assert evaluate_generator(model, source, 2, queue) == pytest.approx(7.5)
    assert predict_generator(model, source, 2, queue)[:, 0].tolist() == [9, 9, 10, 10]
    assert run(model, source, 1, max_queue_size=queue).history["loss"] == [11]
    assert source.pulls == 11


def test_C4_whole_steps_of_any_type_are_taken() -> None:
    source = Watched(numbered())
    run(echo_model(), source, 2.0, np.int64(2))
    assert source.pulls == 4


def test_C4_steps_that_are_missing_are_the_length() -> None:
    source = Indexed(make_batches(3))
    history = run(linear_model(), source)
    assert source.order == [0, 1, 2]
    assert history.params["steps"] == 3


def test_C5_initial_epoch_numbers_epochs_on(queue: int) -> None:
    log, source = HookLog(), Watched(numbered())
    history = run(echo_model(), source, 3, 5, [log], initial_epoch=2, max_queue_size=queue)
    assert [e[1] for e in log.log if e[0] == "on_epoch_begin"] == [2, 3, 4]
    assert [e[1] for e in log.log if e[0] == "on_train_batch_begin"] == [0, 1, 2] * 3
    assert history.epoch == [2, 3, 4]
    assert source.pulls == 9


@pytest.mark.parametrize(("epochs", "initial"), [(2, 2), (1, 4), (0, 0)])
def test_C5_no_epoch_to_train_pulls_nothing(epochs: int, initial: int) -> None:
    log, source = HookLog(), Watched(numbered())
    history = run(echo_model(), source, 3, epochs, [log], initial_epoch=initial)
    assert history.history == {}
    assert not history.incomplete
    assert source.pulls == 0
    assert [e[0] for e in log.log] == ["on_train_begin", "on_train_end"]


def test_C6_same_seed_same_history_whatever_the_queue() -> None:
    def drawn(random: np.random.Generator) -> Any:
        while True:
            x = random.normal(size=(4, 3))
            yield x, x[:, :1]

    def once(size: int) -> dict[str, list[float]]:
        data, unseen = (drawn(np.random.default_rng(s)) for s in (1, 2))
        options = {"validation_steps": 2, "max_queue_size": size}
        return run(linear_model(), data, 4, 2, None, unseen, **options).history

    assert once(0) == once(1) == once(3) == once(10)


@given(
    steps=st.integers(1, 7),
    epochs=st.integers(1, 4),
    initial=st.integers(0, 4),
    size=st.integers(0, 5),
    unseen=st.integers(0, 4),
    every=st.integers(1, 3),
    shared=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_C1_D1_exact_pulls_and_every_batch_used_once_whatever_was_asked_for(
    steps: int, epochs: int, initial: int, size: int, unseen: int, every: int, shared: bool
) -> None:
    source, seen = Watched(numbered()), Seen()
    other = source if shared else Watched(numbered())
    validation: dict[str, Any] = {}
    if unseen:
        validation = {"validation_data": other, "validation_steps": unseen}
    options = {"initial_epoch": initial, "max_queue_size": size, "validation_freq": every}
    run(echo_model(), source, steps, epochs, [seen], **validation, **options)
    passes = range(initial, epochs)
    tested = unseen * sum((epoch + 1) % every == 0 for epoch in passes)
    trained = steps * len(passes)
    assert (len(seen.train), len(seen.test)) == (trained, tested)
    if shared:
        assert source.pulls == trained + tested
        assert sorted(seen.train + seen.test) == [*range(1, trained + tested + 1)]
    else:
        assert (source.pulls, other.pulls) == (trained, tested)
        assert seen.train == [*range(1, trained + 1)]
        assert seen.test == [*range(1, tested + 1)]


@pytest.mark.parametrize("size", [0, 1, 4])
def test_M1_batches_alive_are_bounded(size: int) -> None:
    alive, most = 0, 0

    def died() -> None:
        nonlocal alive
        alive -= 1

    def counted() -> Iterator[Any]:
        nonlocal alive, most
        for x, y in numbered():
            alive += 1
            weakref.finalize(x, died)
            most = max(most, alive)
            batch = x, y
            del x, y
            yield batch
            del batch

    run(echo_model(), counted(), 60, 2, max_queue_size=size)
    assert most <= 2 * size + 2  # and the one that the generator itself holds
    gc.collect()
    assert alive == 0


def test_lockstep_pulls_each_batch_when_its_step_needs_it() -> None:
    source = Watched(numbered())
    pulls: list[int] = []
    run(
        echo_model(),
        source,
        3,
        2,
        [at_batch_begin(lambda batch: pulls.append(source.pulls))],
        max_queue_size=0,
    )
    assert pulls == [0, 1, 2, 3, 4, 5]
    assert source.threads == {threading.main_thread()}


def test_validation_is_pulled_for_an_epoch_only_once_that_epoch_has_begun() -> None:
    pulls: list[int] = []
    drawn = threading.Semaphore(0)
    unseen = Watched(numbered(), lambda number: drawn.release())

    def before_step(batch: int) -> None:
        if batch == 1:  # drawn ahead, while the epoch trains
            assert drawn.acquire(timeout=PATIENCE)
            assert drawn.acquire(timeout=PATIENCE)
        pulls.append(unseen.pulls)

    callbacks = [at_batch_begin(before_step)]
    run(echo_model(), numbered(), 2, 3, callbacks, unseen, validation_steps=2)
    assert pulls == [0, 2, 2, 4, 4, 6]


def test_D1_an_early_stop_pulls_no_validation_for_an_epoch_that_does_not_come(queue: int) -> None:
    unseen, model = Watched(numbered()), echo_model()

    def stop(epoch: int) -> None:
        model.stop_training = epoch == 1

    options = {"validation_steps": 2, "max_queue_size": queue}
    run(model, numbered(), 2, 9, [at_epoch_end(stop)], unseen, **options)
    assert unseen.pulls == 4


def test_A7_many_epochs_of_one_step(queue: int) -> None:
    source = Watched(numbered())
    history = run(echo_model(), source, 1, 200, max_queue_size=queue)
    assert history.history["loss"] == [*range(1, 201)]
    assert source.pulls == 200


def test_A7_one_epoch_of_many_steps(queue: int) -> None:
    history = run(echo_model(), numbered(), 1000, max_queue_size=queue)
    assert history.history["loss"] == pytest.approx([500.5])


def open_files() -> int:
    folder = Path("/proc/self/fd")  # elsewhere than on Linux nothing is counted
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_A7_F3_many_short_calls_leave_nothing() -> None:
    source = Watched(numbered())
    run(echo_model(), source, 2, validation_data=source, validation_steps=1)
    before, files = threading.active_count(), open_files()
    for _ in range(33):
        run(echo_model(), source, 2, validation_data=source, validation_steps=1)
        evaluate_generator(echo_model(), source, 1)
        predict_generator(echo_model(), [numbered_batch(1)])
        assert threading.active_count() == before
    assert source.pulls == 3 + 33 * 4
    assert open_files() == files


@pytest.mark.parametrize("workers", [1, 2])
def test_T19_a_queue_longer_than_any_training_costs_nothing(workers: int) -> None:
    model = echo_model()
    run(model, numbered(), 2)
    begun = time.perf_counter()
    generator = numbered()
    run(model, generator, 3, max_queue_size=10**7, workers=workers)
    run(model, Indexed([next(numbered())] * 4), None, max_queue_size=10**7, workers=workers)
    evaluate_generator(model, numbered(), 3, 10**7)
    predict_generator(model, numbered(), 3, 10**7)
    assert time.perf_counter() - begun < 1
    assert next(generator)[0][0] == 4
