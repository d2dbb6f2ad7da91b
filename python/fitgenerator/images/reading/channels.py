"""A fourth channel beside three colours: OpenCV resizes and warps four a good deal faster.

It means nothing, and is dropped when the image is written into its batch. An image has it where it
has four channels and its batch three.
"""

from __future__ import annotations

import numpy as np

from ...models.protocol import Array
from ..opencv import cv2


def padded(image: Array) -> Array:
    """An image of three channels, uint8 or float32, with a fourth."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA))


def unpadded(image: Array, out: Array | None = None) -> Array:
    """An image of four channels without its fourth, in `out` where that is given."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGBA2RGB, out))
