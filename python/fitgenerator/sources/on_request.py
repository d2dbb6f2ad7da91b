"""Sources that stand for functions which only the calling thread can run, on request."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from ..host.interface import HostFunction, Place
from .seeded_source import Passes, PositionReader
from .source import Claim, Reader, Source


def closure_source(function: HostFunction, identity: str) -> Source:
    """The source that stands for a function of the host's, given as what the host knows it by.

    Rule 12, one reader per object: sources of one `identity` are the same function and share one
    prefetcher, because the function cannot be read from two places at once.
    """
    return Source(ContinuingReader, sys.intern(identity), function=function)


class ContinuingReader(Reader):
    """A function carries on across rounds; its batches are asked for, not read."""

    def begin(self, *, fresh: bool, wrap: bool, epoch: int | None, count: int | None) -> None:
        pass

    def claim(self) -> Claim:
        return _claim(None)


def _claim(place: Place | None) -> Claim:
    """The claim on a batch that the host makes, so that nobody reads it."""
    return Claim(lambda: None, place=place)


def for_host(places: Sequence[Place] | None) -> dict[str, Any] | None:
    """The places of batches that are fetched in one go, as R is told of them.

    `epoch`, `ended`, `opens` and `wrap` are of all of them; `index`, which counts from 1 in R, and
    `seed` have an element for each, and none where a pass has ended.
    """
    if places is None:
        return None
    first = places[0]
    return {
        "opens": first.opens,
        "epoch": first.epoch,
        "ended": first.ended,
        "wrap": first.wrap,
        "index": [place.index + 1 for place in places if place.ended is None],
        "seed": [place.seed for place in places if place.ended is None],
    }


class PassPlaceReader(PositionReader):
    """Has a function called with the indices of passes: claims give places, for the host.

    `told`: the function is told when a pass has ended.
    """

    def __init__(self, source: Passes, *position: Any, told: bool) -> None:
        super().__init__(*position)
        self._source = source
        self._told = told

    def claim(self) -> Claim:
        epoch, index, last = self._advance()
        opens, ends = index == 0, last and self._told
        return _claim(
            Place(opens, epoch, *self._source.place(epoch, self.placed(index)), ends=ends)
        )


class PassEnds:
    """What a function of the host's is told of the ends of its passes, and what comes of that."""

    def __init__(self) -> None:
        self.due: Place | None = None  # what it is to be told now
        self.error: BaseException | None = None  # that came of it
        self._told = threading.Event()  # nothing is due
        self._told.set()
        self._last = 0  # batch of the pass

    def look(self, place: Place | None, number: int) -> bool:
        """Whether the batch with that number, just made, ends a pass: then the function is told."""
        if place is None or not place.ends:
            return False
        self._told.clear()
        self._last = number
        self.due = Place(opens=False, epoch=place.epoch, ended=place.epoch)
        return True

    def tell(self, error: BaseException | None = None) -> None:
        """The function knows, or has failed."""
        self.error, self.due = error, None  # before anyone is told
        self._told.set()

    def wait(self, seconds: float, used: int) -> bool:
        """Whether nothing is due; raises what came of a pass all of whose batches were `used`."""
        told = self._told.wait(seconds)
        if told and self.error is not None and used >= self._last:
            raise self.error
        return told


class StreamPlaceReader(Reader):
    """The same, of a function that can be opened again and ends by itself."""

    def __init__(self) -> None:
        self._opened = False
        self._opens = self._wrap = False
        self._epoch = 0

    def begin(self, *, fresh: bool, wrap: bool, epoch: int | None, count: int | None) -> None:
        self._opens, self._wrap, self._epoch = fresh or not self._opened, wrap, epoch or 0

    def claim(self) -> Claim:
        place = Place(self._opens, self._epoch, wrap=self._wrap)
        self._opened, self._opens = True, False
        return _claim(place)


def passes_source(function: HostFunction, passes: Passes, *, told: bool) -> Source:
    """The source that stands for a function of the host's, which makes batches by their index.

    `told`: the function is told when a pass has ended.
    """
    return passes.source_of(
        partial(PassPlaceReader, passes, told=told), parallel=False, function=function
    )


def stream_source(function: HostFunction) -> Source:
    """The source that stands for a function of the host's that can be opened again."""
    return Source(StreamPlaceReader, object(), restarts=True, function=function)
