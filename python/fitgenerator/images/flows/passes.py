"""Passes over the images of a flow, read by index or one batch after the other without end.

A batch is a function of the seed and its number alone (`batch_order`), so several threads may make
batches at once. The pass under way changes only between passes.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...arguments import Unchecked, flag, whole
from ...errors import ArgumentError, ImageError, LeftOutError, OwnError
from ...models.protocol import Array
from ...sources.fixed import Fixed
from ...sources.keras_sequence import KerasSequence
from .. import arguments
from .batch_order import Pass, PassSettings


class PassIterator(Fixed, KerasSequence):
    """An indexed source of batches, and an endless iterator over them; see `Iterator`."""

    # How users of another language, who call `next` through a bridge, are told of our errors.
    said_by_bridge: Callable[[OwnError], str] | None = None

    def __init__(
        self, n: int, batch_size: int, shuffle: bool, seed: int | None, **options: Any
    ) -> None:
        super().__init__(**options)
        images, size = whole(n, "n", 1), whole(batch_size, "batch_size", 1)
        self._seed = arguments.seed(seed)
        drawn = _drawn(self._seed)
        self._settings = PassSettings(images, size, flag(shuffle, "shuffle"), drawn)
        self._lock = threading.Lock()
        self._cursor = 0  # batches of this pass that `next`, or a training, has taken
        self._begun = False  # whether a batch of this pass has been given
        self._asides = 0  # passes that evaluations and predictions have read
        self._pass = self._settings.begin(0)

    # -- settings: obeyed from the next pass on -------------------------------------------------

    @property
    def n(self) -> int:
        """Images of a pass."""
        return self._settings.samples

    @property
    def batch_size(self) -> int:
        """Images of a batch."""
        return self._settings.batch_size

    @batch_size.setter
    def batch_size(self, value: Unchecked) -> None:
        self._obey(replace(self._settings, batch_size=whole(value, "batch_size", 1)))

    @property
    def shuffle(self) -> bool:
        """Whether each pass has an order of its own."""
        return self._settings.shuffle

    @shuffle.setter
    def shuffle(self, value: Unchecked) -> None:
        self._obey(replace(self._settings, shuffle=flag(value, "shuffle")))

    @property
    def seed(self) -> int | None:
        """The seed that was given."""
        return self._seed

    @seed.setter
    def seed(self, value: Unchecked) -> None:
        self._seed = arguments.seed(value)
        self._obey(replace(self._settings, seed=_drawn(self._seed)))

    def _obey(self, settings: PassSettings) -> None:
        with self._lock:
            self._settings = settings
            if not self._begun:
                self._pass = self._settings.begin(self._pass.first)

    # -- by the engine --------------------------------------------------------------------------

    def first_pass(self) -> Pass:
        """The pass that begins with batch 0."""
        return self._settings.begin(0)

    def next_pass(self) -> Pass:
        """The pass that a training reads: a new one, unless none of this one has been given."""
        given = (self._cursor or len(self._pass)) if self._begun else 0
        return self._settings.begin(self._pass.first + given)

    def place(self) -> tuple[Pass, int]:
        """The pass and the index of the batch with which a training goes on."""
        following = self.next_pass()
        same = following.settings == self._pass.settings
        return (self._pass, self._cursor) if same and self._cursor else (following, 0)

    def go_to(self, under_way: Pass, index: int) -> None:
        """Go on with batch `index` of a pass."""
        with self._lock:
            self._pass, self._cursor, self._begun = under_way, index, index > 0
            if not self._begun:
                self._pass = self._settings.begin(under_way.first)

    def read_aside(self) -> int:
        """The number of the pass that an evaluation reads, which trainings do not count."""
        with self._lock:
            self._asides += 1
            return self._asides - 1

    # -- by index -------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Batches of a pass."""
        return len(self._pass)

    def __getitem__(self, index: int) -> Any:
        """Batch `index` of the pass under way; any thread may call this.

        Raises:
            ArgumentError: There is no such batch.
        """
        if not 0 <= index < len(self):
            text = f"The flow has batches 0 to {len(self) - 1} in a pass, none with number {index}."
            raise ArgumentError(text)
        self._begun = True
        return self._batch(self._pass, index)

    def on_epoch_begin(self) -> None:
        """Begin a new pass, unless the last one has already been ended."""
        with self._lock:
            if self._begun:
                self._turn(len(self))

    def on_epoch_end(self) -> None:
        """End the pass: the next has another order and other transformations."""
        with self._lock:
            self._turn(len(self))

    # -- one after the other --------------------------------------------------------------------

    def __iter__(self) -> PassIterator:
        return self

    def __next__(self) -> Any:
        """The next batch that has images; any thread may call this."""
        try:
            return self._next_with_images()
        except OwnError as error:
            if self.said_by_bridge is not None:
                error.args = (self.said_by_bridge(error),)
            raise

    def _next_with_images(self) -> Any:
        for left in range(len(self) - 1, -1, -1):
            with self._lock:
                under_way, index = self._pass, self._cursor
                self._cursor += 1
                self._begun = True
                if self._cursor == len(self):
                    self._turn(self._cursor)
            try:
                return self._batch(under_way, index)
            except LeftOutError as error:
                if not left:
                    raise ImageError(error.of_pass) from None
                self.leave_out_batch()
        raise AssertionError("a pass has batches")

    def leave_out_batch(self) -> None:
        """Note a batch in whose place the next one comes."""

    def next(self) -> Any:
        """The next batch."""
        return self.__next__()

    def reset(self) -> None:
        """Begin a new pass with the next batch, if one is under way."""
        with self._lock:
            if self._begun:
                self._turn(self._cursor or len(self))

    def _turn(self, given: int) -> None:
        self._pass = self._settings.begin(self._pass.first + given)
        self._cursor = 0
        self._begun = False

    @property
    def batch_index(self) -> int:
        """Batches of this pass that `next` has given."""
        return self._cursor

    @property
    def total_batches_seen(self) -> int:
        """Number of the next batch, counted through all passes."""
        return self._pass.first + self._cursor

    @property
    def index_array(self) -> Array:
        """The images' indices in the order of this pass."""
        return self._pass.order

    @abstractmethod
    def _batch(self, under_way: Pass, index: int) -> Any:
        """Batch `index` of a pass."""


def _drawn(seed: int | None) -> int:
    """`seed`, or else one that is drawn from NumPy's global random numbers."""
    return int(np.random.randint(2**31)) if seed is None else seed
