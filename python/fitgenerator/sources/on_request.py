"""Sources that stand for functions which only the calling thread can run, on request."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from .seeded_source import Passes, Position
from .source import Claim, Reader, Source


def closure_source(function: Any, identity: str) -> Source:
    """The source that stands for a function of the host's, given as what the host knows it by.

    Sources of one `identity` are the same function, and share one feed.
    """
    return Source(CarryingOn, sys.intern(identity), function=function)


class CarryingOn(Reader):
    """A function carries on across rounds; its batches are asked for, not read."""

    def begin(self, *, fresh: bool, wrap: bool, epoch: int = 0, count: int | None = None) -> None:
        """Nothing has to be done."""

    def claim(self) -> Claim:
        """Never called for its value."""
        return lambda: None


@dataclass(frozen=True)
class Place:
    """What a function that can begin again is told of one batch.

    Attributes:
        opens: It is the first one of a pass.
        epoch: The number of the pass, from 0.
        index: What the function is called with, from 0; streams are not called with one.
        seed: What its random numbers follow from.
        ended: The pass that ended before, if one did.
        wrap: A stream that ends begins again at once.
    """

    opens: bool
    epoch: int = 0
    index: int = 0
    seed: int = 0
    ended: int | None = None
    wrap: bool = False


def described(places: list[Place] | None) -> dict[str, Any] | None:
    """Places of one lot as the host's language is told of them; indices count from 1 there."""
    if places is None:
        return None
    first = places[0]
    return {
        "opens": first.opens,
        "epoch": first.epoch,
        "ended": first.ended,
        "wrap": first.wrap,
        "index": [place.index + 1 for place in places],
        "seed": [place.seed for place in places],
    }


class AskedPasses(Reader):
    """Has a function called with the indices of passes."""

    def __init__(self, source: Passes) -> None:
        self._source = source
        self._position = Position(len(source))

    def begin(self, *, fresh: bool, wrap: bool, epoch: int = 0, count: int | None = None) -> None:
        """Start a round."""
        self._position.begin(fresh=fresh, wrap=wrap, epoch=epoch, count=count)

    def claim(self) -> Claim:
        """Gives the place of the batch, for the host."""
        epoch, index, ended = self._position.advance()
        index = int(self._source.order(epoch)[index])
        seed = int(self._source.random(epoch, index + 1).integers(1, 2**31))
        place = Place(ended is not None, epoch, index, seed, ended)
        return lambda: place


class AskedStream(Reader):
    """Has a function called that can be opened again, and ends by itself."""

    def __init__(self) -> None:
        self._opened = False
        self._opens = self._wrap = False
        self._epoch = 0

    def begin(self, *, fresh: bool, wrap: bool, epoch: int = 0, count: int | None = None) -> None:
        """Start a round."""
        self._opens, self._wrap, self._epoch = fresh or not self._opened, wrap, epoch

    def claim(self) -> Claim:
        """Gives the place of the batch, for the host."""
        place = Place(self._opens, self._epoch, wrap=self._wrap)
        self._opened, self._opens = True, False
        return lambda: place


def passes_source(function: Any, passes: Passes) -> Source:
    """The source that stands for a function of the host's, which makes batches by their index."""
    return Source(
        lambda: AskedPasses(passes),
        passes,
        len(passes),
        restarts=True,
        shuffled=passes.shuffle,
        function=function,
    )


def stream_source(function: Any) -> Source:
    """The source that stands for a function of the host's that can be opened again."""
    return Source(AskedStream, object(), restarts=True, function=function)
