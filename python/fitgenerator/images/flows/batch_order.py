"""Which images a batch has, and its random numbers: functions of the seed and the batch's number.

Batches are numbered through all passes. Batch k draws from a generator seeded with `seed + k`; the
first batch of a pass draws the pass's order first. Keras's class does the same when its batches are
taken one after the other. Nothing depends on which thread makes a batch, or when.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...models.protocol import Array


@dataclass(frozen=True)
class Pass:
    """One pass over the images."""

    samples: int
    batch_size: int  # the last batch may have fewer images
    shuffle: bool  # whether the pass has an order of its own
    seed: int  # of batch 0 of the first pass
    first: int  # number of the pass's first batch, counted through all passes
    order: Array  # the images' indices in the order of the pass

    def __len__(self) -> int:
        """Batches of a pass."""
        return (self.samples + self.batch_size - 1) // self.batch_size

    def after(self, batches: int) -> Pass:
        """The next pass, after so many batches of this one were given."""
        first = self.first + batches
        random = _random(self.seed, first)
        order = random.permutation(self.samples) if self.shuffle else self.order
        return replace(self, first=first, order=order)

    def batch(self, index: int) -> tuple[Array, np.random.RandomState]:
        """The indices of a batch's images, and the generator of its random numbers."""
        random = _random(self.seed, self.first + index)
        if index == 0 and self.shuffle:
            random.permutation(self.samples)  # the order, which `after` drew
        return self.order[index * self.batch_size : (index + 1) * self.batch_size], random


def _random(seed: int, number: int) -> np.random.RandomState:
    return np.random.RandomState((seed + number) % 2**32)
