"""The checked arguments of an image generator: all that its transformations depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from ..caller_warnings import warn
from ..errors import ImageWarning
from ..messages import Message
from . import arguments

_NUMBERS = ("rotation_range", "shear_range", "channel_shift_range", "cval")
# A normalisation, what it needs or replaces, and the value that it sets.
_IMPLIED = (
    ("zca_whitening", "featurewise_center", True),
    ("zca_whitening", "featurewise_std_normalization", False),
    ("featurewise_std_normalization", "featurewise_center", True),
    ("samplewise_std_normalization", "samplewise_center", True),
)


@dataclass(eq=False, repr=False)
class Settings:
    """The arguments of `ImageDataGenerator`, which documents them, and what `fit` has learned.

    Users read and assign these attributes, also after construction.

    Attributes:
        channel_axis: Axis of the channels in a batch.
        row_axis: Axis of the rows.
        col_axis: Axis of the columns.
        mean: The mean that `fit` has learned, `None` before; so are `std` and
            `zca_whitening_matrix`.
    """

    featurewise_center: bool = False
    samplewise_center: bool = False
    featurewise_std_normalization: bool = False
    samplewise_std_normalization: bool = False
    zca_whitening: bool = False
    zca_epsilon: float = 1e-6
    rotation_range: float = 0
    width_shift_range: Any = 0.0
    height_shift_range: Any = 0.0
    brightness_range: Any = None
    shear_range: float = 0.0
    zoom_range: Any = 0.0
    channel_shift_range: float = 0.0
    fill_mode: str = "nearest"
    cval: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    rescale: float | None = None
    preprocessing_function: Callable[[Any], Any] | None = None
    data_format: str | None = None
    validation_split: float = 0.0
    interpolation_order: int = 1
    dtype: Any = None

    def __post_init__(self) -> None:
        for field in fields(Settings):
            if isinstance(field.default, bool):
                setattr(self, field.name, bool(getattr(self, field.name)))
        for argument in _NUMBERS:
            setattr(self, argument, arguments.number(getattr(self, argument), argument))
        self.zca_epsilon = arguments.number(self.zca_epsilon, "zca_epsilon", 0)
        self.width_shift_range = arguments.shift(self.width_shift_range, "width_shift_range")
        self.height_shift_range = arguments.shift(self.height_shift_range, "height_shift_range")
        self.brightness_range = arguments.brightness(self.brightness_range)
        self.zoom_range = arguments.zoom(self.zoom_range)
        self.fill_mode = arguments.one_of(self.fill_mode, "fill_mode", arguments.FILL_MODES)
        self.rescale = None if self.rescale is None else arguments.number(self.rescale, "rescale")
        self.preprocessing_function = arguments.function(
            self.preprocessing_function, "preprocessing_function"
        )
        self.data_format = arguments.data_format(self.data_format)
        self.interpolation_order = arguments.order(self.interpolation_order)
        self.dtype = arguments.dtype(self.dtype)
        self.validation_split = arguments.split(self.validation_split)
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self.mean: Any = None
        self.std: Any = None
        self.zca_whitening_matrix: Any = None
        for normalisation, argument, value in _IMPLIED:
            if getattr(self, normalisation) and getattr(self, argument) != value:
                setattr(self, argument, value)
                text = "`{by}` = {True} makes `{it}` {value!r}; say so, to be rid of this warning."
                warn(Message(text, by=normalisation, it=argument, value=value), ImageWarning)

    def __repr__(self) -> str:
        """The arguments that differ from their defaults."""
        default = Settings()
        given = {field.name: getattr(self, field.name) for field in fields(Settings)}
        shown = (
            f"{argument}={getattr(value, '__name__', None) or repr(value)}"
            for argument, value in given.items()
            if value != getattr(default, argument)
        )
        return f"{type(self).__name__}({', '.join(shown)})"
