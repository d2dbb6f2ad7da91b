"""Floats become `keras.config.floatx()`: the one place that casts them."""

from __future__ import annotations

from typing import Literal, TypeVar

import keras
import numpy as np

from ..models.protocol import Array

Leaf = TypeVar("Leaf")


def as_floatx(leaf: Leaf) -> Leaf:
    """`leaf`, an array of floats as `floatx`: Keras's `fit` casts fixed arrays so, not batches."""
    if isinstance(leaf, np.ndarray) and np.issubdtype(leaf.dtype, np.floating):
        return leaf.astype(keras.config.floatx(), copy=False)  # type: ignore[return-value]
    return leaf


def copy_of_r(array: Array, order: Literal["K", "C"] = "K") -> Array:
    """A copy of an array in R's memory: doubles become `floatx`, raw bytes `uint8`."""
    if array.dtype.kind == "V":  # R's raw
        array = array.view("uint8")
    dtype = keras.config.floatx() if array.dtype == np.float64 else array.dtype
    # Thread rule 9 (R's memory stays on its thread): R may use the memory again, so even an array
    # that needs no cast is copied.
    with np.errstate(invalid="ignore", over="ignore"):  # R's NA, and numbers above floatx's
        return np.array(array, dtype, order=order)
