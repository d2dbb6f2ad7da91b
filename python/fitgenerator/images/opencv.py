"""OpenCV and Pillow, which the extra `images` brings: loaded here, or missed in words."""

from __future__ import annotations

from ..errors import SetupError
from ..messages import reason

try:
    import cv2
    from PIL import Image
except ImportError as error:
    raise SetupError(
        "OpenCV and Pillow, which fitgenerator.images needs, cannot be imported: pip install "
        f"opencv-python-headless pillow. What failed: {reason(error)}."
    ) from error

__all__ = ["Image", "cv2"]
