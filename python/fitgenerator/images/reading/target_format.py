"""How images are to come out of their files."""

from __future__ import annotations

from dataclasses import dataclass

Size = tuple[int, int]

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}


@dataclass(frozen=True)
class Look:
    """How images are to come out of their files.

    Attributes:
        target_size: Rows and columns in pixels.
        color_mode: "grayscale", "rgb" or "rgba".
        interpolation: One of `resizing.FILTERS`.
        keep_aspect_ratio: Whether the middle is cut out rather than the image distorted.
        on_error: What becomes of a file that cannot be read: "raise" or "skip".
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
