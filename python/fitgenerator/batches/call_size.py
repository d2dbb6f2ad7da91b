"""How many batches one call of the model takes: set by the training loop, read by `stacking`."""

from __future__ import annotations

from collections.abc import Callable

from .prepared import Batch
from .structure import RawBatch

# What the arrays of one call may take, in bytes: beyond, dispatching a step costs nothing.
LARGEST_CALL = 2**24


class CallSize:
    """The size of the calls of one mode, in batches."""

    def __init__(self, most: int = 1, block: int = 0) -> None:
        self.most = most  # at the very most; 1 is never more than one
        self.size = 1  # of a call that takes what is there
        self.full_size = 1  # of a call that is waited for
        self.begun = 0  # batches whose fetch has begun
        self.aligned = False  # calls end at multiples of the size, as in other processes
        self._block = block  # no call goes beyond a multiple of it in a round; 0 is no bound
        # The first batch, among all, of calls that are waited for.
        self.full_from: int | None = None

    def fill(self, size: int) -> None:
        """From a position on that the first lead cannot reach, wait for full calls of `size`."""
        # In this order: threads that read see the size once they see where it begins to count.
        self.full_size = size
        self.full_from = -(-(self.most + 2) // size) * size

    def is_patient(self, position: int) -> bool:
        """Whether the batch at `position`, among all, belongs to a call that is waited for."""
        full_from = self.full_from  # which another thread sets
        return full_from is not None and position >= full_from

    def is_alone(self, position: int, batch: Batch) -> bool:
        """Whether the batch at `position` is a call of its own, whatever comes after it."""
        if self.most == 1 or not batch.form.stackable:
            return True
        return not self.is_patient(position) and 2 * bytes_of(batch) > LARGEST_CALL

    def batch(self, prepare: Callable[[RawBatch], Batch], raw: RawBatch, position: int) -> Batch:
        """The batch at `position`; with tensors, if it is a call of its own.

        The tensors are made here because several threads prepare batches in parallel.
        """
        batch = prepare(raw)
        return batch.ready() if self.is_alone(position, batch) else batch

    def limit(self, index: int, position: int, batch: Batch) -> int:
        """How many batches a call may take that begins with the one at `index` of its round."""
        if self.is_alone(position, batch):
            return 1
        within = index % self._block if self._block else index
        left = self._block - within if self._block else self.most
        if self.is_patient(position):
            return min(self.full_size - within % self.full_size, left)
        size = self.size - within % self.size if self.aligned else self.size
        return max(1, min(size, left, self.most, LARGEST_CALL // max(1, bytes_of(batch))))


def bytes_of(batch: Batch) -> int:
    """The size of one batch's dense arrays."""
    return batch.rows * batch.form.row_bytes
