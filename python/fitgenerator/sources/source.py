"""What the engine reads batches from, whatever was given as a generator.

A reader hands out *claims*, each on one batch. Claims are made one at a time and in order; the
batches of an indexed source may then be read on several threads.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import keras

from ..batches.row_batches import RowBatches
from ..batches.structure import RawBatch
from ..errors import ArgumentError, Warned
from ..host.interface import Place
from ..models.keras_versions import Adapter
from ..reporting.timeline import Span

# The place of a batch, as the reader of its source counts: a pass, and an index in that.
Spot = tuple[int, int]


class Indexed(Protocol):
    """An object that gives batches by their number, such as a `keras.utils.PyDataset`."""

    def __getitem__(self, index: int, /) -> RawBatch: ...
    def __len__(self) -> int: ...


class Claim(NamedTuple):
    """What a reader hands out for one batch, which is nobody else's from then on."""

    read: Callable[[], RawBatch]  # fetches the batch; at the end, it raises `StopIteration`
    # To be told, on the thread that has read it, when the batch has been handed on, or whether it
    # could not be read, which is `failed`; `None` where nobody has to know.
    settle: Callable[[bool], object] | None = None
    place: Place | None = None  # what the host's function is told, where the host makes the batch


# What the public functions take as a generator; the functions are those of R.
Generator = Iterable[RawBatch] | Indexed | Callable[..., RawBatch]


class Reader(ABC):
    """Reads one source from one feed."""

    # Who made the batch that this thread has just read, and when; `None`: this thread did.
    maker: Callable[[], Span | None] | None = None

    @abstractmethod
    def begin(self, *, fresh: bool, wrap: bool, epoch: int | None, count: int | None) -> int | None:
        """Start a round: from the first batch where `fresh`; starting over at the end if `wrap`.

        It is for the epoch of that number, from 0, and has `count` batches, or those of one pass.
        `None` for the epoch: the round goes on where the source was left.

        Returns:
            Batches of the pass that begins, where that is known now.
        """

    @abstractmethod
    def claim(self) -> Claim:
        """The claim on the next batch; at the end this, or its `read`, raises `StopIteration`."""

    def wait(self) -> None:  # noqa: B027
        """Wait until no claim runs."""

    def ended(self, seconds: float, used: int) -> bool:
        """Whether the source knows of the passes whose batches were all used; waits for so long.

        So many batches were `used`. Raises what the source has raised.
        """
        return True

    def close(self) -> None:  # noqa: B027
        """Let no claim wait for its batch any more: it raises `ClosedError`. Any thread, again."""

    def where(self) -> str | None:
        """Where the batch that is waited for stands, in lines; `None`: a thread shows that."""
        return None

    @property
    def redone(self) -> int:
        """Batches that were made again, because what made them has died."""
        return 0

    def spot(self, claims: int) -> Spot | None:
        """The place of the batch after so many claims; `None`: batches of the source have none."""
        return None

    def go_to(self, spot: Spot) -> None:  # noqa: B027
        """Go on with the batch at this place, in the round that has begun just now."""

    def share(self, index: int, count: int) -> None:
        """Read one batch in `count` of each pass, from that with this index on; before all else.

        Places and lengths count the batches that are read.
        """
        raise NotImplementedError

    def leave(self, used: int) -> None:  # noqa: B027
        """A training is over that has used so many batches: the next one goes on after them."""


@dataclass(frozen=True)
class Source:
    """A generator as the engine sees it."""

    open: Callable[[], Reader]  # makes a reader
    identity: Any  # what it reads
    length: int | None = None  # batches in one pass, where it is known
    restarts: bool = False  # it can be read again from its first batch
    # Makes the reader of a training, where the next training goes on after this one.
    train: Callable[[], Reader] | None = None
    by_place: bool = False  # its batches have places: it can be read from any of them on
    parallel: bool = False  # its batches may be read on several threads
    endless: bool = False  # one pass never ends
    shuffled: bool = False  # each pass has an order of its own
    made_elsewhere: bool = False  # its batches are made in other processes, one at a time in each
    asks: bool = False  # its batches need the calling thread while they are made: never there
    exclusive: bool = False  # it makes each batch's arrays anew, and only its reader has them
    shared: bool = False  # it is what one of several processes has of the source
    fixed: bool = False  # arrays, given as such: whoever evaluates them wants all of their rows
    leaves_out: bool = False  # its claims may raise `LeftOutError`
    workers: int = 1  # threads that read it, unless the call says
    max_queue_size: int = 10  # batches that may wait, unless the call says
    warns: tuple[Warned, ...] = ()  # what there is to warn of in each call
    given_by: Adapter | None = None  # where its batches come from, if it does not show
    function: Any = None  # what the host knows it by, where the calling thread makes its batches

    @property
    def hosted(self) -> bool:
        """The calling thread makes its batches, on request."""
        return self.function is not None

    @property
    def adapter(self) -> Adapter:
        """Where its batches come from, as far as Keras's `fit` makes a difference."""
        if self.given_by is not None:
            return self.given_by
        if isinstance(self.identity, RowBatches):
            return "arrays"
        if self.hosted:
            return "generator"
        if isinstance(self.identity, keras.utils.PyDataset):
            return "sequence"
        return "dataset" if is_dataset(self.identity) else "generator"

    @property
    def shared_seed(self) -> int | None:
        """What decides on the order of a source that processes share."""
        return getattr(self.identity, "seed", None) if self.shared and self.shuffled else None

    @property
    def remedy(self) -> str:
        """What of ours may make it faster, in words; empty: nothing."""
        if self.parallel:
            return "more `workers`"
        own = self.hosted or not self.restarts  # a data set, or a loader, has workers of its own
        return "a batch_sequence() with `workers`" if own else ""


def is_dataset(given: Any) -> bool:
    """Whether it is a `tf.data.Dataset`."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(given, tensorflow.data.Dataset)


def shared(source: Source, index: int, count: int) -> Source:
    """What process `index` of `count` reads of a source whose batches have places."""

    def opened(own: Callable[[], Reader]) -> Callable[[], Reader]:
        def open_() -> Reader:
            reader = own()
            reader.share(index, count)
            return reader

        return open_

    if count == 1:
        return source
    length = None if source.length is None else source.length // count
    train = None if source.train is None else opened(source.train)
    first = opened(source.open)
    return replace(source, open=first, train=train, length=length, shared=True)


def check_spot(spot: Spot, length: int) -> None:
    """An `ArgumentError` for a place that is not in a pass of so many batches."""
    if spot[1] >= length:
        text = f"`path`: the file is of a pass of more than {spot[1]} batches, where the generator "
        text += f"has {length}. Give the source that it was written with, or remove the file."
        raise ArgumentError(text, argument="path")


class Readable(ABC):
    """An object that knows what the engine reads of it."""

    @abstractmethod
    def as_source(self, argument: str) -> Source:
        """The `Source` that it stands for, given as `argument`."""
