"""A feed whose batches the calling thread makes, when it has nothing else to do.

The host looks, between two requests, at what each such feed may pull, and makes several batches in
one go where that is quick. Each hand-over from thread to thread costs as much as a small batch: so
the pulls are claimed by the host itself, and small batches are prepared where they were made. Large
ones are on the feeder's thread, while the host makes the next.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from typing import Any

from ..host.interface import Place
from ..reporting.timeline import Span
from .pacing import Pace
from .prefetcher import Feed
from .schedule import END, Failure, Pull, Round

# Batches up to this size, in bytes, are prepared on the calling thread.
SMALL = 2**16
# Ranks of sources. A validation pull is only served while training needs none, or when the epoch's
# training batches are all drawn: then it is needed before the next epoch's.
_TRAINING, _VALIDATION = 2, 1


class AskedFeed(Feed):
    """A `HostedSource`, which the host serves; the thread prepares what is large.

    `wanted`, `ready`, `deliver`, `end` and `fail` are for the host, the others for the loop.
    """

    def __init__(self, *arguments: Any, pace: Pace, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.function = self.source.function
        self.rank = _TRAINING
        self._pace = pace
        self._other: Feed | None = None
        self._demand = 0  # pulls wanted at once: in lock-step, and before the start
        self._wanted: deque[tuple[Pull, Any]] = deque()  # with its place, or what came for it
        self._pulled = 0  # batches made
        self._seconds = 0.0  # what one took, lately
        self._full_since: float | None = None
        self._raw: queue.SimpleQueue[tuple[Pull, Any, Span] | None] = queue.SimpleQueue()
        self._host.serve(self)

    @property
    def needs_pulls(self) -> bool:
        """Pulls for it come before those of another feed."""
        return self.capacity > 0 and bool(self._wanted) and self.made < self.quota

    def yields_to(self, other: Feed) -> None:
        """Have pulls served only while `other` needs none."""
        self._other = other
        self.rank = _VALIDATION

    # -- the training loop's side ---------------------------------------------------------------

    def start(self) -> None:
        """Start the thread, and let the host pull what was granted."""
        super().start()
        self._host.wake()

    def grant(self, round_: Round, times: int = 1) -> None:
        """Allow `times` more rounds to be pulled."""
        super().grant(round_, times)
        self._host.wake()

    def begin(self, batches: int = 1) -> None:
        """A call that uses so many batches begins: their slots are free."""
        super().begin(batches)
        self._host.wake()

    def _pull_one(self) -> None:
        if self._demand == 0:
            self._demand = 1
            self._host.wake()

    def _pull_first(self) -> None:
        self._pull_one()

    def shut(self) -> None:
        """Let nobody wait on this feed any more; any thread may call it, more than once."""
        super().shut()
        self._raw.put(None)

    def _give_up(self) -> None:
        """Have the host stop the function: its failure then comes in place of the batch."""
        running = self._host.interrupt_overdue()
        if running is None:
            raise self.timed_out("")
        if running is not self:  # the function of another source is to blame
            raise running.timed_out("")

    @property
    def _awaited(self) -> int:
        return self._wanted[0][0].ticket.number if self._wanted else self._taken + 1

    # -- the host's side ------------------------------------------------------------------------

    def wanted(self) -> int:
        """How many batches may be made now."""
        if self._closed:
            return 0
        if self._started:
            while (pull := self._claims.next_now()) is not None:
                self._want(pull)
        elif self._demand and not self._wanted:
            pull = self._claims.next_now(slot=False)
            if pull is not None:
                self._want(pull)
        if self._wanted and self._full_since is not None:
            if self.name == "generator":
                self._meter.add("generator_waited", time.perf_counter() - self._full_since)
            self._full_since = None
        return len(self._lot())

    def _want(self, pull: Pull) -> None:
        self._wanted.append((pull, pull.fetch()))
        self._pass_on()

    def _pass_on(self) -> None:
        """Hand on what needs no call of the function: the end of a source that knows its length."""
        while self._wanted and _came(self._wanted[0][1]):
            pull, item = self._wanted.popleft()
            self._demand = 0
            self._hand_on(pull, item)

    def _lot(self) -> list[Any]:
        """The places of the batches that may be made in one go: they are of one pass."""
        places = [place for _, place in self._wanted]
        for number, place in enumerate(places):
            if _came(place) or (number and place is not None and place.opens):
                return places[:number]
        return places

    def places(self) -> list[Place] | None:
        """Those of the batches that may be made now; `None` for a function that carries on."""
        return [place for place in self._lot() if place is not None] or None

    def ready(self) -> bool:
        """Whether the host may begin with one."""
        if self._other is not None and self._other.needs_pulls:
            return False
        return self._pace.allows(self._seconds, self._pulled - self.taken)

    def deliver(self, batches: list[Any], begun: float, seconds: float) -> None:
        """Take batches that the function gave, in order, from `begun` on, each in `seconds`."""
        self._seconds = seconds
        self._pulled += len(batches)
        thread = threading.get_ident()
        for raw in batches:
            pull, _ = self._wanted.popleft()
            self.made += 1
            self._demand = 0
            came = (begun, begun + seconds, thread)
            begun += seconds
            if self._threads and _bytes(raw) > SMALL:
                self._raw.put((pull, raw, came))
            else:
                self._hand_on(pull, self._prepared(pull, raw, came))
        self._pass_on()
        if not self._wanted:
            self._full_since = time.perf_counter()

    def end(self) -> None:
        """The function has no more batches."""
        pull = self._void()
        self._claims.end_round()
        self._hand_on(pull, END)

    def fail(self, error: BaseException) -> None:
        """The function failed."""
        pull = self._void()
        self._hand_on(pull, self._failed(error, pull))

    def _void(self) -> Pull:
        """The pull that came to nothing; those behind it are given back."""
        pull, _ = self._wanted.popleft()
        self._claims.give_back([pull for pull, _ in self._wanted])
        self._wanted.clear()
        self._demand = 0
        return pull

    # -- the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        while (entry := self._raw.get()) is not None:
            pull, value, came = entry
            self._hand_on(pull, self._prepared(pull, value, came))

    def _rest(self) -> None:
        """The host asks `needs_pulls` itself."""


def _came(place: Any) -> bool:
    """Whether this is no place, but what came without a call of the function."""
    return place is END or isinstance(place, Failure)


def _bytes(raw: Any) -> int:
    if isinstance(raw, (list, tuple)):
        return sum(map(_bytes, raw))
    if isinstance(raw, dict):
        return sum(map(_bytes, raw.values()))
    return int(getattr(raw, "nbytes", 0))
