"""The random parameters of one image's transformation.

They are drawn in the order in which Keras's class draws them, from a generator that is seeded as
Keras's: the same seed gives the same parameters. One thing differs: `height_shift_range` moves up
and down and `width_shift_range` sideways, which Keras has the wrong way round (tf-keras #310).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..augmenter import Augmenter


class Random(Protocol):
    """What draws: a `numpy.random.RandomState`, or the module `numpy.random`."""

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        """Numbers between `low` and `high`."""

    def choice(self, a: Any) -> Any:
        """One of several, or a whole number below `a`."""

    def random(self) -> Any:
        """A number between 0 and 1."""


def draw(generator: Augmenter, shape: tuple[int, ...], random: Random) -> dict[str, Any]:
    """Parameters for an image of `shape`, by the names that `apply_transform` takes.

    Args:
        generator: What has the ranges.
        shape: Of the image, in the generator's `data_format`.
        random: Draws them.
    """
    rows, cols = shape[generator.row_axis - 1], shape[generator.col_axis - 1]
    theta = _around_zero(generator.rotation_range, random)
    vertical = _shift(generator.height_shift_range, rows, random)
    horizontal = _shift(generator.width_shift_range, cols, random)
    shear = _around_zero(generator.shear_range, random)
    low, high = generator.zoom_range
    zx, zy = (1, 1) if low == high == 1 else random.uniform(low, high, 2)
    mirrored = random.random() < 0.5
    upside_down = random.random() < 0.5
    channel_shift = None
    if generator.channel_shift_range:
        channel_shift = _around_zero(generator.channel_shift_range, random)
    brightness = None
    if generator.brightness_range is not None:
        brightness = random.uniform(*generator.brightness_range)
    return {
        "theta": theta,
        "tx": horizontal,
        "ty": vertical,
        "shear": shear,
        "zx": zx,
        "zy": zy,
        "flip_horizontal": bool(mirrored and generator.horizontal_flip),
        "flip_vertical": bool(upside_down and generator.vertical_flip),
        "channel_shift_intensity": channel_shift,
        "brightness": brightness,
    }


def _around_zero(most: float, random: Random) -> float:
    return float(random.uniform(-most, most)) if most else 0


def _shift(given: Any, pixels: int, random: Random) -> float:
    """A shift in pixels: between -x and x, or one of several, or of the whole numbers below n."""
    if not given:
        return 0
    if isinstance(given, float):
        drawn = random.uniform(-given, given)
    else:
        drawn = random.choice(given) * random.choice([-1, 1])
    largest = max(given) if isinstance(given, list) else given
    return float(drawn * pixels if largest < 1 else drawn)
