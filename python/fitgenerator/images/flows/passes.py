"""Passes over the images of a flow, read by index or one batch after the other without end.

A batch is a function of the seed and its number alone (`batch_order`), so several threads may make
batches at once. The pass under way changes only between passes.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ...arguments import whole
from ...errors import ArgumentError, OwnError
from ...models.protocol import Array
from ...sources.keras_sequence import KerasSequence
from .. import arguments
from .batch_order import Pass


class PassIterator(KerasSequence):
    """An indexed source of batches, and an endless iterator over them; see `Iterator`."""

    # How users of another language, who call `next` through a bridge, are told of our errors.
    said_by_bridge: Callable[[OwnError], str] | None = None

    def __init__(
        self, n: int, batch_size: int, shuffle: bool, seed: int | None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.n = n
        self.batch_size = whole(batch_size, "batch_size", 1)
        self.shuffle = bool(shuffle)
        self.seed = arguments.seed(seed)
        self._lock = threading.Lock()
        self._cursor = 0  # batches of this pass that `next` has given
        self._begun = False  # whether a batch of this pass has been given
        drawn = int(np.random.randint(2**31)) if self.seed is None else self.seed
        self._pass = Pass(n, self.batch_size, self.shuffle, drawn, 0, np.arange(n)).after(0)

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
        if self._begun:
            self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """End the pass: the next has another order and other transformations."""
        with self._lock:
            self._turn(len(self))

    # -- one after the other --------------------------------------------------------------------

    def __iter__(self) -> PassIterator:
        return self

    def __next__(self) -> Any:
        """The next batch; any thread may call this."""
        with self._lock:
            under_way, index = self._pass, self._cursor
            self._cursor += 1
            self._begun = True
            if self._cursor == len(self):
                self._turn(self._cursor)
        try:
            return self._batch(under_way, index)
        except OwnError as error:
            if self.said_by_bridge is not None:
                error.args = (self.said_by_bridge(error),)
            raise

    def next(self) -> Any:
        """The next batch."""
        return self.__next__()

    def reset(self) -> None:
        """Begin a new pass with the next batch, if one is under way."""
        with self._lock:
            if self._begun:
                self._turn(self._cursor or len(self))

    def _turn(self, given: int) -> None:
        self._pass = self._pass.after(given)
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
