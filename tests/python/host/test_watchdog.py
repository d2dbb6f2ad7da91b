"""Whose interrupt is it, and what counts: every decision about a function that takes too long."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from fitgenerator.host import watchdog as module
from fitgenerator.host.outcome import Ended, Failed, Interrupted, Outcome, TimedOut, Value
from fitgenerator.host.requests import Apply
from fitgenerator.host.switchboard import Switchboard
from fitgenerator.host.watchdog import Watchdog

WATCHED = Apply("preprocessing_function", 1, (), 0.5)


class Log:
    """What a watchdog did: interrupts that it sent, and that it took back."""

    def __init__(self) -> None:
        self.sent = self.recalled = 0

    def send(self) -> None:
        self.sent += 1

    def recall(self) -> None:
        self.recalled += 1


def late(dog: Watchdog) -> None:
    """Run a function that takes too long."""
    dog.start(WATCHED)
    assert dog.interrupt_overdue() is WATCHED
    dog.finish()


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds."""
    clock = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    return clock


def test_a_function_is_interrupted_once_a_second_while_it_runs(now: list[float]) -> None:
    log = Log()
    dog = Watchdog(log.send)
    assert dog.interrupt_overdue() is None
    dog.start(WATCHED)
    for seconds in (0.0, 0.5, 0.6, 1.0):
        now[0] += seconds
        dog.interrupt_overdue()
    assert log.sent == 2
    assert dog.was_ours(stops=True)  # it stops now: nothing more is sent
    now[0] += 2.0
    assert dog.interrupt_overdue() is WATCHED
    dog.finish()
    now[0] += 1.0
    assert dog.interrupt_overdue() is None
    assert log.sent == 2


def test_T13_a_function_that_was_stopped_counts_until_its_error_has_arrived(
    now: list[float],
) -> None:
    log = Log()
    dog = Watchdog(log.send)
    late(dog)
    now[0] += 0.9
    assert dog.interrupt_overdue() is dog.stopped is WATCHED
    assert log.sent == 1
    other = Apply("preprocessing_function", 2, (), 0.5)
    dog.start(other)
    assert dog.interrupt_overdue() is other
    dog.start(other)  # in time
    dog.finish()
    now[0] += 0.2
    assert dog.interrupt_overdue() is None


def test_T13_a_host_counts_as_asked_by_the_thread_whose_function_was_stopped(
    now: list[float],
) -> None:
    board = Switchboard(Watchdog())
    here = [threading.current_thread()]
    assert not board.is_asked_by(here)
    late(board.watchdog)
    assert board.is_asked_by(here)
    assert not board.is_asked_by([])
    now[0] += 1.0
    assert not board.is_asked_by(here)


def test_an_interrupt_is_ours_once_and_only_just_after_the_end(now: list[float]) -> None:
    dog = Watchdog(lambda: None)
    dog.start(WATCHED)
    assert not dog.was_ours(stops=True)
    dog.interrupt_overdue()
    assert [dog.was_ours(stops=False) for _ in range(2)] == [True, False]
    for seconds, ours in ((0.9, True), (1.1, False)):
        now[0] += 5.0
        late(dog)
        now[0] += seconds
        assert dog.was_ours(stops=False) is ours


@pytest.mark.parametrize(
    ("outcome", "settled"),
    [
        (Value(1), TimedOut()),
        (Interrupted("stack"), TimedOut("stack")),
        (Ended(), Ended()),
        (failed := Failed(ValueError()), failed),
    ],
)
def test_what_counts_of_an_outcome_that_came_too_late(outcome: Outcome, settled: Outcome) -> None:
    dog = Watchdog(lambda: None)
    late(dog)
    assert dog.settle(outcome) == settled
    dog.start(WATCHED)
    dog.finish()
    assert dog.settle(outcome) is outcome  # of the next function, which was in time


def test_an_interrupt_that_can_be_taken_back_reaches_no_other_function() -> None:
    log = Log()
    dog = Watchdog(log.send, log.recall)
    late(dog)
    assert log.recalled == 1
    assert dog.settle(Ended()) == Ended()  # it ended by itself: nobody took the interrupt
    dog.start(WATCHED)
    assert not dog.was_ours(stops=True)
    dog.finish()
    assert dog.settle(Interrupted()) == Interrupted()  # the user's
    assert log.recalled == 1
