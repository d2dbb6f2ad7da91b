"""Rotation, shift, shear, zoom and flips as one affine warp of an image, through OpenCV.

Images here have shape `(rows, columns, channels)`, float32 or float64, whatever the user's
`data_format` is. A matrix maps a place in the result to the place in the image that is shown there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...models.protocol import Array
from ..opencv import cv2
from ..settings import Settings

_BORDERS = {
    "nearest": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_REPLICATE,  # what lies outside is filled afterwards
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_REPLICATE,  # the places are wrapped beforehand
}
# By `interpolation_order`.
_INTERPOLATIONS = (
    *(cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC),
    *(cv2.INTER_CUBIC, cv2.INTER_LANCZOS4, cv2.INTER_LANCZOS4),
)
# Places up to this far outside of the image, in pixels, count as on its edge: rounding errors.
_ON_THE_EDGE = 1e-6


def matrix_of(parameters: Mapping[str, Any], rows: int, cols: int) -> Array | None:
    """The 2 x 3 matrix, in columns and rows (x, y), of parameters as Keras names them.

    The matrix includes the flips; if it would do nothing but flip, there is none. Angles are in
    degrees, shifts in pixels. As in Keras, an image that is not square is not rotated around its
    own centre, but around that of its transpose.
    """
    given = parameters.get
    theta, shear = given("theta", 0), given("shear", 0)
    tx, ty, zx, zy = given("tx", 0), given("ty", 0), given("zx", 1), given("zy", 1)
    if not (theta or shear or tx or ty) and zx == zy == 1:
        return None
    # Plain numbers: this runs for each image, and small arrays are slow.
    cos, sin = math.cos(math.radians(theta)), math.sin(math.radians(theta))
    upright, leaning = math.cos(math.radians(shear)), math.sin(math.radians(shear))
    xx, xy = cos * zx, (-cos * leaning - sin * upright) * zy
    yx, yy = sin * zx, (-sin * leaning + cos * upright) * zy
    x_centre, y_centre = rows / 2 - 0.5, cols / 2 - 0.5
    x = cos * tx - sin * ty + x_centre - xx * x_centre - xy * y_centre
    y = sin * tx + cos * ty + y_centre - yx * x_centre - yy * y_centre
    if given("flip_horizontal", False):
        x, y, xx, yx = x + xx * (cols - 1), y + yx * (cols - 1), -xx, -yx
    if given("flip_vertical", False):
        x, y, xy, yy = x + xy * (rows - 1), y + yy * (rows - 1), -xy, -yy
    return np.array(((xx, xy, x), (yx, yy, y)), np.float64)


def warp(settings: Settings, image: Array, matrix: Array, out: Array) -> None:
    """Write the warped `image` into `out`, another array of its shape and dtype."""
    rows, cols = image.shape[:2]
    if image.shape[2] == 1:
        image, out = image[:, :, 0], out[:, :, 0]
    interpolation = _INTERPOLATIONS[settings.interpolation_order]
    border = _BORDERS[settings.fill_mode]
    if settings.fill_mode == "wrap":
        x, y = _places(matrix, rows, cols)
        x, y = _wrapped(x, cols - 1), _wrapped(y, rows - 1)
        cv2.remap(image, x, y, interpolation, out, border)
    else:
        flags = interpolation | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(image, matrix, (cols, rows), out, flags, border)
    if settings.fill_mode == "constant":
        out[_outside(matrix, rows, cols)] = settings.cval


def _places(matrix: Array, rows: int, cols: int) -> tuple[Array, Array]:
    """The place in the image of each pixel of the result: x and y, of shape (rows, columns)."""
    across, down = np.arange(cols), np.arange(rows)[:, None]
    x = matrix[0, 0] * across + (matrix[0, 1] * down + matrix[0, 2])
    y = matrix[1, 0] * across + (matrix[1, 1] * down + matrix[1, 2])
    return x, y


def _outside(matrix: Array, rows: int, cols: int) -> Array:
    """Which pixels of the result lie outside of the image."""
    x, y = _places(matrix, rows, cols)
    x, y = np.abs(x - (cols - 1) / 2), np.abs(y - (rows - 1) / 2)
    outside = x > (cols - 1) / 2 + _ON_THE_EDGE
    outside |= y > (rows - 1) / 2 + _ON_THE_EDGE
    return outside


def _wrapped(places: Array, last: int) -> Array:
    """Places along one axis, wrapped as SciPy does: the last row or column lies on the first."""
    if last < 1:
        return np.zeros_like(places, np.float32)
    outside = (places < 0) | (places > last)
    return np.where(outside, np.mod(places, last), places).astype(np.float32)
