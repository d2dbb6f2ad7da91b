"""One image, from what was read to its row of the batch: warp, flips, colours.

Nothing is copied that need not be: an image is cast once, into the row or into the array that the
warp reads. Each thread keeps that for its next image.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..reading.channels import padded, unpadded
from . import colour
from .warp import Filling, matrix_of, warp

Array = np.ndarray[Any, Any]


class _Scratch(threading.local):
    """What warps of this thread read from, and where padded ones are written to."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """The array of that name."""
        held = self._arrays.get(name)
        if held is None or held.shape != shape or held.dtype != dtype:
            held = self._arrays[name] = np.empty(shape, dtype)
        return held


_scratch = _Scratch()


def transform(image: Array, parameters: Mapping[str, Any], out: Array, filling: Filling) -> None:
    """Write the transformed `image` into `out`.

    Args:
        image: Of shape `(rows, columns, channels)`, of any dtype of numbers; with a fourth channel
            that means nothing, where `out` has three.
        parameters: As `apply_transform` takes them.
        out: Another array, C-contiguous, float32 or float64.
        filling: What lies between and outside of the pixels.
    """
    matrix = matrix_of(parameters, *image.shape[:2])
    if matrix is not None:
        _warped(image, matrix, out, filling)
    else:
        image = image if image.shape[2] == out.shape[2] else unpadded(image)
        image = image[:, ::-1] if parameters.get("flip_horizontal", False) else image
        image = image[::-1] if parameters.get("flip_vertical", False) else image
        np.copyto(out, image, casting="unsafe")
    if parameters.get("channel_shift_intensity") is not None:
        colour.shift_channels(out, parameters["channel_shift_intensity"])
    if parameters.get("brightness") is not None:
        colour.brighten(out, parameters["brightness"])


def _warped(image: Array, matrix: Array, out: Array, filling: Filling) -> None:
    pays = out.dtype == np.float32 and out.shape[2] == 3 and image.dtype == np.uint8
    if pays and image.shape[2] == 3:
        image = padded(image)
    elif not pays and image.shape[2] > out.shape[2]:
        image = unpadded(image)
    source = _scratch.array("source", image.shape, out.dtype)
    np.copyto(source, image, casting="unsafe")
    if not pays:
        warp(source, matrix, out, filling)
        return
    result = _scratch.array("result", image.shape, out.dtype)
    warp(source, matrix, result, filling)
    unpadded(result, out)
