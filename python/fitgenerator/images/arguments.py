"""Checks of the arguments of image generators and flows: errors say what was expected and given.

Each function returns the value as it is used, or raises an `ArgumentError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..arguments import whole
from ..caller_warnings import warn
from ..errors import ArgumentError, ArgumentTypeError, ImageWarning
from ..messages import describe
from ..models.protocol import Array
from ..r_functions import bridge_of

Path = str | os.PathLike[str]

FILL_MODES = ("nearest", "constant", "reflect", "wrap")
# Orders of interpolation from nearest neighbour (0) up, as SciPy counts them.
HIGHEST_ORDER = 5


def number(value: Any, argument: str, least: float = -np.inf) -> float:
    """A finite number of at least `least`; whole numbers stay whole."""
    plain = np.nan
    if not isinstance(value, (bool, np.bool_)) and isinstance(value, Real):
        plain = int(value) if isinstance(value, Integral) else float(value)
    if not np.isfinite(plain) or plain < least:
        bound = "" if least == -np.inf else f" of at least {least:g}"
        rule = "must be a number{bound}, not {value!r}."
        raise ArgumentError.of(argument, rule, bound=bound, value=value)
    return plain


def pair(value: Any, argument: str) -> tuple[float, float]:
    """A pair of numbers."""
    if not _is_list(value) or len(value) != 2:
        raise ArgumentError.of(argument, "must be two numbers, not {value!r}.", value=value)
    low, high = (number(v, argument) for v in value)
    return low, high


def zoom(value: float | Sequence[float]) -> list[float]:
    """`zoom_range` as lower and upper factor; a number z stands for 1 - z and 1 + z."""
    if _is_list(value):
        low, high = pair(value, "zoom_range")
    else:
        spread = number(value, "zoom_range", 0)
        low, high = 1 - spread, 1 + spread
    if min(low, high) < 0:
        rule = "must be a number from 0 to 1, or two factors of at least 0, not {value!r}."
        raise ArgumentError.of("zoom_range", rule, value=value)
    return [low, high]


def shift(value: float | Sequence[float], argument: str) -> float | list[float]:
    """`width_shift_range` or `height_shift_range`: a number, or a list of them."""
    if not _is_list(value):
        return number(value, argument)
    shifts = [number(v, argument) for v in np.ravel(np.asarray(value)).tolist()]
    if not shifts or np.ndim(value) != 1:
        rule = "must be a number or a list of them, not {value!r}."
        raise ArgumentError.of(argument, rule, value=value)
    return shifts


def brightness(value: Sequence[float] | None) -> tuple[float, float] | None:
    """`brightness_range`: two factors of at least 0."""
    if value is None:
        return None
    low, high = pair(value, "brightness_range")
    number(min(low, high), "brightness_range", 0)
    return low, high


def one_of(value: Any, argument: str, allowed: Collection[str | None]) -> Any:
    """`value`, one of a few names."""
    if not (value is None or isinstance(value, str)) or value not in allowed:
        rule = "must be one of {names!l}, not {value!r}."
        raise ArgumentError.of(argument, rule, names=allowed, value=value)
    return value


def function(value: Any, argument: str) -> Callable[[Any], Any] | None:
    """A function of one image, or `None`; a function of R as one that other threads may call.

    What cannot be called with one image is an `ArgumentTypeError`.
    """
    bridge = bridge_of(value)
    if bridge is not None:
        return bridge.image_function(value, argument)
    if value is not None and not callable(value):
        rule = "must be a function of one image, or {None}, not {what}."
        raise ArgumentTypeError.of(argument, rule, what=describe(value))
    return value  # type: ignore[no-any-return]


def image(value: ArrayLike) -> Array:
    """One image as an array of rank 3."""
    given = np.asarray(value)
    if given.ndim != 3:
        rule = "must be one image, an array of rank 3 (a grey one has 1 channel), not of shape "
        raise ArgumentError.of("x", f"{rule}{given.shape}.")
    return given


def images(value: ArrayLike, data_format: str | None, channel_axis: int) -> Array:
    """At least one image, as an array of rank 4; warns about an unusual number of channels.

    If `value` holds no numbers, this is an `ArgumentTypeError`.
    """
    shape = "(images, height, width, channels)"
    if data_format == "channels_first":
        shape = "(images, channels, height, width)"
    try:
        given = np.asarray(value)
    except ValueError as error:
        rule = f"must be one array of shape {shape}: images of one size."
        raise ArgumentError.of("x", rule) from error
    if given.dtype.kind not in "fiub":
        rule = f"must hold numbers, not {describe(value)} of dtype {given.dtype}."
        raise ArgumentTypeError.of("x", rule)
    if given.ndim != 4:
        rule = f"must be an array of rank 4, {shape}, not of shape {given.shape}."
        raise ArgumentError.of("x", rule)
    if not len(given):
        raise ArgumentError.of("x", "must hold at least one image; it has 0.")
    channels = given.shape[channel_axis]
    if channels not in (1, 3, 4):
        text = (
            f"`x` of shape {given.shape} has {channels} channels in the layout {data_format!r}, "
            f"{shape}; images have 1, 3 or 4."
        )
        warn(text, ImageWarning)
    return given


def order(value: int) -> int:
    """`interpolation_order`: a whole number from 0 to 5."""
    given = whole(value, "interpolation_order", 0)
    if given > HIGHEST_ORDER:
        rule = f"must be 0 (nearest), 1 (linear), 2 or 3 (cubic), 4 or 5 (Lanczos), not {given}."
        raise ArgumentError.of("interpolation_order", rule)
    return given


def data_format(value: str | None) -> str:
    """`data_format`; Keras's default if it is `None`."""
    given = keras.config.image_data_format() if value is None else value
    return str(one_of(given, "data_format", ("channels_last", "channels_first")))


