"""The queue: in order, never further ahead than allowed, nothing that was not granted."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from fitgenerator import GeneratorTimeoutError, evaluate_generator, predict_generator
from fitgenerator.errors import ClosedError
from fitgenerator.feed import END, Feed, Round
from fitgenerator.host import DirectHost
from fitgenerator.pipeline import Pipeline
from fitgenerator.sources import as_source
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import (
    LULL,
    PATIENCE,
    Indexed,
    Seen,
    Watched,
    at_batch_begin,
    at_epoch_end,
    echo_model,
    numbered,
    numbered_batch,
    run,
)


@pytest.fixture
def make_feed() -> Iterator[Callable[..., Feed]]:
    """Makes feeds that do nothing to their batches; closed after the test."""
    feeds = []

    def make(source: Any, capacity: int = 3, **options: Any) -> Feed:
        settings = {"prepare": lambda raw: raw, "name": "generator", **options}
        feed = Feed(
            as_source(source, "generator"),
            host=DirectHost(print),
            meter=Pipeline(),
            scope=nullcontext,
            capacity=capacity,
            **settings,
        )
        feeds.append(feed)
        return feed

    yield make
    for feed in feeds:
        feed.shut()
        assert feed.join(time.perf_counter() + PATIENCE) == []


def taken(feed: Feed, count: int) -> list[Any]:
    """The next `count` items, each used at once."""
    items = []
    for _ in range(count):
        items.append(feed.take())
        if items[-1] is not END:
            feed.begin()
    return items


# -- rounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_pulls_what_was_granted_and_no_more(make_feed: Any, capacity: int) -> None:
    source = Watched(range(100))
    feed = make_feed(source, capacity)
    feed.grant(Round(2), 2)
    feed.start()
    assert taken(feed, 4) == [0, 1, 2, 3]
    feed.grant(Round(1))
    assert taken(feed, 1) == [4]
    feed.shut()
    feed.join(time.perf_counter() + PATIENCE)
    assert source.pulls == feed.drawn == 5


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_an_end_takes_the_place_of_the_missing_batch(make_feed: Any, capacity: int) -> None:
    feed = make_feed(iter("ab"), capacity)
    feed.grant(Round(3), 2)
    feed.start()
    assert taken(feed, 3) == ["a", "b", END]


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_rounds_without_a_count_last_until_the_end(make_feed: Any, capacity: int) -> None:
    source = Indexed("abc")
    feed = make_feed(source, capacity)
    feed.grant(Round(None, fresh=True), 2)
    feed.start()
    assert taken(feed, 8) == ["a", "b", "c", END] * 2


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_rounds_that_wrap_go_on_where_the_last_ended(make_feed: Any, capacity: int) -> None:
    feed = make_feed(Indexed("abc"), capacity, workers=2)
    feed.grant(Round(2, wrap=True), 4)
    feed.start()
    assert taken(feed, 8) == [*"abcabcab"]


def test_a_round_may_prepare_its_batches_in_its_own_way(make_feed: Any) -> None:
    feed = make_feed(iter(range(4)), prepare=lambda raw: raw + 10)
    feed.grant(Round(2))
    feed.grant(Round(2, prepare=lambda raw: raw + 20))
    feed.start()
    assert taken(feed, 4) == [10, 11, 22, 23]


def test_the_first_batch_can_be_taken_before_the_feeder_runs(make_feed: Any) -> None:
    for capacity in (0, 1, 3):
        source = Watched(range(9))
        feed = make_feed(source, capacity)
        feed.grant(Round(3))
        assert feed.prime() == 0
        assert source.pulls == 1
        feed.start()
        assert taken(feed, 3) == [0, 1, 2]


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


# -- how far ahead ------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [1, 3])
def test_A5_M1_lead_is_never_above_the_queue_and_one(make_feed: Any, capacity: int) -> None:
    reached, beyond = threading.Semaphore(0), threading.Event()
    begun = 0

    def on_pull(number: int) -> None:
        if number - begun > capacity + 1:
            beyond.set()
        reached.release()

    source = Watched(range(1000), on_pull)
    feed = make_feed(source, capacity)
    feed.grant(Round(1000))
    feed.start()
    for step in range(20):
        for _ in range(capacity + 1 if step == 0 else 1):
            assert reached.acquire(timeout=PATIENCE)  # it does go as far as it may,
        assert source.pulls - begun == capacity + 1
        feed.take()  # and a batch that leaves the queue makes no room
        if step == 0:
            assert not reached.acquire(timeout=LULL)
        begun += 1
        feed.begin()
    assert not beyond.is_set()


def test_A5_lead_is_bounded_in_training_when_steps_are_slow() -> None:
    steps, begun = 30, 0
    leads: list[int] = []
    filled = threading.Semaphore(0)

    def on_pull(number: int) -> None:
        leads.append(number - begun)
        filled.release()

    def before_step(batch: int) -> None:
        nonlocal begun
        for _ in range(4 if batch == 0 else batch <= steps - 4):
            assert filled.acquire(timeout=PATIENCE)
        assert not filled.acquire(timeout=LULL if batch in (0, 9) else 0)
        begun += 1

    source = Watched(numbered(), on_pull)
    run(echo_model(), source, steps, callbacks=[at_batch_begin(before_step)], max_queue_size=3)
    assert max(leads) == 4
    assert source.pulls == steps


def test_several_workers_keep_within_the_lead(make_feed: Any) -> None:
    entered, beyond, begun = threading.Semaphore(0), threading.Event(), 0

    class Counting(Indexed):
        def __getitem__(self, index: int) -> Any:
            if index + 1 - begun > 4:
                beyond.set()
            entered.release()
            return index

    feed = make_feed(Counting([()] * 50), 3, workers=3)
    feed.grant(Round(50))
    feed.start()
    for step in range(46):
        for _ in range(4 if step == 0 else 1):
            assert entered.acquire(timeout=PATIENCE)
        assert feed.take() == step
        begun += 1
        feed.begin()
    assert not beyond.is_set()


def test_the_generator_runs_while_the_model_trains() -> None:
    pulled: list[threading.Event] = [threading.Event() for _ in range(6)]
    source = Watched(numbered(), lambda number: pulled[number - 1].set())

    def during_step(batch: int) -> None:
        assert pulled[min(batch + 1, 5)].wait(PATIENCE)

    run(echo_model(), source, 6, callbacks=[at_batch_begin(during_step)], max_queue_size=1)


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


# -- time -----------------------------------------------------------------------------------


def test_a_generator_that_takes_too_long_is_a_timeout() -> None:
    release = threading.Event()
    source = Watched(numbered(), lambda number: number < 3 or release.wait(PATIENCE))
    expected = r"^`generator` gave no batch 3 within 0\.2 seconds \(`timeout`\)\.$"

    def let_go(*_: Any) -> None:
        release.set()

    seen = Seen()
    timer = threading.Timer(1.0, let_go)  # after the timeout, so that the feeder can end
    timer.start()
    with pytest.raises(GeneratorTimeoutError, match=expected):
        run(echo_model(), source, 5, callbacks=[seen], timeout=0.2)
    timer.join()
    assert seen.train == [1, 2]


def test_a_timeout_is_for_each_batch_not_for_all() -> None:
    pause = threading.Event()
    source = Watched(numbered(), lambda number: pause.wait(0.05))
    run(echo_model(), source, 10, timeout=PATIENCE, max_queue_size=1)
    assert isinstance(GeneratorTimeoutError(), TimeoutError)


# -- closing ------------------------------------------------------------------------------------


def test_closing_wakes_whoever_waits_and_can_be_repeated(make_feed: Any) -> None:
    feed = make_feed(iter(range(9)))
    feed.start()  # nothing is granted: feeder and taker both wait
    closer = threading.Timer(LULL, feed.shut)
    closer.start()
    with pytest.raises(ClosedError):
        feed.take()
    closer.join()
    feed.shut()
    assert feed.join(time.perf_counter() + PATIENCE) == []
    assert feed.join(time.perf_counter()) == []


def test_a_join_that_was_interrupted_can_be_repeated(
    make_feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = make_feed(Indexed("abc"), 3, workers=3)
    feed.start()
    feed.shut()
    join, calls = threading.Thread.join, []

    def interrupted(thread: threading.Thread, *arguments: Any) -> None:
        calls.append(thread)
        if len(calls) == 2:
            raise KeyboardInterrupt
        join(thread, *arguments)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        feed.join(time.perf_counter() + PATIENCE)
    assert feed.join(time.perf_counter() + PATIENCE) == []
    assert len(set(calls)) == 3


def test_threads_have_names(make_feed: Any) -> None:
    feed = make_feed(Indexed("abc"), 3, workers=2)
    feed.start()
    names = {t.name for t in threading.enumerate() if t.name.startswith("fitgenerator")}
    assert names == {"fitgenerator-feeder-generator-0", "fitgenerator-feeder-generator-1"}


# -- many short rounds --------------------------------------------------------------------------


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
