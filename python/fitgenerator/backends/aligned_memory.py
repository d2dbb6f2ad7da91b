"""Arrays whose memory a backend can take over, where it has to copy others.

TensorFlow reads memory that begins at a multiple of 64 bytes, which NumPy's does by chance.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from .protocol import Array

_ALIGNMENT = 64  # bytes


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    """An array as `numpy.empty` makes it, whose memory can be taken over."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + _ALIGNMENT - 1, np.uint8)
    begin = -memory.ctypes.data % _ALIGNMENT
    array: Array = memory[begin : begin + size].view(dtype).reshape(shape)
    return array


def is_aligned(array: Array) -> bool:
    """Whether the array's memory can be taken over: its numbers in a row, at a right place."""
    flags = array.flags
    plain = flags.c_contiguous and flags.writeable and array.dtype.kind in "fiu"
    return plain and array.size > 0 and array.ctypes.data % _ALIGNMENT == 0
