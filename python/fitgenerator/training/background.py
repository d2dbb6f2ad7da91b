"""Training on a thread of ours while the calling thread hosts: serves pulls, hooks and output."""

from __future__ import annotations

import queue
import sys
import threading
from dataclasses import dataclass
from typing import Any

from ..errors import ClosedError
from ..host.signal_safe_queue import Inbox
from ..host.switchboard import Switchboard
from ..prefetch.prefetcher import SLICE
from ..sources.recognition import Claim, Reader, Source
from ..sources.seeded_source import Passes, Position
from .fit_loop import EvaluateLoop, FitLoop, PredictLoop

Loop = FitLoop | EvaluateLoop | PredictLoop


def closure_source(function: Any, identity: str) -> Source:
    """The source that stands for a function of the host's, given as what the host knows it by.

    Sources of one `identity` are the same function, and share one feed.
    """
    return Source(lambda _: CarryingOn(), sys.intern(identity), function=function)


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
        lambda _: AskedPasses(passes),
        passes,
        len(passes),
        restarts=True,
        shuffled=passes.shuffle,
        function=function,
    )


def stream_source(function: Any) -> Source:
    """The source that stands for a function of the host's that can be opened again."""
    return Source(lambda _: AskedStream(), object(), restarts=True, function=function)


class Training:
    """A loop on a training thread. All methods are for the calling thread."""

    def __init__(self, board: Switchboard, loop: Loop) -> None:
        self.loop = loop
        self.result: Any = None
        self.error: BaseException | None = None
        self._board = board
        self._ended = Inbox()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        thread = threading.Thread(target=self._run, name="fitgenerator-training", daemon=True)
        thread.start()
        self._thread = thread

    def _run(self) -> None:
        for part in (self._train, self._board.close_pulls, self.loop.course.close):
            try:
                part()
            except BaseException as error:  # of several, the first is the cause
                self.error = self.error or error
        self._ended.put(None)
        self._board.end()

    def _train(self) -> None:
        self.loop.course.meter.enter()
        with self.loop.course.scope():
            self.result = self.loop.run_alone()

    def stop(self) -> None:
        """Stop the loop, wait until its threads have ended, serve nothing meanwhile.

        Can be called again, also when a first call was interrupted.
        """
        self._board.close()
        self.loop.course.shut()
        thread = self._thread
        while thread is not None:
            try:
                self._ended.get(SLICE)
            except queue.Empty:
                continue
            thread.join()
            self._thread = thread = None
        self._board.close()

    @property
    def failure(self) -> BaseException | None:
        """What the loop raised, unless it was only stopped."""
        return None if isinstance(self.error, ClosedError) else self.error
