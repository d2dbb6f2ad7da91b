"""The record of one fetch, which carries a batch from the schedule to the queue.

The way of a batch goes forwards only: `schedule` makes the record, with the claim on the batch;
`by_threads` or `by_request` has the raw batch read, and `prefetcher` prepares it; `reordering` puts
batches in order, several into one call of the model, and the call into the training loop's queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..batches.call_size import CallSize
from ..batches.prepared import Batch
from ..host.interface import Place, RawBatch
from ..reporting.timeline import Span
from ..sources.source import Claim, Spot

# The batch, or what was raised in its place, or `None` where the source has ended.
Outcome = Batch | BaseException | None


@dataclass(frozen=True)
class Round:
    """Batches that may be fetched: those of an epoch, or of an evaluation."""

    count: int | None  # `None`: all of one pass
    prepare: Callable[[RawBatch], Batch]
    whole: bool = False  # of the pass that begins, however many that has: `count` is expected
    restart: bool = False  # with the source's first batch
    wrap: bool = False  # begin again where the source ends
    call_size: CallSize = field(default_factory=CallSize)
    epoch: int = 0  # that it is for, from 0; the first one, where it is granted several times
    done: int = 0  # batches of it that a call before this one has used
    spot: Spot | None = None  # where the source goes on
    goes_on: bool = False  # the source goes on where it was left, whatever the epoch


@dataclass(slots=True, eq=False)
class Turn:
    """A round as it is fetched once, for one epoch."""

    round: Round
    count: int | None  # its batches, where that is known
    index: int = 0  # batches of it that were handed out, or that a call before this one has used
    following: range = range(0)  # the epochs that the round will be fetched for after this one
    ended: bool = False  # the source has ended in it

    @property
    def over(self) -> bool:
        """Whether nothing is left of it."""
        return self.ended or self.index == self.count


@dataclass(slots=True)
class Fetch:
    """One fetch: which it is, the claim on its batch, and what came of it."""

    turn: Turn
    sequence: int  # among all fetches of its source, ends included, from 0
    number: int  # of its batch, from 1
    position: int  # of its batch among those of the same `CallSize`, from 0
    claim: Claim | None  # `None`: the outcome was known before
    waited: float  # for a permit, in seconds
    outcome: Outcome = None
    raw: RawBatch = None  # what was read, until the batch is prepared
    span: Span = (0.0, 0.0, 0)  # of the reading
    left_out: bool = False  # there is no such batch: the next one takes its place

    @property
    def place(self) -> Place | None:
        """What the host's function is told of the batch, where the host makes it."""
        return None if self.claim is None else self.claim.place
