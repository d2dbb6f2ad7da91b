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
from .fetch import Fetch, Outcome, Round, Ticket


class Turn:
    """A round as it is fetched once, for one epoch."""

    def __init__(self, round_: Round, number: int = 0) -> None:
        self.round = round_
        self.number = number  # among all turns of all rounds; 0 is before the first one
        self.count: int | None = None  # its batches, where that is known
        self.index = round_.done  # batches of it that were handed out
        self.over = self.ended = number == 0  # nothing is left of it; the source has ended in it


class Schedule:
    """Hands out fetches, one at a time and in order; `rest` is called before a wait for a round."""

    def __init__(
        self, reader: Reader, rest: Callable[[], None], *, leaves_out: bool = False
    ) -> None:
        self.begun = 0  # batches that were handed out
        self.left_out = 0  # batches that had nothing in them
        self.reader = reader
        self._rest = rest
        # Thread rule 12: one reader per object. Threads claim one by one, so that an epoch's
        # batches are claimed before those of its validation; a wait for a round is within.
        self._claiming = threading.Lock()
        self._granted: ClosableQueue[tuple[Round, range]] = ClosableQueue()
        self._turn = Turn(Round(0, lambda raw: raw))
        self._epochs = range(0)  # that its round will be fetched for again
        # One for each batch of the turn that was left out and is not counted yet.
        self.empty: list[Turn] | None = [] if leaves_out else None
        self._sequence = 0

    def grant(self, round_: Round, times: int = 1) -> None:
        """Allow a round to be fetched so many times, for its epoch and those that follow."""
        if times > 0:
            self._granted.put((round_, range(round_.epoch, round_.epoch + times)))

    def reopen(self, reader: Reader) -> None:
        """Go on with another reader, as if nothing had been handed out; no thread has a permit."""
        self.reader, self._epochs = reader, range(0)
        self._turn.over = self._turn.ended = True
        self.begun = self._turn.round.call_size.begun = 0

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
        return not self._turn.over or bool(self._epochs) or not self._granted.empty()

    def next(self) -> Fetch:
        """The next fetch, for a permit that was taken; waits for a round. `ClosedError` at last."""
        with self._claiming:
            read: Claim | None = None
            outcome: Outcome = None
            if self._granted.closed:
                raise ClosedError
            try:
                if self._turn.over and not self._turn.ended and self.empty is not None:
                    self._count_left_out(self._turn, self.empty)
                if self._turn.over:
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
        round_ = self._turn.round
        if not self._epochs:
            if self._granted.empty():
                self._rest()
            round_, self._epochs = self._granted.get(None)
        epoch, self._epochs = self._epochs[0], self._epochs[1:]
        turn = self._turn = Turn(round_, self._turn.number + 1)
        told = None if round_.goes_on else epoch
        length = self.reader.begin(
            fresh=round_.restart, wrap=round_.wrap, epoch=told, count=round_.count
        )
        if round_.spot is not None:
            self.reader.go_to(round_.spot)
        turn.count = round_.count if length is None or not round_.whole else length

    def _record(self, read: Claim | None, outcome: Outcome) -> Fetch:
        turn, counts = self._turn, read is not None
        size = turn.round.call_size
        self.begun += counts
        ticket = Ticket(self._sequence, self.begun, size.begun, turn.count, turn.number)
        self._sequence += 1
        turn.index += counts
        size.begun += counts
        if turn.index == turn.count:
            turn.over = True
        return Fetch(turn.round, ticket, read, outcome)

    def leave_out(self) -> None:
        """A batch of the round is left out; any thread may call this, before its claim is over."""
        if self.empty is not None:
            self.empty.append(self._turn)  # in one step, unlike an addition

    def _count_left_out(self, turn: Turn, empty: list[Turn]) -> None:
        """Before the round is over, hand out as many batches more as were left out."""
        self.reader.wait()
        missing = len(empty)
        empty.clear()
        self.left_out += missing
        self.begun -= missing
        turn.index -= missing
        turn.over = turn.index == turn.count

    def end_round(self, fetch: Fetch | None = None) -> None:
        """The source has ended, in the place of a fetch; a counted round takes all others along."""
        self._turn.over = self._turn.ended = True
        if fetch is not None:
            self.withdraw([fetch])  # which gave no batch,
            self._sequence += 1  # but has its place
        if self._turn.round.count is not None:
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