def dtype(value: DTypeLike | None) -> np.dtype[Any]:
    """`dtype`, one of numbers; Keras's `floatx` if it is `None`."""
    try:
        given: np.dtype[Any] = np.dtype(keras.config.floatx() if value is None else value)
    except TypeError:
        given = np.dtype(object)
    if given.kind not in "fiu":
        rule = 'must be a NumPy dtype of numbers, such as "float32", not {value!r}.'
        raise ArgumentError.of("dtype", rule, value=value)
    return given


def split(value: float | None) -> float:
    """`validation_split`: a number from 0 to below 1."""
    fraction = number(value or 0.0, "validation_split", 0)
    if fraction >= 1:
        raise ArgumentError.of("validation_split", f"must be from 0 to below 1, not {fraction:g}.")
    return fraction


def size(value: Sequence[int]) -> tuple[int, int]:
    """`target_size`: rows and columns in pixels, at least 1 of each."""
    if not _is_list(value) or len(value) != 2:
        rule = "must be (height, width) in pixels, not {value!r}."
        raise ArgumentError.of("target_size", rule, value=value)
    height, width = (whole(v, "target_size", 1) for v in value)
    return height, width


def seed(value: int | None) -> int | None:
    """`seed`: a whole number below 2**32, or `None`."""
    if value is None:
        return None
    given = whole(value, "seed", 0)
    if given >= 2**32:
        raise ArgumentError.of("seed", f"must be below 2**32, not {given}.")
    return given


def folder(value: Any, argument: str) -> str:
    """The path of a folder that exists; what is no path is an `ArgumentTypeError`."""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        rule = "must be the path of a folder, not {value!r}."
        raise ArgumentTypeError.of(argument, rule, value=value)
    path = os.fsdecode(value)
    if not os.path.isdir(path):
        what = "is a file" if os.path.exists(path) else "does not exist"
        raise ArgumentError.of(argument, f"must be a folder; {path} {what}.")
    return path


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple, np.ndarray))
