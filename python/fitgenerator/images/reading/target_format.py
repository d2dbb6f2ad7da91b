"""The format into which image files are read."""

from __future__ import annotations

from dataclasses import dataclass

from .. import arguments
from ..opencv import Image

Size = tuple[int, int]

CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
# Pillow's filters, by their public names; they widen when they shrink an image.
FILTERS = {
    name: Image.Resampling[name.upper()]
    for name in ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
}
ON_ERROR = ("raise", "skip")


@dataclass
class TargetFormat:
    """The format into which image files are read; checks what the user gave for it.

    Raises:
        ArgumentError: An argument is not what it must be.
    """

    target_size: Size  # rows and columns in pixels
    color_mode: str  # one of `CHANNELS`
    interpolation: str  # one of `FILTERS`
    keep_aspect_ratio: bool  # cuts out the middle rather than distort the image
    on_error: str = "raise"  # what to do with a file that cannot be read

    def __post_init__(self) -> None:
        self.target_size = arguments.size(self.target_size)
        arguments.one_of(self.color_mode, "color_mode", CHANNELS)
        arguments.one_of(self.interpolation, "interpolation", FILTERS)
        self.keep_aspect_ratio = bool(self.keep_aspect_ratio)
        arguments.one_of(self.on_error, "on_error", ON_ERROR)

    @property
    def channels(self) -> int:
        """Colour channels of an image."""
        return CHANNELS[self.color_mode]
