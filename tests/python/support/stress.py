"""FITGENERATOR_STRESS=1: threads take turns as often and as oddly as they can.

Every hand-over between threads sleeps for a random moment, before and after, and Python changes
threads as often as it is able to. What holds only by luck then breaks soon. tools/check runs some
of the tests in this way.
"""

from __future__ import annotations

import functools
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from fitgenerator.host.signal_safe_queue import ClosableQueue
from fitgenerator.host.switchboard import Switchboard
from fitgenerator.host.watchdog import Watchdog
from fitgenerator.prefetch.reordering import Reordering
from fitgenerator.prefetch.schedule import Schedule

WANTED = os.environ.get("FITGENERATOR_STRESS") == "1"
# The longest sleep at a hand-over, in seconds, and how many of the hand-overs have one.
LONGEST, SHARE = 0.003, 0.3

HAND_OVERS: list[tuple[type, tuple[str, ...]]] = [
    (ClosableQueue, ("put", "get", "close", "clear")),
    (Schedule, ("grant", "permit", "next", "withdraw", "end_round", "close")),
    (Reordering, ("add", "take")),
    (Switchboard, ("ask", "next_request", "wake", "close", "close_fetches")),
    (Watchdog, ("start", "finish", "settle")),
]


def _dawdling(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **options: Any) -> Any:
        _dawdle()
        result = method(*args, **options)
        _dawdle()
        return result

    return call


def _dawdle() -> None:
    if random.random() < SHARE:
        time.sleep(random.random() * LONGEST)


@pytest.fixture(autouse=WANTED)
def stress(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Put the test under stress."""
    for owner, names in HAND_OVERS:
        for name in names:
            monkeypatch.setattr(owner, name, _dawdling(getattr(owner, name)))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)
