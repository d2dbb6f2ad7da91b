"""Channel shift and brightness, in place, on images of shape `(rows, columns, channels)`."""

from __future__ import annotations

import numpy as np

from ...models.protocol import Array


def shift_channels(image: Array, intensity: float) -> None:
    """Add `intensity` to all channels, within the range of values that the image has."""
    low, high = image.min(), image.max()
    np.add(image, intensity, out=image)
    np.clip(image, low, high, out=image)


def brighten(image: Array, factor: float) -> None:
    """Multiply by `factor`, in whole numbers from 0 to 255, as Pillow does with 8 bits.

    Values beyond 0 and 255 are stretched to that range in between. Values from 0 to 1, which whole
    numbers would make black, stay fractions and are limited to 1. An alpha channel stays unchanged.
    """
    colours = image[:, :, :3] if image.shape[2] == 4 else image
    low, high = colours.min(), colours.max()
    if low >= 0 and high <= 1:
        _multiply(colours, factor, 1)
    elif low < 0 or high > 255:
        _stretch(colours, 0, 255, low, high)
        _whole(colours, factor)
        _stretch(colours, low, high, 0, 255)
    else:
        _whole(colours, factor)


def _whole(image: Array, factor: float) -> None:
    np.trunc(image, out=image)
    _multiply(image, np.float32(factor), 255)
    np.trunc(image, out=image)


def _multiply(image: Array, factor: float, most: float) -> None:
    np.multiply(image, factor, out=image)
    np.minimum(image, most, out=image)


def _stretch(image: Array, low: float, high: float, was_low: float, was_high: float) -> None:
    np.subtract(image, was_low, out=image)
    np.multiply(image, (high - low) / ((was_high - was_low) or 1), out=image)
    np.add(image, low, out=image)
