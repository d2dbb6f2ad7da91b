"""A meaningless fourth channel: OpenCV resizes and warps four channels much faster than three.

The fourth channel is dropped when the image is written into its batch. An image of four channels
has one if its batch has three.
"""

from __future__ import annotations

import numpy as np

from ...models.protocol import Array
from ..opencv import cv2


def padded(image: Array) -> Array:
    """An image of three channels, uint8 or float32, with a fourth channel."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA))


def unpadded(image: Array, out: Array | None = None) -> Array:
    """An image of four channels without the fourth, in `out` if given."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGBA2RGB, out))
