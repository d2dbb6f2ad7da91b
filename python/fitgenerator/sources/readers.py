"""Readers of iterators, of iterables, and of objects with an index."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import getitem

import keras

from ..batches.structure import RawBatch
from .data_set_settings import settings_of
from .fetches import Fetches, called
from .source import Claim, Indexed, Reader, Source, Spot, check_spot


class IteratorReader(Reader):
    """Reads an iterator, which carries on across rounds, or passes over an iterable."""

    def __init__(
        self,
        iterator: Iterator[RawBatch] | None,
        iterable: Iterable[RawBatch] | None = None,
        length: Callable[[], int | None] = lambda: None,  # of a pass
    ) -> None:
        self._iterator = iterator
        self._iterable = iterable
        self._length = length
        self._wrap = False

    def begin(
        self, *, fresh: bool, wrap: bool, epoch: int | None = 0, count: int | None = None
    ) -> int | None:
        self._wrap = wrap
        if self._iterable is None or not fresh:
            return None
        self._iterator = None
        return called(self._length, "__len__()")

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


@dataclass
class _Passes:
    """Passes of one length that follow each other; one entry, however many there are."""

    before: int  # claims before the first of them
    length: int
    count: int = 1

    def upto(self, claims: int) -> int:
        """How many of them have begun after so many claims."""
        if claims < self.before:
            return 0
        return min(self.count, (claims - self.before) // self.length + 1 if self.length else 1)

    def start(self, claims: int) -> int:
        """Claims before the one that runs after so many."""
        return self.before + (self.upto(claims) - 1) * self.length


class IndexedReader(Reader):
    """Reads `source[0]`, `source[1]`, ... and tells the source where a pass begins and ends."""

    def __init__(self, source: Indexed, length: Callable[[], int]) -> None:
        self._source = source
        self._ask = length
        self._length = 0  # of the pass
        self._index = 0
        # Claims before each round, and passes that had ended in it before the reader was opened.
        self._rounds: list[tuple[int, int]] = []
        self._passes: list[_Passes] = []
        self._wrap = False
        self._in_pass = False
        self._fetches = Fetches()
        # In other classes, a method of that name is their own business.
        keras3 = isinstance(source, keras.utils.PyDataset)
        self._begin = getattr(source, "on_epoch_begin", None) if keras3 else None

    def begin(
        self, *, fresh: bool, wrap: bool, epoch: int | None = 0, count: int | None = None
    ) -> int | None:
        self._wrap = wrap
        self._rounds.append((self._fetches.claimed, 0))
        if not fresh:
            return None
        self._in_pass = False
        self._open_pass()
        return self._length

    def claim(self) -> Claim:
        if not self._in_pass:
            self._open_pass()
        elif self._index >= self._length:
            if not self._wrap:
                raise StopIteration
            self._open_pass()
        if self._index >= self._length:
            raise StopIteration  # the pass has no batches
        index = self._index
        self._index += 1
        claim = self._fetches.claim(partial(getitem, self._source, index), f"__getitem__({index})")
        if self._index == self._length:
            self._end_pass()
        return claim

    def settle(self, *, failed: bool = False) -> None:
        self._fetches.settle(failed=failed)

    def ended(self, seconds: float, used: int) -> bool:
        return self._fetches.ended(seconds, used)

    def _open_pass(self) -> None:
        self._fetches.wait()
        if self._begin is not None:
            called(self._begin, "on_epoch_begin()")
        # Asked in each pass: a source may grow or shrink when a pass has ended.
        self._length, self._index, self._in_pass = called(self._ask, "__len__()"), 0, True
        claimed, last = self._fetches.claimed, self._passes[-1] if self._passes else None
        if last and last.length == self._length and last.start(claimed) + self._length == claimed:
            last.count += 1
        else:
            self._passes.append(_Passes(claimed, self._length))

    def spot(self, claims: int) -> Spot:
        """Passes that have ended since the round began, and an index in the one that runs."""
        begun, ended = next(one for one in reversed(self._rounds) if one[0] <= claims)
        now = next(passes for passes in reversed(self._passes) if passes.before <= claims)
        ended += sum(passes.upto(claims) - passes.upto(begun) for passes in self._passes)
        index = claims - now.start(claims)
        return (ended + 1, 0) if index == now.length else (ended, index)

    def go_to(self, spot: Spot) -> None:
        """The source is as it was when the round began, but for the passes that have ended."""
        passes, index = spot
        if not self._in_pass:
            self._open_pass()
        hook = getattr(self._source, "on_epoch_end", None)
        for _ in range(passes):
            if callable(hook):
                called(hook, "on_epoch_end()")
            self._open_pass()
        check_spot(spot, self._length)
        self._index = index
        self._rounds[-1] = (self._fetches.claimed, passes)
        self._passes.append(_Passes(self._fetches.claimed - index, self._length))

    def _end_pass(self) -> None:
        hook = getattr(self._source, "on_epoch_end", None)
        if callable(hook):
            self._fetches.end_pass(hook, "on_epoch_end()")


def indexed(given: Indexed, length: Callable[[], int | None]) -> Source:
    """The source of an object with an index; of one without an end where `length` gives `None`."""
    count = _whole(length())
    return Source(
        lambda: IndexedReader(given, lambda: _or_endless(_whole(length()))),
        given,
        count,
        restarts=True,
        by_place=True,
        parallel=True,
        endless=count is None,
        shuffled=getattr(given, "shuffle", False) is True,
        **settings_of(given),
    )


def _whole(length: int | None) -> int | None:
    return None if length is None else int(length)


def _or_endless(length: int | None) -> int:
    return sys.maxsize if length is None else length
