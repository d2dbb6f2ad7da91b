"""One image, as it was read, to a transformed image: warp, flips, colours.

Copies are avoided: an image is cast once, either into its result or into the array that the warp
reads. Each thread keeps the latter for its next image.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...models.protocol import Array
from ..reading.channels import padded, unpadded
from ..settings import Settings
from . import colour
from .warp import matrix_of, warp

# The arrays that the warps of one thread read from, and write padded images to.
_scratch = threading.local()


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which images of `dtype` are computed."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def transform(settings: Settings, image: Array, parameters: Mapping[str, Any], out: Array) -> None:
    """Write the transformed `image` into `out`, by parameters that `apply_transform` takes.

    `image` has shape `(rows, columns, channels)` and any dtype of numbers, and may have a
    meaningless fourth channel where `out` has three. `out` is another array, C-contiguous, float32
    or float64.
    """
    matrix = matrix_of(parameters, *image.shape[:2])
    if matrix is not None:
        _warped(settings, image, matrix, out)
    else:
        image = image if image.shape[2] == out.shape[2] else unpadded(image)
        image = image[:, ::-1] if parameters.get("flip_horizontal", False) else image
        image = image[::-1] if parameters.get("flip_vertical", False) else image
        np.copyto(out, image, casting="unsafe")
    if parameters.get("channel_shift_intensity") is not None:
        colour.shift_channels(out, parameters["channel_shift_intensity"])
    if parameters.get("brightness") is not None:
        colour.brighten(out, parameters["brightness"])


def _scratch_array(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    held: Array | None = getattr(_scratch, name, None)
    if held is None or held.shape != shape or held.dtype != dtype:
        held = np.empty(shape, dtype)
        setattr(_scratch, name, held)
    return held


def _warped(settings: Settings, image: Array, matrix: Array, out: Array) -> None:
    pays = out.dtype == np.float32 and out.shape[2] == 3 and image.dtype == np.uint8
    if pays and image.shape[2] == 3:
        image = padded(image)
    elif not pays and image.shape[2] > out.shape[2]:
        image = unpadded(image)
    source = _scratch_array("source", image.shape, out.dtype)
    np.copyto(source, image, casting="unsafe")
    if not pays:
        warp(settings, source, matrix, out)
        return
    result = _scratch_array("result", image.shape, out.dtype)
    warp(settings, source, matrix, result)
    unpadded(result, out)
