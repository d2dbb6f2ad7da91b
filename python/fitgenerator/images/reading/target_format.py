"""The format into which image files are read."""

from __future__ import annotations

from dataclasses import dataclass

Size = tuple[int, int]

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}


@dataclass(frozen=True)
class TargetFormat:
    """The format into which image files are read.

    Attributes:
        target_size: Rows and columns in pixels.
        color_mode: "grayscale", "rgb" or "rgba".
        interpolation: One of `resize.FILTERS`.
        keep_aspect_ratio: Whether to cut out the middle rather than distort the image.
        on_error: What to do with a file that cannot be read: "raise" or "skip".
    """

    target_size: Size
    color_mode: str
    interpolation: str
    keep_aspect_ratio: bool
    on_error: str = "raise"

    @property
    def channels(self) -> int:
        """Colour channels of an image."""
        return CHANNELS[self.color_mode]
