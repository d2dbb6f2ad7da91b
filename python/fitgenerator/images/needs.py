"""OpenCV and Pillow, which the extra `images` brings: loaded here, or missed in words."""

from __future__ import annotations

from ..errors import SetupError
from ..words import reason

try:
    import cv2
    from PIL import Image
except ImportError as error:
    raise SetupError(
        "fitgenerator.images needs OpenCV and Pillow: pip install opencv-python-headless pillow. "
        f"Importing them failed: {reason(error)}."
    ) from error

__all__ = ["Image", "cv2"]
