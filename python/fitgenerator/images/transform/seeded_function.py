"""Preprocessing functions that draw random numbers, from a stream of its own for each image."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ...models.protocol import Array


@runtime_checkable
class Seeded(Protocol):
    """A function of another language, which only the calling thread can run.

    Its random numbers follow from a seed for each image. The same seed of a flow therefore gives
    the same pictures, whichever thread makes a batch, and whenever.
    """

    def __call__(self, image: Array) -> Array:
        """The processed image; random numbers of the session."""

    def seeded(self, image: Array, seed: int) -> Array:
        """The processed image; random numbers that follow from `seed`, from 0 to below 2**31."""
