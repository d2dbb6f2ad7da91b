"""Decoded images, resized to the size of the batch as Pillow does for Keras."""

from __future__ import annotations

from functools import cache

import numpy as np

from ...models.protocol import Array
from ..opencv import Image, cv2
from .channels import unpadded
from .target_format import FILTERS, Size, TargetFormat

Box = tuple[int, int, int, int]


def crop_of(rows: int, cols: int, target: TargetFormat) -> Box:
    """The part of an image that is resized: left, upper, right and lower edge in pixels.

    The whole image, or the largest part in its middle with the target's aspect ratio.
    """
    if not target.keep_aspect_ratio:
        return 0, 0, cols, rows
    size = target.target_size
    height = min(rows, cols * size[0] // size[1])
    width = min(cols, rows * size[1] // size[0])
    left, upper = (cols - width) // 2, (rows - height) // 2
    return left, upper, left + width, upper + height


def resize(image: Array, target: TargetFormat) -> Array:
    """`image`, of shape `(rows, columns)` or `(rows, columns, channels)`, at its target size."""
    rows, cols = image.shape[:2]
    size = target.target_size
    if (rows, cols) == size:
        return image
    box = crop_of(rows, cols, target)
    by_opencv = _opencv(target.interpolation, rows, cols, size)
    if by_opencv is not None and box == (0, 0, cols, rows):  # Pillow reads beyond a box
        return np.asarray(cv2.resize(image, size[::-1], interpolation=by_opencv))
    if image.ndim == 3 and image.shape[2] > target.channels:
        image = unpadded(image)  # Pillow would weight the colours by it
    resized = Image.fromarray(image).resize(size[::-1], FILTERS[target.interpolation], box=box)
    return np.asarray(resized)


def _opencv(interpolation: str, rows: int, cols: int, size: Size) -> int | None:
    """OpenCV's filter, if OpenCV has the same one as Pillow."""
    if interpolation == "nearest" and picks_pillows_pixels():
        return int(cv2.INTER_NEAREST_EXACT)
    if interpolation == "bilinear" and rows <= size[0] and cols <= size[1]:
        return int(cv2.INTER_LINEAR)
    return None


@cache
def picks_pillows_pixels() -> bool:
    """Whether this OpenCV takes the nearest pixels that Pillow takes; OpenCV 4 takes others."""
    for pixels in (45, 60, 64):
        row = np.arange(pixels, dtype=np.uint8)[None]
        for size in ((wanted, 1) for wanted in range(1, 2 * pixels)):
            ours = cv2.resize(row, size, interpolation=cv2.INTER_NEAREST_EXACT)
            theirs = Image.fromarray(row).resize(size, FILTERS["nearest"])
            if not np.array_equal(ours, theirs):
                return False
    return True
