"""Decoded images brought to the size of the batch, as Pillow does it for Keras."""

from __future__ import annotations

import numpy as np

from ...models.protocol import Array
from ..opencv import Image, cv2
from .channels import unpadded
from .target_format import Look, Size

Box = tuple[int, int, int, int]

# By the name that users give; Pillow's filters widen when they shrink an image.
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}


def crop_of(rows: int, cols: int, look: Look) -> Box:
    """The part of an image that is resized: left, upper, right and lower edge in pixels.

    All of it, or the largest part in its middle that has the target's aspect ratio.
    """
    if not look.keep_aspect_ratio:
        return 0, 0, cols, rows
    target = look.target_size
    height = min(rows, cols * target[0] // target[1])
    width = min(cols, rows * target[1] // target[0])
    left, upper = (cols - width) // 2, (rows - height) // 2
    return left, upper, left + width, upper + height


def resize(image: Array, look: Look) -> Array:
    """`image`, of shape `(rows, columns)` or `(rows, columns, channels)`, at its target size."""
    rows, cols = image.shape[:2]
    target = look.target_size
    if (rows, cols) == target:
        return image
    box = crop_of(rows, cols, look)
    by_opencv = _opencv(look.interpolation, rows, cols, target)
    if by_opencv is not None and box == (0, 0, cols, rows):  # Pillow looks beyond a box
        return np.asarray(cv2.resize(image, target[::-1], interpolation=by_opencv))
    if image.ndim == 3 and image.shape[2] > look.channels:
        image = unpadded(image)  # Pillow would weigh by it
    resized = Image.fromarray(image).resize(target[::-1], FILTERS[look.interpolation], box=box)
    return np.asarray(resized)


def _opencv(interpolation: str, rows: int, cols: int, target: Size) -> int | None:
    """OpenCV's filter where it has the same as Pillow."""
    if interpolation == "nearest":
        return int(cv2.INTER_NEAREST_EXACT)
    if interpolation == "bilinear" and rows <= target[0] and cols <= target[1]:
        return int(cv2.INTER_LINEAR)
    return None
