"""Memory of a model's former values, which its next values take.

The values of the last finished call stay whole while a step runs, so a step cannot write in their
place: it needs other memory. Memory for large arrays that is asked of the system anew in each step
costs a large model a fifth of its speed on a CPU. So a step gets the values before the last ones,
donated, where nothing refers to them any more; their numbers are not read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
from jax import numpy as jnp

from .placement import sharding
from .variables import Values, Variables

_NAME = "_fitgenerator_spare_memory"
_LARGE = 2**18  # bytes; what is smaller, the allocator has at hand

Place = tuple[int, int]  # a group of values, and an array in it


def places(groups: Variables) -> list[Place]:
    """The places of large values, where their memory is worth keeping: on a CPU."""
    here = jnp.empty(()).devices()
    if sharding() is not None or any(device.platform != "cpu" for device in here):
        return []
    return [
        (number, place)
        for number, group in enumerate(groups)
        for place, variable in enumerate(group)
        if variable._value.nbytes >= _LARGE and variable._value.devices() == here
    ]


class SpareMemory:
    """The spare arrays of one call."""

    def __init__(self) -> None:
        self._arrays: list[jax.Array] = []

    def take(self, kinds: Sequence[jax.ShapeDtypeStruct]) -> list[jax.Array]:
        """An array of each kind, which is the caller's. Its numbers are any."""
        spare, self._arrays = self._arrays, []
        return [_fitting(spare, kind) for kind in kinds]

    def give(self, values: Values, large: Sequence[Place]) -> None:
        """Take those of the values that nothing else refers to; they are no longer in `values`.

        An array that NumPy reads, or that JAX's functions returned as it was, is referred to. Only
        `addressable_data` and `jax.device_put` to the same device share memory unseen.
        """
        other = object()
        alone = sys.getrefcount(other)
        for group, place in large:
            array: Any = values[group][place]
            values[group][place] = None
            if sys.getrefcount(array) == alone:
                self._arrays.append(array)


def _fitting(spare: list[jax.Array], kind: jax.ShapeDtypeStruct) -> jax.Array:
    """One of the spare arrays, or a new one. Mostly the first one fits."""
    for place, array in enumerate(spare):
        if (array.shape, array.dtype) == (kind.shape, kind.dtype):
            return spare.pop(place)
    return jnp.empty(kind.shape, kind.dtype)


@contextmanager
def spare_memory(model: Any) -> Iterator[None]:
    """Context manager: a call, whose steps of the model have spare memory."""
    before = vars(model).get(_NAME)
    vars(model)[_NAME] = SpareMemory()
    try:
        yield
    finally:  # thread rule 11 (nothing survives the call)
        del vars(model)[_NAME]
        if before is not None:
            vars(model)[_NAME] = before


def spare_memory_of(model: Any) -> SpareMemory:
    """The spare memory of the model's call."""
    return vars(model).get(_NAME) or SpareMemory()
