"""The queue: in order, never further ahead than allowed, nothing that was not granted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fitgenerator import GeneratorTimeoutError
from fitgenerator.backends.chosen import running
from fitgenerator.batches.prepared import Batch, Form
from fitgenerator.errors import ClosedError
from fitgenerator.host.direct import DirectHost
from fitgenerator.prefetch.by_threads import ThreadPrefetcher
from fitgenerator.prefetch.fetch import Round
from fitgenerator.prefetch.prefetcher import Prefetcher, Setup
from fitgenerator.reporting.meter import Meter
from fitgenerator.reporting.progress import Progress
from fitgenerator.sources.recognition import as_source
from fitgenerator.sources.source import Source
from support.tiny_trainings import (
    LULL,
    PATIENCE,
    Indexed,
    Seen,
    Watched,
    at_batch_begin,
    echo_model,
    numbered,
    run,
)

END = None  # what is taken where the source has ended
FORM = Form("a number, or text", "any", (), stackable=False, row_bytes=1, backend=running())


def a_round(count: int | None, prepare: Any = lambda raw: raw, **options: Any) -> Round:
    """A round whose batches are left as they are."""
    return Round(count, lambda raw: Batch((prepare(raw),), FORM, rows=1), **options)


@pytest.fixture
def make_prefetcher() -> Iterator[Callable[..., Prefetcher]]:
    """Makes prefetchers that do nothing to their batches; closed after the test."""
    prefetchers = []

    def make(source: Any, capacity: int = 3, **options: Any) -> Prefetcher:
        options.setdefault("host", DirectHost(print))
        setup = Setup(
            capacity,
            "generator",
            "generator",
            meter=Meter(10),
            scope=nullcontext,
            progress=Progress(print, verbose=0, interval=None),
            **options,
        )
        if not isinstance(source, Source):
            source = as_source(source, "generator")
        prefetcher = ThreadPrefetcher(source, setup)
        prefetchers.append(prefetcher)
        return prefetcher

    yield make
    for prefetcher in prefetchers:
        prefetcher.shut()
        assert prefetcher.join(time.perf_counter() + PATIENCE) == []


def value(batch: Batch | None) -> Any:
    """What the source gave for a batch."""
    return END if batch is None else batch.leaves[0]


def taken(prefetcher: Prefetcher, count: int) -> list[Any]:
    """The next `count` items, each used at once."""
    items = []
    for _ in range(count):
        items.append(value(prefetcher.take()))
        if items[-1] is not END:
            prefetcher.begin()
    return items


# -- rounds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_pulls_what_was_granted_and_no_more(make_prefetcher: Any, capacity: int) -> None:
    source = Watched(range(100))
    prefetcher = make_prefetcher(source, capacity)
    prefetcher.schedule.grant(a_round(2), 2)
    prefetcher.start()
    assert taken(prefetcher, 4) == [0, 1, 2, 3]
    prefetcher.schedule.grant(a_round(1))
    assert taken(prefetcher, 1) == [4]
    prefetcher.shut()
    prefetcher.join(time.perf_counter() + PATIENCE)
    assert source.pulls == prefetcher.schedule.begun == 5


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_an_end_takes_the_place_of_the_missing_batch(make_prefetcher: Any, capacity: int) -> None:
    prefetcher = make_prefetcher(iter("ab"), capacity)
    prefetcher.schedule.grant(a_round(3), 2)
    prefetcher.start()
    assert taken(prefetcher, 3) == ["a", "b", END]


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_rounds_without_a_count_last_until_the_end(make_prefetcher: Any, capacity: int) -> None:
    source = Indexed("abc")
    prefetcher = make_prefetcher(source, capacity)
    prefetcher.schedule.grant(a_round(None, restart=True), 2)
    prefetcher.start()
    assert taken(prefetcher, 8) == ["a", "b", "c", END] * 2


@pytest.mark.parametrize("capacity", [0, 1, 3])
def test_rounds_that_wrap_go_on_where_the_last_ended(make_prefetcher: Any, capacity: int) -> None:
    prefetcher = make_prefetcher(Indexed("abc"), capacity, workers=2)
    prefetcher.schedule.grant(a_round(2, wrap=True), 4)
    prefetcher.start()
    assert taken(prefetcher, 8) == [*"abcabcab"]


def test_a_round_prepares_its_batches_in_its_own_way(make_prefetcher: Any) -> None:
    prefetcher = make_prefetcher(iter(range(4)))
    prefetcher.schedule.grant(a_round(2, prepare=lambda raw: raw + 10))
    prefetcher.schedule.grant(a_round(2, prepare=lambda raw: raw + 20))
    prefetcher.start()
    assert taken(prefetcher, 4) == [10, 11, 22, 23]


def test_the_first_batch_can_be_taken_before_the_feeder_runs(make_prefetcher: Any) -> None:
    for capacity in (0, 1, 3):
        source = Watched(range(9))
        prefetcher = make_prefetcher(source, capacity)
        prefetcher.schedule.grant(a_round(3))
        assert value(prefetcher.prime()) == 0
        assert source.pulls == 1
        prefetcher.start()
        assert taken(prefetcher, 3) == [0, 1, 2]


@pytest.mark.parametrize(("numbers", "meanwhile"), [(8, False), (2**18, True)])
def test_the_next_batch_is_asked_for_while_a_large_one_is_prepared(
    make_prefetcher: Any, numbers: int, meanwhile: bool
) -> None:
    asked, was_asked = threading.Event(), []

    class Batches(Indexed):
        def __getitem__(self, index: int) -> Any:
            if index == 6:
                asked.set()
            return np.full(numbers, index, "float64")

    def prepare(raw: Any) -> Any:
        if raw[0] == 5:
            was_asked.append(asked.wait(PATIENCE if meanwhile else LULL))
        return raw

    made_elsewhere = replace(as_source(Batches(range(9)), "generator"), made_elsewhere=True)
    prefetcher = make_prefetcher(made_elsewhere, workers=1)
    prefetcher.schedule.grant(a_round(9, prepare=prepare))
    prefetcher.start()
    assert [batch[0] for batch in taken(prefetcher, 9)] == [*range(9)]
    assert was_asked == [meanwhile]


# -- how far ahead ------------------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [1, 3])
def test_A5_M1_lead_is_never_above_the_queue_and_one(make_prefetcher: Any, capacity: int) -> None:
    reached, beyond = threading.Semaphore(0), threading.Event()
    begun = 0

    def on_pull(number: int) -> None:
        if number - begun > capacity + 1:
            beyond.set()
        reached.release()

    source = Watched(range(1000), on_pull)
    prefetcher = make_prefetcher(source, capacity)
    prefetcher.schedule.grant(a_round(1000))
    prefetcher.start()
    for step in range(20):
        for _ in range(capacity + 1 if step == 0 else 1):
            assert reached.acquire(timeout=PATIENCE)  # it does go as far as it may,
        assert source.pulls - begun == capacity + 1
        prefetcher.take()  # and a batch that leaves the queue makes no room
        if step == 0:
            assert not reached.acquire(timeout=LULL)
        begun += 1
        prefetcher.begin()
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


def test_several_workers_keep_within_the_lead(make_prefetcher: Any) -> None:
    entered, beyond, begun = threading.Semaphore(0), threading.Event(), 0

    class Counting(Indexed):
        def __getitem__(self, index: int) -> Any:
            if index + 1 - begun > 4:
                beyond.set()
            entered.release()
            return index

    prefetcher = make_prefetcher(Counting([()] * 50), 3, workers=3)
    prefetcher.schedule.grant(a_round(50))
    prefetcher.start()
    for step in range(46):
        for _ in range(4 if step == 0 else 1):
            assert entered.acquire(timeout=PATIENCE)
        assert value(prefetcher.take()) == step
        begun += 1
        prefetcher.begin()
    assert not beyond.is_set()


def test_the_generator_runs_while_the_model_trains() -> None:
    pulled: list[threading.Event] = [threading.Event() for _ in range(6)]
    source = Watched(numbered(), lambda number: pulled[number - 1].set())

    def during_step(batch: int) -> None:
        assert pulled[min(batch + 1, 5)].wait(PATIENCE)

    run(echo_model(), source, 6, callbacks=[at_batch_begin(during_step)], max_queue_size=1)


# -- time -----------------------------------------------------------------------------------


def test_a_generator_that_takes_too_long_is_a_timeout_that_says_where_it_stands() -> None:
    release = threading.Event()

    def stuck(number: int) -> None:
        assert number < 3 or release.wait(PATIENCE)

    seen = Seen()
    timer = threading.Timer(1.0, release.set)  # after the timeout, so that the feeder can end
    timer.start()
    with pytest.raises(GeneratorTimeoutError) as caught:
        run(echo_model(), Watched(numbered(), stuck), 5, callbacks=[seen], timeout=0.2)
    timer.join()
    first, *stack = str(caught.value).splitlines()
    said = "`generator` gave no batch 3 within 0.2 seconds (`timeout`). It stands at:"
    assert first == said
    assert any("in stuck" in line for line in stack)
    assert "release.wait(PATIENCE)" in str(caught.value)
    assert "_work" not in str(caught.value)
    assert seen.train == [1, 2]


def test_a_timeout_is_for_each_batch_not_for_all() -> None:
    pause = threading.Event()
    source = Watched(numbered(), lambda number: pause.wait(0.05))
    run(echo_model(), source, 10, timeout=PATIENCE, max_queue_size=1)
    assert isinstance(GeneratorTimeoutError(), TimeoutError)


# -- closing ------------------------------------------------------------------------------------


def test_closing_wakes_whoever_waits_and_can_be_repeated(make_prefetcher: Any) -> None:
    prefetcher = make_prefetcher(iter(range(9)))
    prefetcher.start()  # nothing is granted: feeder and taker both wait
    closer = threading.Timer(LULL, prefetcher.shut)
    closer.start()
    with pytest.raises(ClosedError):
        prefetcher.take()
    closer.join()
    prefetcher.shut()
    assert prefetcher.join(time.perf_counter() + PATIENCE) == []
    assert prefetcher.join(time.perf_counter()) == []


def test_a_join_that_was_interrupted_can_be_repeated(
    make_prefetcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefetcher = make_prefetcher(Indexed("abc"), 3, workers=3)
    prefetcher.start()
    prefetcher.shut()
    join, calls = threading.Thread.join, []

    def interrupted(thread: threading.Thread, *arguments: Any) -> None:
        calls.append(thread)
        if len(calls) == 2:
            raise KeyboardInterrupt
        join(thread, *arguments)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prefetcher.join(time.perf_counter() + PATIENCE)
    assert prefetcher.join(time.perf_counter() + PATIENCE) == []
    assert len(set(calls)) == 3


class Asked(DirectHost):
    """A host that is asked until somebody has looked so many times; then calls `answered`."""

    def __init__(self, looks: int, answered: Callable[[], None] = lambda: None) -> None:
        super().__init__(print)
        self.looks, self.answered = looks, answered

    def is_asked_by(self, threads: Iterable[threading.Thread]) -> bool:
        self.looks -= 1
        if self.looks == 0:
            self.answered()
        return self.looks > 0


def test_T13_a_thread_that_asks_is_waited_for_without_a_limit(make_prefetcher: Any) -> None:
    release = threading.Event()
    source = Watched(numbered(), lambda number: release.wait(PATIENCE))
    prefetcher = make_prefetcher(source, host=Asked(5, release.set))
    prefetcher.schedule.grant(a_round(1))
    prefetcher.start()
    prefetcher.shut()
    assert prefetcher.join(time.perf_counter(), PATIENCE) == []


def test_T13_a_thread_that_stays_in_foreign_code_after_the_answer_is_left_behind(
    make_prefetcher: Any,
) -> None:
    release = threading.Event()
    source = Watched(numbered(), lambda number: release.wait(PATIENCE))
    prefetcher = make_prefetcher(source, host=Asked(5))
    prefetcher.schedule.grant(a_round(1))
    prefetcher.start()
    while not source.pulls:
        time.sleep(LULL)
    prefetcher.shut()
    begun = time.perf_counter()
    assert prefetcher.join(begun, grace=0.3) == ["fitgenerator-feeder-generator-0"]
    assert 0.3 < time.perf_counter() - begun < PATIENCE / 2
    release.set()


def test_threads_have_names(make_prefetcher: Any) -> None:
    prefetcher = make_prefetcher(Indexed("abc"), 3, workers=2)
    prefetcher.start()
    names = {t.name for t in threading.enumerate() if t.name.startswith("fitgenerator")}
    assert names == {"fitgenerator-feeder-generator-0", "fitgenerator-feeder-generator-1"}
