"""The calling thread's queue: waits end in time, whatever a signal's handler does meanwhile."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fitgenerator.host.signal_safe_queue import ClosableQueue
from support.platforms import timers
from support.tiny_trainings import LULL, PATIENCE


def test_items_come_in_order_and_nothing_is_an_error() -> None:
    inbox: ClosableQueue[Any] = ClosableQueue()
    for number in range(3):
        inbox.put(number)
    assert [inbox.get(LULL) for _ in range(3)] == [0, 1, 2]
    assert inbox.empty()
    for seconds in (0.0, LULL):
        with pytest.raises(queue.Empty):
            inbox.get(seconds)


def test_an_item_ends_the_wait() -> None:
    inbox: ClosableQueue[Any] = ClosableQueue()
    thread = threading.Timer(LULL, inbox.put, ["late"])
    thread.start()
    begun = time.monotonic()
    assert inbox.get(PATIENCE) == "late"
    assert time.monotonic() - begun < PATIENCE / 2
    thread.join()


@pytest.fixture
def slow_handler() -> Iterator[None]:
    """A timer's signal whose handler takes longer than the wait that it interrupts."""
    before: Any = signal.signal(signal.SIGALRM, lambda number, frame: time.sleep(2 * LULL))
    signal.setitimer(signal.ITIMER_REAL, LULL / 2)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@timers
@pytest.mark.usefixtures("slow_handler")
def test_a_handler_that_returns_behind_the_deadline_ends_the_wait_too() -> None:
    begun = time.monotonic()
    inbox: ClosableQueue[Any] = ClosableQueue()
    saviour = threading.Timer(PATIENCE, inbox.put, ["never"])
    saviour.start()
    with pytest.raises(queue.Empty):
        inbox.get(LULL)
    saviour.cancel()
    saviour.join()
    assert time.monotonic() - begun < PATIENCE / 2
