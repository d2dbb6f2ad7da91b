"""Fetches by index, on several threads: a pass ends when all of its batches have been read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ..batches.structure import RawBatch
from ..errors import ClosedError
from .source import Claim

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
    """The fetches of one reader: each runs from its claim on until `settle`.

    Where the last one of a pass has been claimed, `end_pass` says what the source is to be told.
    The thread that settles the last of them tells it: nobody reads then, and what was read has been
    copied, so that the source may change its arrays in place.
    """

    def __init__(self) -> None:
        self.claimed = 0  # fetches
        self._running = 0
        self._broken = False  # a fetch has failed: the pass is broken off
        self._ending: Callable[[], object] | None = None  # due once no fetch runs
        self._last = 0  # fetch of the last pass that was claimed to its end
        self._error: BaseException | None = None  # that `_ending` raised
        self._changed = threading.Condition()

    def claim(self, fetch: Callable[[], RawBatch], what: str) -> Claim:
        """The claim on what `fetch` gives, on any thread; `what` that is, for messages."""
        with self._changed:
            self.claimed += 1
            self._running += 1
        return Claim(partial(called, fetch, what), self.settle)

    def end_pass(self, tell: Callable[[], object], what: str) -> None:
        """All of a pass has been claimed; `tell` is called, once, when it has been read."""
        self._last, self._ending = self.claimed, partial(called, tell, what)

    def settle(self, failed: bool) -> None:
        """A fetch is over: what it read has been handed on, or it has failed."""
        with self._changed:
            self._running -= 1
            self._broken = self._broken or failed
            if self._running or self._ending is None or self._broken:
                self._changed.notify_all()
                return
        try:
            self._ending()
        except BaseException as error:  # comes in the place of the next batch
            self._error = error
        finally:
            with self._changed:
                self._ending = None
                self._changed.notify_all()

    def wait(self) -> None:
        """Wait until nothing runs: a source must not change while another thread reads it.

        Raises what the end of the last pass has raised.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._broken or not (self._running or self._ending))
            if self._broken:
                raise ClosedError
        if self._error is not None:
            raise self._error

    def ended(self, seconds: float, used: int) -> bool:
        """Whether the source has been told all; waits for so long, and raises what that raised.

        A pass that was only read ahead, beyond the batches that were `used`, does not count.
        """
        if used < self._last:
            return True
        with self._changed:
            told = self._changed.wait_for(lambda: self._broken or self._ending is None, seconds)
        if told and self._error is not None:
            raise self._error
        return told
