"""A prefetcher whose batches the calling thread makes, when it has nothing else to do.

Between two requests the host looks at what may be fetched, and makes several batches in one go if
that is quick. A hand-over between threads costs as much as a small batch. So the host takes fetches
from the schedule, and prepares small batches; the feeder thread prepares large ones meanwhile.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from contextlib import suppress

from ..batches.structure import bytes_of_raw
from ..errors import ClosedError, ErrorContext, locate
from ..host.interface import Place, RawBatch
from ..host.pacing import Pacing
from ..host.signal_safe_queue import ClosableQueue
from ..sources.on_request import PassEnds
from ..sources.source import Source
from .fetch import Fetch
from .prefetcher import Prefetcher, Setup

SMALL = 2**16  # batches up to this size, in bytes, are prepared on the calling thread
MOST = 256  # batches that are asked for in one go: a queue may be longer than any training
# Thread rule 7: service in order, lower ranks first. A validation batch is only made while training
# needs none, or when the epoch's training batches are all made: then it is needed first.
_TRAINING, _VALIDATION = 2, 1


class RequestPrefetcher(Prefetcher):
    """A `HostedSource`: the host calls what follows `wanted`."""

    def __init__(
        self, source: Source, setup: Setup, pacing: Pacing, first: Prefetcher | None = None
    ) -> None:
        super().__init__(source, setup)
        self.rank = _TRAINING if first is None else _VALIDATION
        self._pacing = pacing
        self._first = first  # whose fetches come first
        self._wanted: deque[Fetch] = deque()
        self._length = 0.0  # seconds that the last batch took
        self._ends = PassEnds()
        # Read, and not prepared: by the feeder soon, or in lock-step when a pass has ended.
        self._unprepared: ClosableQueue[Fetch] = ClosableQueue()
        self._queues.append(self._unprepared)
        setup.host.serve(self)

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
            while len(self._wanted) < MOST and (fetch := self.schedule.next(wait=False)):
                self._wanted.append(fetch)
        except ClosedError:
            self._resting = True  # it has failed: another source need not wait for it
            return 0
        while self._wanted and self._wanted[0].claim is None:  # the end of a source with a length
            self._finish(self._wanted.popleft())
        if self._ends.error is not None and self._wanted:
            self._fail_next(self._ends.error, self._between)
        self._resting = not self._wanted or self._made >= self.urgent_until
        self.setup.meter.rests(self.setup.name, resting=self._made > 0 and not self._wanted)
        return len(self._lot())

    @property
    def _made(self) -> int:
        """Batches."""
        return self.schedule.begun - sum(fetch.claim is not None for fetch in self._wanted)

    def _lot(self) -> list[Fetch]:
        """What may be made in one go: batches of one pass."""
        lot: list[Fetch] = []
        for fetch in self._wanted:
            opens = fetch.place is not None and fetch.place.opens
            if fetch.claim is None or (lot and opens):
                break
            lot.append(fetch)
        return lot

    def places(self) -> list[Place] | None:
        """Those of the batches that may be made now; `None` for a function that carries on."""
        if self._ends.due is not None:
            return [self._ends.due]
        return [fetch.place for fetch in self._lot() if fetch.place is not None] or None

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
            last = self._wanted[len(batches) - 1]
            self._tells = self._ends.look(last.place, last.number)
        for raw in batches:
            fetch = self._wanted.popleft()
            fetch.raw, fetch.span = raw, (begun, begun + seconds, threading.get_ident())
            begun += seconds
            # In lock-step nothing runs in parallel with the step, the end of a pass included.
            held = self._ends.due is not None and not self.setup.capacity
            if held or (self._threads.alive and bytes_of_raw(raw) > SMALL):
                self._unprepared.put(fetch)
            else:
                self._finish(fetch)

    def told(self, error: BaseException | None = None) -> None:
        """The function knows that a pass has ended, or has failed when it was told."""
        self._ends.tell(error)
        self._tells = False
        with suppress(queue.Empty, ClosedError):
            if not self.setup.capacity:
                self._finish(self._unprepared.get())

    def _ended(self, seconds: float) -> bool:
        return self._ends.wait(seconds, self.used)

    def end(self) -> None:
        """The function has no more batches."""
        fetch = self._void()
        self.schedule.end_round(fetch)
        self._finish(fetch)

    def fail(self, error: BaseException) -> None:
        """The function failed."""
        if self._ends.due is not None:
            locate(error, self._between)
            self.told(error)
        else:
            self._fail_next(error)

    def _fail_next(self, error: BaseException, context: ErrorContext | None = None) -> None:
        fetch = self._void()
        self._fail(fetch, error, context)
        self._finish(fetch)

    def _void(self) -> Fetch:
        """The fetch that came to nothing; those after it are withdrawn."""
        fetch = self._wanted.popleft()
        self.schedule.withdraw(self._wanted)
        self._wanted.clear()
        return fetch
