"""The random parameters of one image's transformation.

They are drawn in the order of Keras's class, from a generator with Keras's seed: the same seed
gives the same parameters. One difference: `height_shift_range` moves up and down and
`width_shift_range` sideways, which Keras has the wrong way round (tf-keras #310).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..arguments import seed as checked_seed
from ..settings import Settings

# The random numbers of the batch that a thread makes.
_batch = threading.local()


@contextmanager
def drawing_from(random: np.random.RandomState) -> Iterator[None]:
    """Inside, on this thread, what has no seed draws from `random`: the numbers of a batch."""
    before = getattr(_batch, "random", None)
    _batch.random = random
    try:
        yield
    finally:
        _batch.random = before


def random_of(seed: int | None) -> np.random.RandomState:
    """Random numbers that follow from `seed`; without one, the batch's, or `numpy.random`'s."""
    if seed is not None:
        return np.random.RandomState(checked_seed(seed))
    return getattr(_batch, "random", None) or np.random  # type: ignore[return-value]  # alike


def draw(
    settings: Settings, shape: tuple[int, ...], random: np.random.RandomState
) -> dict[str, Any]:
    """Parameters for an image of `shape`, by the names that `apply_transform` takes."""
    rows, cols = shape[settings.row_axis - 1], shape[settings.col_axis - 1]
    theta = _around_zero(settings.rotation_range, random)
    vertical = _shift(settings.height_shift_range, rows, random)
    horizontal = _shift(settings.width_shift_range, cols, random)
    shear = _around_zero(settings.shear_range, random)
    low, high = settings.zoom_range
    zx, zy = (1, 1) if low == high == 1 else random.uniform(low, high, 2)
    mirrored = random.random() < 0.5
    upside_down = random.random() < 0.5
    channel_shift = brightness = None
    if settings.channel_shift_range:
        channel_shift = _around_zero(settings.channel_shift_range, random)
    if settings.brightness_range is not None:
        brightness = random.uniform(*settings.brightness_range)
    return {
        "theta": theta,
        "tx": horizontal,
        "ty": vertical,
        "shear": shear,
        "zx": zx,
        "zy": zy,
        "flip_horizontal": bool(mirrored and settings.horizontal_flip),
        "flip_vertical": bool(upside_down and settings.vertical_flip),
        "channel_shift_intensity": channel_shift,
        "brightness": brightness,
    }


def _around_zero(most: float, random: np.random.RandomState) -> float:
    return float(random.uniform(-most, most)) if most else 0


def _shift(given: float | list[float], pixels: int, random: np.random.RandomState) -> float:
    """A shift in pixels: between -x and x, or one of several, or of the whole numbers below n."""
    if not given:
        return 0
    if isinstance(given, float):
        drawn = random.uniform(-given, given)
    else:
        drawn = random.choice(given) * random.choice([-1, 1])
    largest = max(given) if isinstance(given, list) else given
    return float(drawn * pixels if largest < 1 else drawn)
