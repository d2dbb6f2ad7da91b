"""Which batch of a source may be fetched next, and how far fetches may be ahead of the model.

Thread rule 5: exact fetches. A batch that is fetched and not used is lost to the next call on the
same generator. So nothing is handed out beyond the rounds that were granted.

Thread rule 6: bounded lead. Each fetch takes a permit before it begins, and the permit is given
back when the step that uses the batch begins. So there are never more fetches than permits.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

from ..errors import ClosedError
from ..host.signal_safe_queue import ClosableQueue
from ..sources.source import Claim, Reader
from .fetch import Fetch, Outcome, Round, Turn


class Schedule:
    """Hands out fetches, one at a time and in order; `rest` is called before a wait."""

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
        self._permits: ClosableQueue[int] = ClosableQueue()  # in portions
        self._turn = Turn(Round(0, lambda raw: raw), 0, ended=True)
        # One for each batch of the turn that was left out and is not counted yet.
        self.empty: list[Turn] | None = [] if leaves_out else None
        self._sequence = 0

    def grant(self, round_: Round, times: int = 1) -> None:
        """Allow a round to be fetched so many times, for its epoch and those that follow."""
        if times > 0:
            self._granted.put((round_, range(round_.epoch, round_.epoch + times)))

    def permit(self, count: int = 1) -> None:
        """Allow so many fetches more."""
        if count:
            self._permits.put(count)

    def reopen(self, reader: Reader) -> None:
        """Go on with another reader, as if nothing had been handed out; no thread has a permit."""
        self.reader = reader
        self._turn.ended, self._turn.following = True, range(0)
        self.begun = self._turn.round.call_size.begun = 0

    def close(self) -> None:
        """Hand out nothing any more."""
        self._granted.close()
        self._permits.close()

    def next(self, *, wait: bool = True) -> Fetch | None:
        """The next fetch, which has taken a permit; `ClosedError` after `close`.

        Waits for a permit and a round, or is `None` where one of them is lacking; the latter only
        where nobody else takes them.
        """
        if not wait and self._turn.over and not self._turn.following and self._granted.empty():
            return None
        asked = time.perf_counter()
        if not self._take_permit(wait):
            return None
        waited = time.perf_counter() - asked
        with self._claiming:
            claim: Claim | None = None
            outcome: Outcome = None
            try:
                if self._granted.closed:
                    raise ClosedError
                if self._turn.over:
                    self._count_left_out()
                if self._turn.over:
                    self._enter_round()
                claim = self.reader.claim()
            except ClosedError:
                raise
            except StopIteration:
                self.end_round()
            except BaseException as error:  # a hook of the source's failed
                self.close()
                outcome = error
            return self._record(claim, outcome, waited)

    def _take_permit(self, wait: bool) -> bool:
        try:
            portion = self._permits.get()
        except queue.Empty:
            if not wait:
                return False
            self._rest()
            portion = self._permits.get(None)
        self.permit(portion - 1)
        return True

    def _enter_round(self) -> None:
        round_, epochs = self._turn.round, self._turn.following
        if not epochs:
            if self._granted.empty():
                self._rest()
            round_, epochs = self._granted.get(None)
        turn = self._turn = Turn(round_, None, round_.done, epochs[1:])
        told = None if round_.goes_on else epochs[0]
        length = self.reader.begin(
            fresh=round_.restart, wrap=round_.wrap, epoch=told, count=round_.count
        )
        if round_.spot is not None:
            self.reader.go_to(round_.spot)
        turn.count = round_.count if length is None or not round_.whole else length

    def _record(self, claim: Claim | None, outcome: Outcome, waited: float) -> Fetch:
        turn, size, counts = self._turn, self._turn.round.call_size, claim is not None
        self.begun += counts
        fetch = Fetch(turn, self._sequence, self.begun, size.begun, claim, waited, outcome)
        self._sequence += 1
        turn.index += counts
        size.begun += counts
        return fetch

    def leave_out(self, fetch: Fetch) -> None:
        """There is no such batch; any thread may say so, before the fetch's claim is settled."""
        fetch.left_out = True
        if self.empty is not None:
            self.empty.append(self._turn)  # in one step, unlike an addition
        self.permit()

    def _count_left_out(self) -> None:
        """All of the turn is handed out: hand out as many batches more as were left out."""
        if self.empty is None or self._turn.ended:
            return
        self.reader.wait()
        missing = len(self.empty)
        self.empty.clear()
        self.left_out += missing
        self.begun -= missing
        self._turn.index -= missing

    def end_round(self, fetch: Fetch | None = None) -> None:
        """The source has ended, in the place of a fetch; a counted round takes all others along."""
        self._turn.ended = True
        if fetch is not None:  # which gave no batch, but has its place
            self._uncount(fetch)
            fetch.claim = None
        if self._turn.round.count is not None:
            self._turn.following = range(0)
            self._granted.clear()

    def withdraw(self, fetches: Sequence[Fetch]) -> None:
        """Undo the newest fetches, which will not be made."""
        self._sequence -= len(fetches)
        for fetch in fetches:
            self._uncount(fetch)
        self.permit(len(fetches))

    def _uncount(self, fetch: Fetch) -> None:
        self.begun -= fetch.claim is not None
        fetch.turn.round.call_size.begun -= fetch.claim is not None
