"""A feed whose batches the calling thread makes, on request.

All that may be pulled is asked for at once, by the training loop when it frees slots: the host then
makes several batches in one go, or one while another is prepared. Each hand-over from thread to
thread costs as much as a small batch, so small ones are prepared where they were made; large ones
are, on the feeder's thread, while the host makes the next.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from typing import Any

from .claims import END, Pull
from .feed import Feed
from .host import Line, Request, Switchboard
from .pace import Pace

# Batches up to this size, in bytes, are prepared on the calling thread.
SMALL = 2**16

# What a host answers a pull with when the function has no more batches.
ENDED = object()

# Ranks of pulls. A validation pull is only served while training needs none, or when the epoch's
# training batches are all drawn: then it is needed before the next epoch's.
_TRAINING, _VALIDATION = 2, 1


class AskedFeed(Feed):
    """Asks the host for batches; the thread prepares the large ones."""

    def __init__(self, *arguments: Any, pace: Pace, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._pace = pace
        self._line = Line(self.source.function, _TRAINING, self._may_pull)
        self._term = 0
        self._other: Feed | None = None
        self._started = False
        self._asking = threading.Lock()
        self._asked: deque[Pull] = deque()
        self._full_since: float | None = None
        self._raw: queue.SimpleQueue[tuple[Pull, Any, float] | None] = queue.SimpleQueue()

    @property
    def needs_pulls(self) -> bool:
        """Pulls for it come before those of another feed."""
        return self.capacity > 0 and bool(self._asked) and self.made < self.quota

    def yields_to(self, other: Feed) -> None:
        """Have pulls served only while `other` needs none."""
        self._other = other
        self._line.rank = _VALIDATION

    def _may_pull(self) -> bool:
        if self._other is not None and self._other.needs_pulls:
            return False
        return self._pace.allows(self._line.seconds, self._line.pulled - self.taken)

    # -- asking ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread, and ask for what was granted."""
        super().start()
        self._started = self.capacity > 0
        self._ask()

    def grant(self, round_: Any, times: int = 1) -> None:
        """Allow `times` more rounds to be pulled."""
        super().grant(round_, times)
        self._ask()

    def take(self) -> Any:
        """What the next call takes, or `END`; raises what the function raised in its place."""
        call = super().take()
        if call is END:
            self._ask()  # its slot is free
        return call

    def begin(self, batches: int = 1) -> None:
        """A call that uses so many batches begins: their slots are free."""
        super().begin(batches)
        self._ask()

    def _ask(self) -> None:
        """Ask for all that may be pulled now."""
        if not self._started or self._closed:
            return
        with self._asking:
            while (pull := self._claims.next_now()) is not None:
                self._post(pull)

    def _post(self, pull: Pull) -> None:
        if self._full_since is not None:
            if self.name == "generator":
                self._meter.add("generator_waited", time.perf_counter() - self._full_since)
            self._full_since = None
        self._asked.append(pull)
        assert isinstance(self._host, Switchboard)
        sink = lambda fine, value, seconds: self._arrive(pull, fine, value, seconds)  # noqa: E731
        self._host.post(
            Request("pull", line=self._line, term=self._term, rank=self._line.rank, sink=sink)
        )

    def _pull_one(self) -> None:
        with self._asking:
            if not self._asked and (pull := self._claims.next()) is not None:
                self._post(pull)

    def _pull_first(self) -> None:
        self._pull_one()

    # -- the host's answers ---------------------------------------------------------------------

    def _arrive(self, pull: Pull, fine: bool, value: Any, seconds: float) -> None:
        """Take an answer; called by the host, in the order of asking."""
        if not fine:
            self._end(pull, self._failed(value, pull))
        elif value is ENDED:
            self._end(pull, END)
        else:
            with self._asking:
                self._asked.popleft()
                if not self._asked:
                    self._full_since = time.perf_counter()
            self.made += 1
            if self._threads and _is_large(value):
                self._raw.put((pull, value, seconds))
            else:
                self._hand_on(pull, self._prepared(pull, value, seconds))

    def _end(self, pull: Pull, item: Any) -> None:
        """Nothing follows, at least in this round: what was asked for behind it is void."""
        with self._asking:
            if item is END:
                self._claims.end_round()
            if self._asked:  # empty where the feed was closed meanwhile
                self._asked.popleft()
            self._claims.give_back(list(self._asked))
            self._asked.clear()
            self._term += 1
        self._hand_on(pull, item)

    def _work(self) -> None:
        while (entry := self._raw.get()) is not None:
            pull, value, seconds = entry
            self._hand_on(pull, self._prepared(pull, value, seconds))

    def _rest(self) -> None:
        """The host asks `needs_pulls` itself."""

    def shut(self) -> None:
        """Let nobody wait on this feed any more; any thread may call it, more than once."""
        super().shut()
        self._raw.put(None)


def _is_large(raw: Any) -> bool:
    return _bytes(raw) > SMALL


def _bytes(raw: Any) -> int:
    if isinstance(raw, (list, tuple)):
        return sum(map(_bytes, raw))
    if isinstance(raw, dict):
        return sum(map(_bytes, raw.values()))
    return int(getattr(raw, "nbytes", 0))
