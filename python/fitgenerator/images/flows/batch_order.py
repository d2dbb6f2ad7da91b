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
class PassSettings:
    """What passes depend on; it may be changed between two of them."""

    samples: int
    batch_size: int  # the last batch may have fewer images
    shuffle: bool  # whether each pass has an order of its own
    seed: int  # of batch 0 of the first pass

    def begin(self, first: int) -> Pass:
        """The pass that begins with batch `first`."""
        random = _random(self.seed, first)
        order = random.permutation(self.samples) if self.shuffle else np.arange(self.samples)
        return Pass(self, first, order)


@dataclass(frozen=True)
class Pass:
    """One pass over the images."""

    settings: PassSettings
    first: int  # number of the pass's first batch, counted through all passes
    order: Array  # the images' indices in the order of the pass

    def __len__(self) -> int:
        """Batches of a pass."""
        size = self.settings.batch_size
        return (self.settings.samples + size - 1) // size

    def after(self, passes: int) -> Pass:
        """The pass that comes so many passes after this one."""
        return self.settings.begin(self.first + passes * len(self))

    def batch(self, index: int) -> tuple[Array, np.random.RandomState]:
        """The indices of a batch's images, and the generator of its random numbers."""
        settings = self.settings
        random = _random(settings.seed, self.first + index)
        if index == 0 and settings.shuffle:
            random.permutation(settings.samples)  # the order, which `begin` drew
        first = index * settings.batch_size
        return self.order[first : first + settings.batch_size], random


def _random(seed: int, number: int) -> np.random.RandomState:
    return np.random.RandomState((seed + number) % 2**32)
