"""Issue 16, R's host loop: the result of a long job waits until R has taken an interrupt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from fitgenerator.errors import ClosedError
from fitgenerator.host.switchboard import Switchboard
from fitgenerator.r.reticulate import host_loop
from fitgenerator.r.reticulate.host_loop import HostLoop
from support.tiny_trainings import PATIENCE


def asked(board: Switchboard, work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """A thread that has asked for a job, and what it has been told."""
    told: list[Any] = []

    def ask() -> None:
        try:
            told.append(board.call(work))
        except BaseException as error:
            told.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, told


def advanced(work: Callable[[], Any]) -> tuple[HostLoop, threading.Thread, list[Any]]:
    """A loop that has run the job, and the thread that waits for it."""
    board = Switchboard()
    loop = HostLoop(board, {"width": 80, "unicode": True})
    thread, told = asked(board, work)
    assert loop.wait(PATIENCE) == {"kind": "job"}
    assert loop.advance() is None
    return loop, thread, told


def test_a_long_job_is_handed_over_by_the_next_wait() -> None:
    loop, thread, told = advanced(lambda: time.sleep(2 * host_loop._LONG) or "traced")
    assert thread.is_alive()
    assert told == []
    assert loop.wait(0.0) is None
    thread.join(PATIENCE)
    assert told == ["traced"]


def test_a_job_that_was_interrupted_meanwhile_is_never_handed_over() -> None:
    loop, thread, told = advanced(lambda: time.sleep(2 * host_loop._LONG) or "traced")
    loop.abandon()  # R has taken the interrupt, and leaves
    thread.join(PATIENCE)
    assert [type(each) for each in told] == [ClosedError]


def test_a_short_one_is_handed_over_at_once_and_so_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host_loop, "_LONG", PATIENCE)
    _, thread, told = advanced(lambda: "hook")
    thread.join(PATIENCE)
    assert told == ["hook"]
    _, thread, told = advanced(lambda: 1 // 0)
    thread.join(PATIENCE)
    assert [type(each) for each in told] == [ZeroDivisionError]
