"""An image file, read and decoded to the size and the colours of a batch.

Files are read as bytes, so that their names may be in any script, and are what they hold, whatever
they are called. Common JPEG and PNG files that are whole are decoded by OpenCV, which lets other
threads run; JPEG at a half, a quarter or an eighth of its size where that still is twice the
target. Everything else is Pillow's, as it is Keras's.
"""

from __future__ import annotations

import io
import os

import numpy as np

from ...errors import ImageError
from ...messages import reason
from ...models.protocol import Array
from ..opencv import Image, cv2
from .file_header import head_of
from .resize import crop_of, resize
from .target_format import Look

_PILLOW_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
# Grey images of more than 8 bits keep their values, as in Keras.
_DEEP_GREYS = ("I", "I;16")
# How many times the target a JPEG must be at the scale at which it is decoded.
_MARGIN = 2
_REDUCED = {
    1: (cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE),
    2: (cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
    4: (cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
    8: (cv2.IMREAD_REDUCED_COLOR_8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
}


def read(path: str, look: Look) -> Array:
    """The image in a file, of shape `(rows, columns, channels)`; uint8, deep greys float32.

    Images of three channels may have a fourth, which means nothing: see `padding`.

    Raises:
        ImageError: The file cannot be read, or holds no whole image of a size to decode.
    """
    try:
        with open(path, "rb", buffering=0, opener=_at_once) as file:
            data = file.read()
        return decode(data, look)
    except ImageError as error:
        raise ImageError(f"The file {path} {error}.") from error.__cause__
    except OSError as error:
        why = error.strerror or reason(error)
        raise ImageError(f"The file {path} cannot be read: {why}.") from error


def _at_once(path: str, flags: int) -> int:
    """Open a file, also a pipe that nobody writes to: it is empty then."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def decode(data: bytes, look: Look) -> Array:
    """The image in the contents of a file.

    Raises:
        ImageError: There is none, it is broken, or too large; a sentence without its subject.
    """
    if not data:
        raise ImageError("is empty")
    image = _by_opencv(data, look)
    if image is None:
        image = _by_pillow(data, look)
    image = resize(image, look)
    return image if image.ndim == 3 else image[:, :, None]


def _by_opencv(data: bytes, look: Look) -> Array | None:
    """The image as OpenCV decodes it; `None` where only Pillow does what Keras would."""
    head = head_of(data)
    if head is None or head.rows * head.cols > (Image.MAX_IMAGE_PIXELS or np.inf):
        return None
    if look.color_mode == "rgba" and not head.jpeg:
        if head.channels != 4:
            return None
        flags = cv2.IMREAD_UNCHANGED
    else:
        scale = _scale(head.rows, head.cols, look) if head.jpeg else 1
        flags = _REDUCED[scale][look.color_mode == "grayscale"] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # Pillow may know better, or say what is wrong
        return None
    return None if image is None else _in_colours(image, look.color_mode)


def _by_pillow(data: bytes, look: Look) -> Array:
    """The image as Pillow decodes it, and Keras with it."""
    wanted = _PILLOW_MODES[look.color_mode]
    try:
        with Image.open(io.BytesIO(data)) as opened:  # refuses bombs before it decodes
            if look.color_mode == "grayscale" and opened.mode in _DEEP_GREYS:
                return np.asarray(opened).astype(np.float32)
            return np.asarray(opened if opened.mode == wanted else opened.convert(wanted))
    except Image.DecompressionBombError as error:
        raise ImageError(
            "holds more pixels than may be decoded (decompression bomb): "
            f"{reason(error)}; PIL.Image.MAX_IMAGE_PIXELS sets the limit"
        ) from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"of {len(data)} bytes is no image that is known") from error
    except Exception as error:  # decoders raise what they like
        raise ImageError(f"holds a broken or truncated image: {reason(error)}") from error


def _scale(rows: int, cols: int, look: Look) -> int:
    """The largest reduction at which what is needed is still `_MARGIN` times the target."""
    target = look.target_size
    left, upper, right, lower = crop_of(rows, cols, look)
    most = min((lower - upper) / target[0], (right - left) / target[1]) / _MARGIN
    return max(scale for scale in _REDUCED if scale <= max(1, most))


def _in_colours(image: Array, color_mode: str) -> Array:
    """OpenCV's blue, green, red as red, green, blue, and a fourth channel."""
    if color_mode == "grayscale":
        return image
    if image.shape[2] == 4:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA, image))
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGBA))
