"""Sources whose batches follow from the number of the pass and their place in it.

Such a source can be read by several readers, by several threads, and from any epoch on, so that a
training that is resumed gets the batches it would have. All that a training changes is where the
next one begins, if that one is not told an epoch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..arguments import flag, whole
from ..batches.structure import RawBatch
from .data_set_settings import settings_of
from .fetches import Fetches
from .fixed import Fixed
from .keras_sequence import KerasSequence
from .replaced import replaced
from .source import Claim, Reader, Source, Spot, check_spot, shared

Rows = np.ndarray[Any, np.dtype[np.int64]]


class Passes(Fixed, KerasSequence):
    """An indexed source, also for Keras's own `fit`: batch `index` of pass `epoch`, both from 0.

    Attributes:
        epoch: The pass that `source[index]` is of; `on_epoch_end` makes it the next.
        shuffle: Whether each pass has an order of its own.
        seed: What the orders follow from, with the number of the pass.
    """

    # A training reads the flow on other threads, and batches follow from these.
    fixed = frozenset({"n", "batch_size", "shuffle", "seed"})

    def __init__(
        self, shuffle: bool, seed: int | None, hook: Callable[[int], object] | None = None
    ) -> None:
        super().__init__()
        self.epoch = 0
        self._hook = hook  # called with the number of a pass that has ended
        self.shuffle = flag(shuffle, "shuffle")
        if seed is None:  # from the numbers that keras.utils.set_random_seed() sets
            seed = np.random.randint(2**31) if self.shuffle else 0
        self.seed = whole(seed, "seed", 0)
        self._orders: tuple[tuple[int, Rows], ...] = ()
        self.share = (0, 1)  # of R's sequences: which process reads it, of how many
        self._read = (0, 0)  # as training data: whole passes, and batches of the next one

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    def pass_length(self) -> int | None:
        """Batches of one pass; `None` where a pass has as many as a round asks for."""
        return len(self)

    def __repr__(self) -> str:
        """Kind and length."""
        shuffled = ", shuffled" if self.shuffle else ""
        count = "endless" if self.pass_length is None else self.pass_length
        return f"<{type(self).__name__} of {count} batches{shuffled}>"

    @abstractmethod
    def batch(self, epoch: int, index: int) -> RawBatch:
        """Batch `index` of pass `epoch`; any thread may call this."""

    def __getitem__(self, index: int) -> RawBatch:
        """Batch `index` of the pass `epoch`."""
        count = self.pass_length
        if count is None:
            return self.batch(self.epoch, index)
        if not -count <= index < count:
            raise IndexError(f"Index {index} is out of range: there are {count} batches.")
        return self.batch(self.epoch, index % count)

    def on_epoch_end(self) -> None:
        """The next pass begins."""
        if self._hook is not None:
            self._hook(self.epoch)
        self.epoch += 1

    @property
    def hook(self) -> Callable[[int], object] | None:
        """What is called with the number of a pass that has been read, if anything is."""
        if replaced(self, Passes, "on_epoch_end"):  # the user's own, as Keras calls it
            return lambda epoch: self.on_epoch_end()
        return self._hook

    def as_source(self, argument: str) -> Source:
        """What the engine reads."""
        return self.source_of(partial(PassReader, self.batch, self.hook))

    def source_of(self, reader: Callable[..., Reader], **fields: Any) -> Source:
        """The source that `reader` reads, called with a position; `fields` of it are given.

        The second position is that of a training: it goes on where the last one ended.
        """
        length = self.pass_length
        settings = {
            "identity": self,
            "by_place": True,
            "parallel": True,
            **settings_of(self),
            **fields,
        }
        source = Source(
            partial(reader, length),
            length=length,
            restarts=True,
            train=partial(reader, length, self._start, self._leave),
            endless=length is None,
            shuffled=self.shuffle,
            **settings,
        )
        return shared(source, *self.share)

    def _start(self, fresh: bool) -> tuple[int, int]:
        passes, batches = self._read
        return passes, 0 if fresh else batches

    def _leave(self, passes: int, batches: int) -> None:
        self._read = passes, batches

    def random(self, *place: int) -> np.random.Generator:
        """Random numbers that follow from the seed and a place: a pass, or a batch in it."""
        return np.random.default_rng([self.seed, *place])

    def place(self, epoch: int, index: int, seed: int | None = None) -> tuple[int, int]:
        """What a function is called with for batch `index` of a pass, and its random numbers' seed.

        Rule 8: these follow from `seed`, else that of the passes, from pass and place, whoever
        makes the batch, and when.
        """
        number = index if self.pass_length is None else int(self.order(epoch)[index])
        random = np.random.default_rng([self.seed if seed is None else seed, epoch, number + 1])
        return number, int(random.integers(1, 2**31))

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
    """Keeps where in its passes a source is read; batches count through all passes.

    Args:
        length: Batches of a pass; `None`: each pass has those of one round.
        start: Where a training goes on that is not told an epoch: how many passes, and how many
            batches of the next one, were read before; none, if its argument is true.
        leave: Is told that of the next training.
    """

    def __init__(
        self,
        length: int | None,
        start: Callable[[bool], tuple[int, int]] = lambda fresh: (0, 0),
        leave: Callable[[int, int], None] = lambda passes, batches: None,
    ) -> None:
        self._endless = length is None
        self._length = length or 1
        self._start = start
        self._leave = leave
        self._first: int | None = None  # of the first round
        self._rounds = 0  # that were not told an epoch
        self._next = 0
        self._begun = [(0, 0)]  # claims before each round, and where it began
        self._end: int | None = None
        self._share = (0, 1)  # which batches of a pass are read: one in so many, from that one on

    def share(self, index: int, count: int) -> None:
        self._share = index, count
        self._length = max(1, self._length // count)

    def placed(self, index: int) -> int:
        """The index of a batch in the whole pass."""
        first, count = self._share
        return index * count + first

    def begin(self, *, fresh: bool, wrap: bool, epoch: int | None, count: int | None) -> None:
        """Go to where a round begins, had all epochs before it been read."""
        if self._endless:
            self._length, fresh = count or 1, True
        claims = self._claims
        per_epoch = self._length if fresh or count is None else count
        if epoch is not None:
            self._next = epoch * per_epoch
        else:
            first = self._goes_on(fresh) if self._first is None else self._first
            self._next = first + self._rounds * per_epoch
            self._rounds += 1
        if self._first is None:
            self._first = self._next
        self._begun.append((claims, self._next))
        self._end = None if wrap else self._next + self._length

    @property
    def _claims(self) -> int:
        before, first = self._begun[-1]
        return before + self._next - first

    def spot(self, claims: int) -> Spot:
        """A pass and an index, had all epochs before it been read."""
        before, first = next(round_ for round_ in reversed(self._begun) if round_[0] <= claims)
        return divmod(first + claims - before, self._length)

    def go_to(self, spot: Spot) -> None:
        check_spot(spot, self._length)
        claims, begun = self._claims, self._next
        self._next = spot[0] * self._length + spot[1]
        self._begun[-1] = (claims, self._next)
        if self._first == begun:
            self._first = self._next

    def _advance(self) -> tuple[int, int, bool]:
        """Pass and index of the next batch, and whether it is the pass's last.

        Raises:
            StopIteration: The round has no more.
        """
        if self._next == self._end:
            raise StopIteration
        epoch, index = divmod(self._next, self._length)
        self._next += 1
        return epoch, index, index + 1 == self._length

    def leave(self, used: int) -> None:
        if self._first is not None:
            self._leave(*divmod(self._first + used, self._length))

    def _goes_on(self, fresh: bool) -> int:
        """The batch with which a training goes on; the first one of a pass if it is `fresh`."""
        passes, batches = self._start(fresh)
        return passes * self._length + min(batches, self._length)


class PassReader(PositionReader):
    """Reads batches; `hook` is called with each pass that was read, before the next one begins."""

    def __init__(
        self,
        batch: Callable[[int, int], RawBatch],  # by pass and index
        hook: Callable[[int], object] | None,
        *position: Any,
    ) -> None:
        super().__init__(*position)
        self._batch = batch
        self._hook = hook
        self._fetches = Fetches()

    def claim(self) -> Claim:
        epoch, index, last = self._advance()
        if index == 0 and self._hook is not None:
            self._fetches.wait()
        fetch = self.call_for(epoch, self.placed(index))
        claim = self._fetches.claim(fetch, f"Batch {index} of pass {epoch}")
        if last and self._hook is not None:
            self._fetches.end_pass(partial(self._hook, epoch), "on_epoch_end()")
        return claim

    def call_for(self, epoch: int, index: int) -> Callable[[], RawBatch]:
        """The call that fetches one batch."""
        return partial(self._batch, epoch, index)

    def wait(self) -> None:
        self._fetches.wait()

    def ended(self, seconds: float, used: int) -> bool:
        return self._fetches.ended(seconds, used)
