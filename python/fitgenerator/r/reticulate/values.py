"""R's values as arrays: copies, because R's memory must not leave its thread (thread rule 9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ...batches.arrays import Sparse, copy_of_r
from ...batches.structure import Parts
from ...models.protocol import Array


def sparse(rows: Array, cols: Array, values: Array, shape: Sequence[int]) -> Sparse:
    """A sparse matrix of R."""
    count = (int(shape[0]), int(shape[1]))
    return Sparse(copy_of_r(rows), copy_of_r(cols), copy_of_r(values), count)


class Arrays:
    """Fixed arrays that came from an R list."""

    def __init__(self, parts: list[Any]) -> None:
        self.parts = tuple(Parts(*own(parts)))[: len(parts)]


def owned_batches(batches: list[Any]) -> tuple[list[Any], Exception | None]:
    """Copies of the batches, up to the one that could not be copied, and why."""
    owned = []
    for raw in batches:
        try:
            owned.append(own(raw))
        except Exception as error:
            return owned, error
    return owned, None


def own(raw: Any, order: Literal["K", "C"] = "K") -> Any:
    """Copies of R's arrays, cast, in their own order or ("C") row by row in memory."""
    if isinstance(raw, np.ndarray):
        if type(raw) is np.ndarray:
            return copy_of_r(raw, order)
        return raw.copy()  # a masked array keeps its mask
    if isinstance(raw, list):
        return [own(part, order) for part in raw]
    if isinstance(raw, tuple):
        return tuple(own(part, order) for part in raw)
    if isinstance(raw, dict):
        return {name: own(part, order) for name, part in raw.items()}
    return raw


def detached(value: Any) -> Any:
    """What an R function returned, with copies in place of views of R's memory."""
    if isinstance(value, np.ndarray):
        return value.copy(order="K") if _is_view(value) else value
    if type(value) not in (list, tuple, dict):
        return value
    parts = list(value.values()) if type(value) is dict else list(value)
    copies = [detached(part) for part in parts]
    if all(copy is part for copy, part in zip(copies, parts, strict=True)):
        return value  # the same object: others may hold it
    return dict(zip(value, copies, strict=True)) if type(value) is dict else type(value)(copies)


def _is_view(array: Array) -> bool:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return type(base).__name__ == "PyCapsule"
