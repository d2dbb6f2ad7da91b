"""Readers of iterators, of iterables, and of objects with an index."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import getitem
from typing import TypeVar

from ..batches.structure import RawBatch
from .source import Claim, Indexed, Reader, Source

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


class IteratorReader(Reader):
    """Reads an iterator, which carries on across rounds, or passes over an iterable."""

    def __init__(
        self, iterator: Iterator[RawBatch] | None, iterable: Iterable[RawBatch] | None = None
    ):
        self._iterator = iterator
        self._iterable = iterable
        self._wrap = False

    def begin(self, *, fresh: bool, wrap: bool, epoch: int = 0, count: int | None = None) -> None:
        self._wrap = wrap
        if self._iterable is not None and fresh:
            self._iterator = None

    def claim(self) -> Claim:
        return self._next

    def _next(self) -> RawBatch:
        if self._iterable is None:
            assert self._iterator is not None
            return next(self._iterator)
        if self._iterator is None:
            self._iterator = self._pass_over(self._iterable)
        try:
            return next(self._iterator)
        except StopIteration:
            self._iterator = None
            if not self._wrap:
                raise
        self._iterator = self._pass_over(self._iterable)
        return next(self._iterator)

    @staticmethod
    def _pass_over(iterable: Iterable[RawBatch]) -> Iterator[RawBatch]:
        return called(partial(iter, iterable), "__iter__()")


class IndexedReader(Reader):
    """Reads `source[0]`, `source[1]`, ... and tells the source where a pass begins and ends."""

    def __init__(self, source: Indexed, length: int) -> None:
        self._source = source
        self._length = length
        self._index = 0
        self._wrap = False
        self._in_pass = False
        self._fetches = Fetches()

    def begin(self, *, fresh: bool, wrap: bool, epoch: int = 0, count: int | None = None) -> None:
        self._wrap = wrap
        if fresh:
            self._index = 0
            self._end_pass()

    def claim(self) -> Claim:
        if self._index >= self._length:
            if not self._wrap:
                raise StopIteration
            self._index = 0
            self._end_pass()
        if not self._in_pass:
            self._in_pass = True
            self._tell("on_epoch_begin")
        index = self._index
        self._index += 1
        return self._fetches.claim(partial(getitem, self._source, index), f"__getitem__({index})")

    def _end_pass(self) -> None:
        if self._in_pass:
            self._fetches.wait()
            self._in_pass = False
            self._tell("on_epoch_end")

    def _tell(self, hook: str) -> None:
        method = getattr(self._source, hook, None)
        if callable(method):
            called(method, f"{hook}()")


def indexed(given: Indexed, length: int | None) -> Source:
    """The source of an object with an index; of one without an end where `length` is `None`."""
    count = None if length is None else int(length)
    reader = partial(IndexedReader, given, sys.maxsize if count is None else count)
    shuffled = getattr(given, "shuffle", False) is True
    return Source(
        reader, given, count, restarts=True, parallel=True, endless=count is None, shuffled=shuffled
    )
