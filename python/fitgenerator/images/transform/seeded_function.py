"""Preprocessing functions that draw random numbers: of a stream of its own for each image."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

Array = np.ndarray[Any, Any]


@runtime_checkable
class Seeded(Protocol):
    """A function of another language, which only the calling thread can run.

    Its random numbers follow from a seed for each image, so that the same seed of a flow gives the
    same pictures, whichever thread makes a batch, and when.
    """

    def __call__(self, image: Any) -> Any:
        """The processed image; random numbers as they come."""

    def seeded(self, image: Any, seed: int) -> Any:
        """The processed image; random numbers by `seed`, from 0 to below 2**31."""


def seed_images(function: Any, parameters: list[dict[str, Any]], random: Any) -> None:
    """Give each image's parameters a `seed`, where the function needs one."""
    if isinstance(function, Seeded):
        for one in parameters:
            one["seed"] = int(random.randint(2**31 - 1))
