"""Sources whose batches follow from the number of the pass and their place in it.

Such a source has no state that a training changes: it can be read by several readers, by several
threads, and from any epoch on, so that a training that is resumed gets the batches it would have.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..arguments import flag, whole
from ..batches.structure import RawBatch
from .keras_sequence import KerasSequence
from .readers import Fetches, called
from .source import Claim, Reader, Source

Rows = np.ndarray[Any, np.dtype[np.int64]]


class Passes(KerasSequence):
    """An indexed source, also for Keras's own `fit`: batch `index` of pass `epoch`, both from 0.

    Attributes:
        epoch: The pass that `source[index]` is of; `on_epoch_end` makes it the next.
        shuffle: Whether each pass has an order of its own.
        seed: What the orders follow from, with the number of the pass.
    """

    def __init__(self, shuffle: bool, seed: int | None) -> None:
        super().__init__()
        self.epoch = 0
        self.shuffle = flag(shuffle, "shuffle")
        if seed is None:  # from the numbers that keras.utils.set_random_seed() sets
            seed = np.random.randint(2**31) if self.shuffle else 0
        self.seed = whole(seed, "seed", 0)
        self._orders: tuple[tuple[int, Rows], ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    def __repr__(self) -> str:
        """Kind and length."""
        shuffled = ", shuffled" if self.shuffle else ""
        return f"<{type(self).__name__} of {len(self)} batches{shuffled}>"

    @abstractmethod
    def batch(self, epoch: int, index: int) -> RawBatch:
        """Batch `index` of pass `epoch`; any thread may call this."""

    def __getitem__(self, index: int) -> RawBatch:
        """Batch `index` of the pass `epoch`."""
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"Index {index} is out of range: there are {count} batches.")
        return self.batch(self.epoch, index % count)

    def on_epoch_end(self) -> None:
        """The next pass begins."""
        self.epoch += 1

    def as_source(self, argument: str) -> Source:
        """What the engine reads."""
        reader, length = partial(PassReader, self), len(self)
        return Source(reader, self, length, restarts=True, parallel=True, shuffled=self.shuffle)

    def random(self, *place: int) -> np.random.Generator:
        """Random numbers that follow from the seed and a place: a pass, or a batch in it."""
        return np.random.default_rng([self.seed, *place])

    def order(self, epoch: int) -> Rows:
        """What `make_order` makes, kept for the last passes that were asked for."""
        for known, order in self._orders:
            if known == epoch:
                return order
        order = self.make_order(epoch)
        self._orders = ((epoch, order), *self._orders[:2])
        return order

    def make_order(self, epoch: int) -> Rows:
        """The order of a pass: that of its batches, if a subclass says nothing else."""
        return self.permutation(epoch, len(self))

    def permutation(self, epoch: int, count: int) -> Rows:
        """The numbers below `count`, in the order of a pass."""
        return self.random(epoch).permutation(count) if self.shuffle else np.arange(count)


class PositionReader(Reader):
    """Keeps where in its passes a source is read, from any batch of any pass on."""

    def __init__(self, source: Passes) -> None:
        self._source = source
        self._length = len(source)
        self._next = 0  # batches of all passes before the next one
        self._end: int | None = None
        self._pass: int | None = None  # the one that is read

    def begin(self, *, fresh: bool, wrap: bool, epoch: int = 0, count: int | None = None) -> None:
        """Go to where a round begins, had all epochs before it been read."""
        per_epoch = self._length if fresh or count is None else count
        self._next = epoch * per_epoch
        self._end = None if wrap else self._next + self._length

    def _advance(self) -> tuple[int, int, int | None]:
        """Pass and index of the next batch, and the pass that ends before it, if one does.

        Raises:
            StopIteration: The round has no more.
        """
        if self._next == self._end:
            raise StopIteration
        epoch, index = divmod(self._next, self._length)
        ended = self._pass if self._pass != epoch else None
        self._next, self._pass = self._next + 1, epoch
        return epoch, index, ended


class PassReader(PositionReader):
    """Reads batches; `between` is called with a pass that was read, before the next one begins."""

    def __init__(self, source: Passes, between: Callable[[int], object] | None = None) -> None:
        super().__init__(source)
        self._between = between
        self._fetches = Fetches()

    def claim(self) -> Claim:
        epoch, index, ended = self._advance()
        if self._between is not None and ended is not None:
            self._fetches.wait()
            called(partial(self._between, ended), "on_epoch_end()")
        fetch = partial(self._source.batch, epoch, index)
        return self._fetches.claim(fetch, f"Batch {index} of pass {epoch}")
