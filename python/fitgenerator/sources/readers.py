"""Readers of iterators, of iterables, and of objects with an index."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from operator import getitem

from ..batches.structure import RawBatch
from .fetches import Fetches, called
from .source import Claim, Indexed, Reader, Source


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
    return Source(
        lambda: IndexedReader(given, sys.maxsize if count is None else count),
        given,
        count,
        restarts=True,
        parallel=True,
        endless=count is None,
        shuffled=getattr(given, "shuffle", False) is True,
    )
