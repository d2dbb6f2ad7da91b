"""Fetches by index, on several threads: no pass ends while one runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ..batches.structure import RawBatch

T = TypeVar("T")


def called(call: Callable[[], T], what: str) -> T:
    """What the source's own code gives; `what` that is, for messages.

    Raises:
        RuntimeError: It raised `StopIteration`: an error of the source's, not the end of its data.
    """
    try:
        return call()
    except StopIteration as error:
        raise RuntimeError(f"{what} raised StopIteration.") from error


class Fetches:
    """The fetches of one reader: each is known from its claim on, until it has ended."""

    def __init__(self) -> None:
        self._running = 0
        self._idle = threading.Condition()

    def claim(self, fetch: Callable[[], RawBatch], what: str) -> Callable[[], RawBatch]:
        """The claim that runs `fetch`, on any thread; `what` it does, for messages."""
        with self._idle:
            self._running += 1
        return partial(self._run, fetch, what)

    def _run(self, fetch: Callable[[], RawBatch], what: str) -> RawBatch:
        try:
            return called(fetch, what)
        finally:
            with self._idle:
                self._running -= 1
                self._idle.notify_all()

    def wait(self) -> None:
        """Wait for those that were claimed: a source must not reshuffle under another's read."""
        with self._idle:
            self._idle.wait_for(lambda: self._running == 0)
