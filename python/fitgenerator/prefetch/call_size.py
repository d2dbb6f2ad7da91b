"""How many batches one call takes: the feeders ask, the training loop sets it."""

from __future__ import annotations

from ..batches.prepared import Batch

# What the arrays of one call may take, in bytes: beyond, dispatching a step costs nothing.
LARGEST_CALL = 2**24


class Grouping:
    """How the batches of one mode are grouped; the feeders ask it, the training loop sets it.

    Args:
        most: Batches that a call may take at the very most; 1 is never more than one.
        block: No call goes beyond a whole number of so many batches of a round; 0 is no bound.
    """

    def __init__(self, most: int = 1, block: int = 0) -> None:
        self.most = most
        self.size = 1  # of a call that takes what is there
        self.claimed = 0  # batches whose pull has begun
        self._block = block
        self.full_size = 1  # of a call that is waited for
        self._full_from: int | None = None

    def fill(self, size: int) -> None:
        """From a fixed position on have full calls of `size` batches only, waited for.

        No batch from there on can have been pulled before the first step began: the lead is less.
        """
        self._full_from = -(-(self.most + 2) // size) * size
        self.full_size = size

    def fill_no_more(self) -> None:
        """Take what is there again."""
        self._full_from = None

    @property
    def fills(self) -> bool:
        """Whether full calls are waited for, now or later."""
        return self._full_from is not None

    def patient(self, position: int) -> bool:
        """Whether the batch at `position`, among all, belongs to a call that is waited for."""
        return self._full_from is not None and position >= self._full_from

    def alone(self, position: int, batch: Batch) -> bool:
        """Whether the batch at `position` is to be a call of its own, whatever comes behind it."""
        if self.most == 1 or not batch.form.stackable:
            return True
        return not self.patient(position) and 2 * batch.bytes > LARGEST_CALL

    def limit(self, index: int, position: int, batch: Batch) -> int:
        """How many batches a call may take that begins with the one at `index` of its round."""
        if self.alone(position, batch):
            return 1
        within = index % self._block if self._block else index
        left = self._block - within if self._block else self.most
        if self.patient(position):
            return min(self.full_size - within % self.full_size, left)
        return max(1, min(self.size, left, self.most, LARGEST_CALL // max(1, batch.bytes)))
