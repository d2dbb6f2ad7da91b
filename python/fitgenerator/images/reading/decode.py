"""An image file, read and decoded to the size and the colours of a batch.

Files are read as bytes: their names may be in any script, and their contents, not their endings,
decide on the format. OpenCV decodes common JPEG and PNG files that are complete, and lets other
threads run; it decodes a JPEG at a half, a quarter or an eighth of its size if that still is twice
the target. Pillow decodes everything else, as in Keras.
"""

from __future__ import annotations

import io
import os

import numpy as np

from ...errors import ImageError
from ...messages import reason
from ...models.protocol import Array
from ..opencv import Image, cv2
from .file_header import header_of
from .resize import crop_of, resize
from .target_format import TargetFormat

_PILLOW_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
# Grey images of more than 8 bits keep their values, as in Keras.
_DEEP_GREYS = ("I", "I;16")
# A JPEG is decoded at a scale at which it has at least so many times the target's size.
_MARGIN = 2
_REDUCED = {
    1: (cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE),
    2: (cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
    4: (cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
    8: (cv2.IMREAD_REDUCED_COLOR_8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
}


def read(path: str, target: TargetFormat) -> Array:
    """The image in a file, of shape `(rows, columns, channels)`; uint8, deep greys float32.

    Images of three channels may have a meaningless fourth one: see `channels`.

    Raises:
        ImageError: The file cannot be read, or holds no complete image of a permitted size.
    """
    try:
        with open(path, "rb", buffering=0, opener=_at_once) as file:
            data = file.read()
        return decode(data, target)
    except ImageError as error:
        raise ImageError(f"The file {path} {error}.") from error.__cause__
    except OSError as error:
        why = error.strerror or reason(error)
        raise ImageError(f"The file {path} cannot be read: {why}.") from error


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting; a pipe that nobody writes to is empty."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def decode(data: bytes, target: TargetFormat) -> Array:
    """The image in the contents of a file.

    Raises:
        ImageError: There is no image, or a broken or too large one; a sentence without its subject.
    """
    if not data:
        raise ImageError("is empty")
    image = _by_opencv(data, target)
    if image is None:
        image = _by_pillow(data, target)
    image = resize(image, target)
    return image if image.ndim == 3 else image[:, :, None]


def _by_opencv(data: bytes, target: TargetFormat) -> Array | None:
    """The image as OpenCV decodes it; `None` if only Pillow does what Keras would."""
    header = header_of(data)
    if header is None or header.rows * header.cols > (Image.MAX_IMAGE_PIXELS or np.inf):
        return None
    if target.color_mode == "rgba" and not header.jpeg:
        if header.channels != 4:
            return None
        flags = cv2.IMREAD_UNCHANGED
    else:
        scale = _scale(header.rows, header.cols, target) if header.jpeg else 1
        # Only grey files: OpenCV's decoders have greys of their own for colours.
        grey = target.color_mode == "grayscale" and header.channels == 1
        flags = _REDUCED[scale][grey] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # Pillow may decode the file, or tell what is wrong
        return None
    return None if image is None else _in_colours(image, target.color_mode)


def _by_pillow(data: bytes, target: TargetFormat) -> Array:
    """The image as Pillow, and therefore Keras, decodes it."""
    wanted = _PILLOW_MODES[target.color_mode]
    try:
        with Image.open(io.BytesIO(data)) as opened:  # refuses bombs before it decodes
            if target.color_mode == "grayscale" and opened.mode in _DEEP_GREYS:
                return np.asarray(opened).astype(np.float32)
            return np.asarray(opened if opened.mode == wanted else opened.convert(wanted))
    except Image.DecompressionBombError as error:
        what = f"holds more pixels than may be decoded (decompression bomb): {reason(error)}"
        raise ImageError(f"{what}; PIL.Image.MAX_IMAGE_PIXELS sets the limit") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"of {len(data)} bytes is no image that is known") from error
    except Exception as error:  # decoders raise what they like
        raise ImageError(f"holds a broken or truncated image: {reason(error)}") from error


def _scale(rows: int, cols: int, target: TargetFormat) -> int:
    """The largest reduction at which the image is still `_MARGIN` times the target."""
    size = target.target_size
    left, upper, right, lower = crop_of(rows, cols, target)
    most = min((lower - upper) / size[0], (right - left) / size[1]) / _MARGIN
    return max(scale for scale in _REDUCED if scale <= max(1, most))


def _in_colours(image: Array, color_mode: str) -> Array:
    """OpenCV's blue, green, red as red, green, blue and a fourth channel, or as Pillow's grey."""
    if image.ndim == 2:
        return image
    if image.shape[2] == 4:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA, image))
    colours = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGBA))
    if color_mode == "grayscale":
        return np.asarray(Image.fromarray(colours).convert(_PILLOW_MODES[color_mode]))
    return colours
