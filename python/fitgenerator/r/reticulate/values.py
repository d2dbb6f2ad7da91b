"""R's values as arrays: copies, cast, in their own order."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ...batches.arrays import Sparse
from ...batches.structure import Parts


def sparse(rows: Any, cols: Any, values: Any, shape: Any) -> Sparse:
    """A sparse matrix of R."""
    rows, cols, values = (np.array(array) for array in (rows, cols, values))
    return Sparse(rows, cols, _cast(values), (int(shape[0]), int(shape[1])))


class Arrays:
    """Fixed arrays that came from an R list."""

    def __init__(self, parts: list[Any]) -> None:
        self.parts = tuple(Parts(*own(parts)))[: len(parts)]


def owned_batches(batches: list[Any]) -> tuple[list[Any], Exception | None]:
    """Copies of the batches, up to the one for which that failed."""
    owned = []
    for raw in batches:
        try:
            owned.append(own(raw))
        except Exception as error:
            return owned, error
    return owned, None


def own(raw: Any) -> Any:
    """A copy of R's arrays, cast, in their own order."""
    if isinstance(raw, np.ndarray):
        return _cast(raw) if type(raw) is np.ndarray else raw.copy()  # a masked array has its mask
    if isinstance(raw, list):
        return [own(part) for part in raw]
    if isinstance(raw, tuple):
        return tuple(own(part) for part in raw)
    if isinstance(raw, dict):
        return {name: own(part) for name, part in raw.items()}
    return raw


def _cast(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.kind == "V":  # R's raw
        array = array.view("uint8")
    dtype = keras.config.floatx() if array.dtype == np.float64 else array.dtype
    with np.errstate(invalid="ignore", over="ignore"):  # R's NA, and numbers above floatx's
        return np.array(array, dtype=dtype, order="K")
