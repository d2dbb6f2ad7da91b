"""Which batch of a source may be pulled next: rounds that were granted, and slots for the lead.

Slots bound the lead: one is taken before each pull and given back when the step that uses the batch
begins. Both queues are `SimpleQueue`s, whose operations an interrupt cannot tear.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..sources.source import Claim, Reader
from .call_size import Grouping
from .reordering import Ticket

_CLOSE = None  # wakes a thread that waits on a queue of a closed feed

Prepare = Callable[[Any], Any]


class _End:
    def __repr__(self) -> str:
        return "END"


END = _End()  # the round is over: its source has no more batches


@dataclass(frozen=True)
class Failure:
    """What was raised in place of a batch."""

    error: BaseException


@dataclass(frozen=True)
class Round:
    """Batches that may be pulled: `count` of them, or all of one pass where it is `None`.

    `prepare` makes what the model's step needs of a raw batch; `grouping` says how many batches one
    call takes; `epoch` is the number of the epoch that they are for, from 0 (of the first, where a
    round is granted several times).
    """

    count: int | None
    prepare: Prepare
    fresh: bool = False
    wrap: bool = False
    grouping: Grouping = field(default_factory=Grouping)
    epoch: int = 0


@dataclass(slots=True)
class Pull:
    """One pull: its place, the call that fetches the batch, and what prepares it."""

    ticket: Ticket
    fetch: Claim
    prepare: Prepare


class Claims:
    """Hands out pulls, one at a time and in order.

    Args:
        reader: Reads the source.
        slots: How many pulls there may be whose steps have not begun.
        rest: Called when nothing may be pulled for now.
    """

    def __init__(self, reader: Reader, slots: int, rest: Callable[[], None]) -> None:
        self.drawn = 0  # pulls begun
        self._reader = reader
        self._rest = rest
        self._claiming = threading.Lock()  # held while a round is waited for
        self._closed = False
        self._round: Round | None = None
        self._left: int | None = 0
        self._index = 0
        self._sequence = 0
        self._again = 0  # how often the round may be pulled again, for the epochs that follow
        self._epoch = 0
        self._rounds: queue.SimpleQueue[tuple[Round, int] | None] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
        self.free(slots)

    def grant(self, round_: Round, times: int) -> None:
        """Allow a round to be pulled so many times, for its epoch and those that follow."""
        if times > 0:
            self._rounds.put((round_, times))

    def free(self, slots: int = 1) -> None:
        """Give slots back."""
        for _ in range(slots):
            self._room.put(True)

    def close(self, readers: int = 1) -> None:
        """Let none of so many threads wait here any more."""
        self._closed = True
        for _ in range(readers):
            self._room.put(_CLOSE)
            self._rounds.put(_CLOSE)

    def stop(self) -> None:
        """Nothing more is to be pulled: a pull has failed."""
        self._closed = True

    # -- the feeders' side ----------------------------------------------------------------------

    def take_room(self, seconds: Callable[[], None] | None = None) -> bool:
        """Wait for a slot; False where the feed is closed. `seconds` is called before a wait."""
        try:
            return self._room.get_nowait() is not _CLOSE
        except queue.Empty:
            if seconds is not None:
                seconds()
            return self._room.get() is not _CLOSE

    def next(self) -> Pull | None:
        """The next pull, for a slot that was taken; `None` where there will be no more."""
        with self._claiming:
            return self._claim()

    def next_now(self, *, slot: bool = True) -> Pull | None:
        """The next pull, and its slot, where that needs no wait; for one thread."""
        if self._closed or (self._left == 0 == self._again and self._rounds.empty()):
            return None
        if slot:
            try:
                if self._room.get_nowait() is _CLOSE:
                    self._room.put(_CLOSE)
                    return None
            except queue.Empty:
                return None
        return self._claim()

    def _claim(self) -> Pull | None:
        try:
            if self._closed or not self._enter_round():
                return None
            fetch = self._reader.claim()
        except StopIteration:
            self.end_round()
            fetch, counts = (lambda: END), 0
        except BaseException as error:  # a source's own hook failed
            failure = Failure(error)
            fetch, counts = (lambda: failure), 0
        else:
            counts = 1
        return self._pull(fetch, counts)

    def _pull(self, fetch: Claim, counts: int) -> Pull:
        round_ = self._round
        assert round_ is not None
        grouping, index, position = round_.grouping, self._index, round_.grouping.claimed
        self.drawn += counts
        self._index += counts
        grouping.claimed += counts
        if self._left:
            self._left -= counts
        ticket = Ticket(self._sequence, self.drawn, grouping, position, index, self._left == 0)
        self._sequence += 1
        return Pull(ticket, fetch, round_.prepare)

    def _enter_round(self) -> bool:
        while self._left == 0:
            if self._again:
                self._again -= 1
                self._epoch += 1
            elif not self._receive_round():
                return False
            round_ = self._round
            assert round_ is not None
            self._left, self._index = round_.count, 0
            self._reader.begin(
                fresh=round_.fresh, wrap=round_.wrap, epoch=self._epoch, count=round_.count
            )
        return True

    def _receive_round(self) -> bool:
        """Wait for a round; False where the feed is closed."""
        if self._rounds.empty():
            self._rest()
        granted = self._rounds.get()
        if granted is _CLOSE:
            return False
        self._round, times = granted
        self._again, self._epoch = times - 1, self._round.epoch
        return True

    def end_round(self) -> None:
        """The source has ended: a counted round takes what was granted behind it along."""
        self._left = 0
        if self._round is None or self._round.count is None:
            return
        self._again = 0
        while not self._rounds.empty():
            if self._rounds.get() is _CLOSE:
                self._rounds.put(_CLOSE)
                return

    def give_back(self, pulls: list[Pull]) -> None:
        """Undo the newest claims, which will not be fetched."""
        for pull in pulls:
            self.drawn -= 1
            self._sequence -= 1
            pull.ticket.grouping.claimed -= 1
        self.free(len(pulls))
