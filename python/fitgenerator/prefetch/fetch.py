"""The record of one fetch, which carries a batch from the schedule to the queue.

The way of a batch goes forwards only: `schedule` makes the record, with the call that reads the raw
batch; `by_threads` or `by_request` has it read, and `prefetcher` prepares it; `reordering` puts
batches in order, several into one call of the model, and the call into the training loop's queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..batches.prepared import Batch
from ..host.interface import RawBatch
from ..reporting.timeline import Span
from ..sources.source import Claim, Spot
from .call_size import CallSize

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


class Ticket(NamedTuple):
    """Which fetch one is."""

    sequence: int  # among all fetches of its source, ends included, from 0
    number: int  # of its batch, from 1
    position: int  # of its batch among those of the same `CallSize`, from 0
    batches: int | None  # of the round, as far as is known
    turn: int  # of its round, among all rounds


@dataclass(slots=True)
class Fetch:
    """One fetch: its ticket, the call that reads the batch, and what came of it."""

    round: Round
    ticket: Ticket
    read: Claim | None  # `None`: the outcome was known before
    outcome: Outcome = None
    raw: RawBatch = None  # what `read` gave, until the batch is prepared
    span: Span = (0.0, 0.0, 0)  # of the call of `read`
    left_out: bool = False  # there is no such batch: the next one takes its place
    ready: bool = False  # the batch is a call of its own, and has its tensors
