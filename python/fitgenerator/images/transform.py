"""One image, from what was read to its row of the batch: warp, flips, colours.

Nothing is copied that need not be: an image is cast once, into the row or into the array that the
warp reads, which each thread keeps for its next image.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import colour
from .warp import Filling, matrix_of, warp

Array = np.ndarray[Any, Any]


class _Scratch(threading.local):
    """The array that warps of this thread read."""

    array: Array | None = None

    def holding(self, image: Array, dtype: np.dtype[Any]) -> Array:
        """`image` in an array of `dtype`."""
        held = self.array
        if held is None or held.shape != image.shape or held.dtype != dtype:
            held = self.array = np.empty(image.shape, dtype)
        np.copyto(held, image, casting="unsafe")
        return held


_scratch = _Scratch()


def transform(image: Array, parameters: Mapping[str, Any], out: Array, filling: Filling) -> None:
    """Write the transformed `image` into `out`.

    Args:
        image: Of shape `(rows, columns, channels)`, of any dtype of numbers.
        parameters: As `apply_transform` takes them.
        out: Another array of that shape, C-contiguous, float32 or float64.
        filling: What lies between and outside of the pixels.
    """
    matrix = matrix_of(parameters, *image.shape[:2])
    if matrix is None:
        image = image[:, ::-1] if parameters.get("flip_horizontal", False) else image
        image = image[::-1] if parameters.get("flip_vertical", False) else image
        np.copyto(out, image, casting="unsafe")
    else:
        source = _scratch.holding(image, out.dtype)
        warp(source, matrix, out, filling)
    if parameters.get("channel_shift_intensity") is not None:
        colour.shift_channels(out, parameters["channel_shift_intensity"])
    if parameters.get("brightness") is not None:
        colour.brighten(out, parameters["brightness"])
