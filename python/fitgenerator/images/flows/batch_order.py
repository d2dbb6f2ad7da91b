"""Which images a batch has, and its random numbers: functions of the seed and the batch's number.

Batches are numbered through all passes. Batch k draws from a generator seeded with `seed + k`; the
first batch of a pass draws the pass's order first. Keras's class does the same when its batches are
taken one after the other. Nothing depends on which thread makes a batch, or when.
"""

from __future__ import annotations

from dataclasses import dataclass

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

    @property
    def settings(self) -> tuple[int, bool, int]:
        """What may be changed between two passes."""
        return self.batch_size, self.shuffle, self.seed

    def __len__(self) -> int:
        """Batches of a pass."""
        return (self.samples + self.batch_size - 1) // self.batch_size

    def after(self, passes: int) -> Pass:
        """The pass that comes so many passes after this one."""
        first = self.first + passes * len(self)
        return pass_from(first, self.samples, self.batch_size, self.shuffle, self.seed)

    def batch(self, index: int) -> tuple[Array, np.random.RandomState]:
        """The indices of a batch's images, and the generator of its random numbers."""
        random = _random(self.seed, self.first + index)
        if index == 0 and self.shuffle:
            random.permutation(self.samples)  # the order, which `pass_from` drew
        return self.order[index * self.batch_size : (index + 1) * self.batch_size], random


def pass_from(first: int, samples: int, batch_size: int, shuffle: bool, seed: int) -> Pass:
    """The pass that begins with batch `first`."""
    random = _random(seed, first)
    order = random.permutation(samples) if shuffle else np.arange(samples)
    return Pass(samples, batch_size, shuffle, seed, first, order)


def _random(seed: int, number: int) -> np.random.RandomState:
    return np.random.RandomState((seed + number) % 2**32)
