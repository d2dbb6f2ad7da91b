"""A prefetcher whose batches the calling thread makes, when it has nothing else to do.

Between two requests the host looks at what may be fetched, and makes several batches in one go if
that is quick. A hand-over between threads costs as much as a small batch. So the host takes fetches
from the schedule, and prepares small batches; the feeder thread prepares large ones meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from ..errors import ClosedError, ErrorContext, locate
from ..host.interface import Place, RawBatch
from ..host.signal_safe_queue import ClosableQueue
from ..sources.source import Source
from .fetch import Fetch
from .pacing import Pacing
from .prefetcher import GRACE, Prefetcher, Setup

SMALL = 2**16  # batches up to this size, in bytes, are prepared on the calling thread
MOST = 256  # batches that are asked for in one go: a queue may be longer than any training
# Thread rule 7: service in order, lower ranks first. A validation batch is only made while training
# needs none, or when the epoch's training batches are all made: then it is needed first.
_TRAINING, _VALIDATION = 2, 1


class PassEnds:
    """What a function is told of the ends of its passes, and what comes of that."""

    def __init__(self) -> None:
        self.due: Place | None = None  # what it is to be told now
        self.held: Fetch | None = None  # the pass's last, in lock-step: handed on after that
        self.error: BaseException | None = None  # that came of it
        self._told = threading.Event()  # nothing is due
        self._told.set()
        self._last = 0  # batch of the pass

    def look(self, fetch: Fetch) -> None:
        """The fetch has been made; if it is the last one of a pass, the function is told of it."""
        place: Place | None = fetch.read() if fetch.read is not None else None
        if place is not None and place.ends:
            self._told.clear()
            self._last = fetch.ticket.number
            self.due = Place(opens=False, epoch=place.epoch, ended=place.epoch)

    def tell(self) -> Fetch | None:
        """The function knows, or has failed; what was held until then."""
        self.due = None
        self._told.set()
        fetch, self.held = self.held, None
        return fetch

    def wait(self, seconds: float, used: int) -> bool:
        """Whether nothing is due; raises what came of a pass all of whose batches were `used`."""
        told = self._told.wait(seconds)
        if told and self.error is not None and used >= self._last:
            raise self.error
        return told


class RequestPrefetcher(Prefetcher):
    """A `HostedSource`: the host calls what follows `wanted`."""

    def __init__(self, source: Source, setup: Setup, pacing: Pacing) -> None:
        super().__init__(source, setup)
        self.rank = _TRAINING
        self._pacing = pacing
        self._first: Prefetcher | None = None  # whose fetches come first
        self._wanted: deque[Fetch] = deque()
        self._made = 0  # batches
        self._length = 0.0  # seconds that the last batch took
        self._full_since = 0.0  # when nothing was wanted any more; 0.0 where something is
        self._ends = PassEnds()
        self._unprepared: ClosableQueue[Fetch] = ClosableQueue()
        setup.host.serve(self)

    def reopen(self) -> bool:
        """Forget the call of `prime`, where the training begins with another one; else False."""
        reopened = super().reopen()
        self._made = 0 if reopened else self._made
        return reopened

    def yield_to(self, other: Prefetcher) -> None:
        """Have batches made only while `other` needs none."""
        self._first, self.rank = other, _VALIDATION

    def shut(self) -> None:
        """Let nobody wait on this prefetcher any more; any thread may call it, more than once."""
        super().shut()
        self._unprepared.close()

    def join(self, deadline: float, grace: float = GRACE) -> list[str]:
        """After `shut`, wait for the threads; the names of those that run on after `deadline`."""
        left = super().join(deadline, grace)
        self._unprepared.clear()  # which holds batches, for as long as this object lives
        self._ends.held = None
        return left

    def _permitted(self) -> None:
        self.setup.host.wake()

    def _work(self) -> None:
        while True:
            self._finish(self._unprepared.get(None))

    def wanted(self) -> int:
        """How many batches may be made now."""
        if self._ends.due is not None:
            return 1
        try:
            while len(self._wanted) < MOST and self.schedule.is_ready:
                if not self._permits.take(wait=False):
                    break
                self._wanted.append(self.schedule.next())
        except ClosedError:
            return 0
        while self._wanted and self._wanted[0].read is None:  # the end of a source with a length
            self._hand_on(self._wanted.popleft())
        if self._ends.error is not None and self._wanted:
            self._fail_next(self._ends.error, self._between)
        self._resting = not self._wanted or self._made >= self.urgent_until
        now = time.perf_counter()
        if not self._wanted:
            self._full_since = self._full_since or (now if self._made else 0.0)
        elif self._full_since:
            if self.setup.name == "generator":
                self.setup.meter.add("generator_waited", now - self._full_since)
            self._full_since = 0.0
        return len(self._lot())

    def _lot(self) -> list[Place | None]:
        """The places of the batches that may be made in one go: they are of one pass."""
        places: list[Place | None] = []
        for fetch in self._wanted:
            place: Place | None = fetch.read() if fetch.read is not None else None
            if fetch.read is None or (places and place is not None and place.opens):
                break
            places.append(place)
        return places

    def places(self) -> list[Place] | None:
        """Those of the batches that may be made now; `None` for a function that carries on."""
        if self._ends.due is not None:
            return [self._ends.due]
        return [place for place in self._lot() if place is not None] or None

    def ready(self) -> bool:
        """Whether the host may begin with one."""
        if self._first is not None and self._first.is_urgent:
            return False
        return self._ends.due is not None or self._pacing.allows(
            self._length, self._made - self.used
        )

    def deliver(self, batches: list[RawBatch], begun: float, seconds: float) -> None:
        """Take batches that the function gave, in order, from `begun` on, each in `seconds`."""
        self._length = seconds
        if batches:
            self._ends.look(self._wanted[len(batches) - 1])
        for raw in batches:
            fetch = self._wanted.popleft()
            self._made += 1
            fetch.raw, fetch.span = raw, (begun, begun + seconds, threading.get_ident())
            begun += seconds
            if self._ends.due is not None and not self.setup.capacity:
                self._ends.held = fetch  # in lock-step, nothing runs in parallel with the step
            elif self._threads.alive and _bytes(raw) > SMALL:
                self._unprepared.put(fetch)
            else:
                self._finish(fetch)

    def told(self) -> None:
        """The function knows that a pass has ended."""
        fetch = self._ends.tell()
        if fetch is not None:
            self._finish(fetch)

    @property
    def _tells(self) -> bool:
        return self._ends.due is not None

    def _ended(self, seconds: float) -> bool:
        return self._ends.wait(seconds, self.used)

    def end(self) -> None:
        """The function has no more batches."""
        fetch = self._void()
        self.schedule.end_round(fetch)
        self._hand_on(fetch)

    def fail(self, error: BaseException) -> None:
        """The function failed."""
        if self._ends.due is not None:
            locate(error, self._between)
            self._ends.error = error  # before anyone is told
            self.told()
            return
        self._fail_next(error)

    def _fail_next(self, error: BaseException, context: ErrorContext | None = None) -> None:
        fetch = self._void()
        self._fail(fetch, error, context)
        self._hand_on(fetch)

    def _void(self) -> Fetch:
        """The fetch that came to nothing; those after it are withdrawn."""
        fetch = self._wanted.popleft()
        self.schedule.withdraw(self._wanted)
        self._permits.give(len(self._wanted))
        self._wanted.clear()
        return fetch


def _bytes(raw: RawBatch) -> int:
    if isinstance(raw, (list, tuple, dict)):
        return sum(map(_bytes, raw.values() if isinstance(raw, dict) else raw))
    return int(getattr(raw, "nbytes", 0))
