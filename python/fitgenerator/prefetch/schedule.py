"""Which batch of a source may be fetched next, and how far fetches may be ahead of the model.

Thread rule 5: exact fetches. A batch that is fetched and not used is lost to the next call on the
same generator. So nothing is handed out beyond the rounds that were granted.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..errors import ClosedError
from ..host.signal_safe_queue import ClosableQueue
from ..sources.source import Claim, Reader
from .fetch import Fetch, Outcome, Round


class Schedule:
    """Hands out fetches, one at a time and in order; `rest` is called before a wait for a round."""

    def __init__(
        self, reader: Reader, rest: Callable[[], None], *, leaves_out: bool = False
    ) -> None:
        self.begun = 0  # batches that were handed out
        self.reader = reader
        self._rest = rest
        # Thread rule 12: one reader per object. Threads claim one by one, so that an epoch's
        # batches are claimed before those of its validation; a wait for a round is within.
        self._claiming = threading.Lock()
        self._granted: ClosableQueue[tuple[Round, range]] = ClosableQueue()
        self._round = Round(0, lambda raw: raw)  # that is being fetched; none yet
        self._epochs = range(0)  # that it will be fetched for again
        self._over = True  # nothing is left of it
        self._turn = 0  # its number
        self._ended = True  # the source has ended in it
        self._leaves_out = leaves_out
        self._empty: list[int] = []  # batches of it that were left out, not counted yet
        self.left_out = 0  # batches, of all rounds
        self._count: int | None = None  # its batches, where that is known
        self._index = 0  # batches of it that were handed out
        self._sequence = 0

    def grant(self, round_: Round, times: int = 1) -> None:
        """Allow a round to be fetched so many times, for its epoch and those that follow."""
        if times > 0:
            self._granted.put((round_, range(round_.epoch, round_.epoch + times)))

    def reopen(self, reader: Reader) -> None:
        """Go on with another reader, as if nothing had been handed out; no thread has a permit."""
        self.reader, self._over, self._ended, self._epochs = reader, True, True, range(0)
        self.begun = self._round.call_size.begun = 0

    def close(self) -> None:
        """Hand out nothing any more."""
        self._granted.close()

    @property
    def closed(self) -> bool:
        """Whether nothing is handed out any more."""
        return self._granted.closed

    @property
    def is_ready(self) -> bool:
        """Whether `next` does not wait, where only one thread calls it."""
        return not self._over or bool(self._epochs) or not self._granted.empty()

    def next(self) -> Fetch:
        """The next fetch, for a permit that was taken; waits for a round. `ClosedError` at last."""
        with self._claiming:
            read: Claim | None = None
            outcome: Outcome = None
            if self._granted.closed:
                raise ClosedError
            try:
                if self._over and self._leaves_out and not self._ended:
                    self._count_left_out()
                if self._over:
                    self._enter_round()
                read = self.reader.claim()
            except ClosedError:
                raise
            except StopIteration:
                self.end_round()
            except BaseException as error:  # a hook of the source's failed
                self.close()
                outcome = error
            return self._record(read, outcome)

    def _enter_round(self) -> None:
        if not self._epochs:
            if self._granted.empty():
                self._rest()
            self._round, self._epochs = self._granted.get(None)
        round_ = self._round
        epoch, self._epochs = self._epochs[0], self._epochs[1:]
        self._over, self._ended, self._index = False, False, 0
        self._turn += 1
        told = None if round_.goes_on else epoch
        length = self.reader.begin(
            fresh=round_.restart, wrap=round_.wrap, epoch=told, count=round_.count
        )
        self._count = round_.count if length is None or not round_.whole else length

    def _record(self, read: Claim | None, outcome: Outcome) -> Fetch:
        round_, counts = self._round, read is not None
        size = round_.call_size
        self.begun += counts
        fetch = Fetch(
            round_,
            self._sequence,
            self.begun,
            size.begun,
            self._count,
            self._turn,
            read,
            outcome,
        )
        self._sequence += 1
        self._index += counts
        size.begun += counts
        if self._index == self._count:
            self._over = True
        return fetch

    def leave_out(self) -> None:
        """A batch of the round is left out; any thread may call this, before its claim is over."""
        self._empty.append(self._turn)

    def _count_left_out(self) -> None:
        """Before the round is over, hand out as many batches more as were left out."""
        self.reader.wait()
        missing = len(self._empty)
        self._empty.clear()
        self.left_out += missing
        self.begun -= missing
        self._index -= missing
        self._over = self._index == self._count

    def end_round(self, fetch: Fetch | None = None) -> None:
        """The source has ended, in the place of a fetch; a counted round takes all others along."""
        self._over = self._ended = True
        if fetch is not None:
            self.withdraw([fetch])  # which gave no batch,
            self._sequence += 1  # but has its place
        if self._round.count is not None:
            self._epochs = range(0)
            self._granted.clear()

    def withdraw(self, fetches: Sequence[Fetch]) -> None:
        """Undo the newest fetches, which will not be made."""
        self._sequence -= len(fetches)
        for fetch in fetches:
            self.begun -= fetch.read is not None
            fetch.round.call_size.begun -= fetch.read is not None


class Permits(ClosableQueue[int]):
    """One is taken before each fetch, and given back when the step that uses the batch begins."""

    def give(self, count: int = 1) -> None:
        """Allow so many fetches more."""
        if count:
            self.put(count)

    def take(self, *, wait: bool) -> bool:
        """Take one; False where there is none and nobody waits. `ClosedError` after `close`."""
        with suppress(queue.Empty):
            self.give(self.get(None if wait else 0.0) - 1)
            return True
        return False
