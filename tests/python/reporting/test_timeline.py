"""The timeline: what was done with each of the last batches, when and on which thread."""

from __future__ import annotations

import threading
import time
from typing import Any

import keras
import pytest
from fitgenerator.reporting.timeline import LAST, Event, Timeline
from support.tiny_trainings import (
    Indexed,
    at_batch_begin,
    echo_model,
    new_echo_model,
    numbered,
    numbered_batch,
    run,
)

UNSEEN = [numbered_batch(1)] * 2


def events_of(*arguments: Any, **options: Any) -> list[Event]:
    return run(echo_model(), *arguments, **options).pipeline.timeline


def of(events: list[Event], what: str, source: str = "generator") -> dict[int, Event]:
    """The events of one kind by the number of their batch."""
    return {e.batch: e for e in events if (e.what, e.source) == (what, source)}


def test_each_batch_is_made_converted_waits_and_is_used_in_that_order(queue: int) -> None:
    history = run(echo_model(), numbered(), 4, 2, None, UNSEEN, max_queue_size=queue)
    events = history.pipeline.timeline
    assert [event.begin for event in events] == sorted(event.begin for event in events)
    for source, count in (("generator", 8), ("validation_data", 4)):
        stages = [of(events, w, source) for w in ("generator", "conversion", "queue", "step")]
        assert all(sorted(stage) == list(range(1, count + 1)) for stage in stages)
        for batch in range(1, count + 1):
            times = [t for stage in stages for t in (stage[batch].begin, stage[batch].end)]
            assert times == sorted(times)
            assert times[0] >= 0
            assert times[-1] <= history.pipeline.wall


def test_seconds_of_the_events_are_those_of_the_stages() -> None:
    pipeline = run(echo_model(), numbered(), 10).pipeline
    for what, figure in (
        ("generator", "generator"),
        ("conversion", "conversion"),
        ("step", "step"),
    ):
        spent = sum(e.end - e.begin for e in of(pipeline.timeline, what).values())
        assert spent == pytest.approx(getattr(pipeline, figure))


def test_lanes_are_threads() -> None:
    events = events_of(numbered(), 3, 1, None, UNSEEN)
    assert {e.lane for e in of(events, "generator").values()} == {"generator feeder"}
    assert {e.lane for e in of(events, "step").values()} == {"calling thread"}
    assert of(events, "conversion", "validation_data")[1].lane == "validation_data feeder"
    lanes = {event.lane for event in events_of(numbered(), 3, max_queue_size=0)}
    assert lanes == {"calling thread", "queue"}


def test_readers_side_by_side_have_lanes_of_their_own() -> None:
    both = threading.Barrier(2)

    class Paired(Indexed):
        def __getitem__(self, index: int) -> Any:
            both.wait(timeout=30)
            return super().__getitem__(index)

    events = events_of(Paired([numbered_batch(n) for n in range(1, 9)]), workers=2)
    lanes = {e.lane for e in of(events, "generator").values()}
    assert lanes == {"generator feeder", "generator feeder 2"}


def test_eager_steps_and_hooks_are_on_the_calling_thread() -> None:
    model = new_echo_model(run_eagerly=True)
    events = run(model, numbered(), 3, callbacks=[at_batch_begin(lambda _: None)]).pipeline.timeline
    assert {e.lane for e in of(events, "step").values()} == {"calling thread"}
    hooks, steps = of(events, "callbacks"), of(events, "step")
    assert sorted(hooks) == [1, 2]  # the hooks of steps 2 and 3, which follow steps 1 and 2
    assert all(hooks[n].begin >= steps[n].end for n in hooks)
    assert all(hooks[n].lane == "calling thread" for n in hooks)


def test_T26_hooks_of_epochs_and_validations_are_shown() -> None:
    note = lambda *_: time.sleep(0.002)  # noqa: E731
    hooks = keras.callbacks.LambdaCallback(on_epoch_end=note)
    hooks.on_test_end = note
    events = events_of(numbered(), 3, 2, [hooks], UNSEEN)
    assert sorted(of(events, "callbacks", "validation_data")) == [2, 4]
    called = [e for e in events if e.what == "callbacks"]
    assert len(called) == 4
    assert all(e.end - e.begin >= 0.002 for e in called)


@pytest.mark.usefixtures("loops_pay")
def test_batches_of_one_call_share_its_times() -> None:
    events = run(new_echo_model(), numbered(), 60).pipeline.timeline
    steps = of(events, "step")
    assert sorted(steps) == list(range(1, 61))
    assert 3 < len({(e.begin, e.end) for e in steps.values()}) < 60


def test_only_the_last_batches_are_kept() -> None:
    events = events_of(numbered(), LAST + 50)
    assert {e.batch for e in events} == set(range(51, LAST + 51))


def test_the_timeline_can_be_looked_at_while_it_grows() -> None:
    timeline = Timeline(0.0)
    stop = threading.Event()

    def add() -> None:
        batch = 0
        while not stop.is_set():
            batch += 1
            place = ("generator", batch)
            timeline.made(place, (batch, batch, 1), (batch, batch + 1, 1))
            timeline.ran(place, 1, (batch + 1, batch + 2, 2))

    thread = threading.Thread(target=add)
    thread.start()
    try:
        for _ in range(200):
            assert len(timeline.events()) <= 4 * LAST
    finally:
        stop.set()
        thread.join()
