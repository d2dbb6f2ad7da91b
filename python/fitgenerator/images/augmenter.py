"""What is done to images: the settings, and the methods for single images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arguments import whole
from ..caller_warnings import warn
from ..errors import ImageWarning
from ..messages import Message
from . import arguments
from .flows import portraits
from .flows.arrays import check_images
from .transform import normalisation, random_parameters
from .transform.batch_row import filling_of, working_dtype
from .transform.transform import transform

Array = np.ndarray[Any, Any]

_SWITCHES = (
    *("featurewise_center", "samplewise_center", "featurewise_std_normalization"),
    *("samplewise_std_normalization", "zca_whitening", "horizontal_flip", "vertical_flip"),
)
_NUMBERS = ("rotation_range", "shear_range", "channel_shift_range", "cval")


@dataclass(eq=False, repr=False)
class Augmenter:
    """Random transformations and normalisation; `ImageDataGenerator` says what the fields are.

    Attributes:
        channel_axis: Of the channels in a batch.
        row_axis: Of the rows.
        col_axis: Of the columns.
        mean: What `fit` learned, `None` before; as `std` and `zca_whitening_matrix`.
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
        for argument in _SWITCHES:
            setattr(self, argument, bool(getattr(self, argument)))
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
        self._include()

    def _include(self) -> None:
        """Switch on what a normalisation builds on, and off what it replaces."""
        if self.zca_whitening:
            self._override("zca_whitening", "featurewise_center", True)
            self._override("zca_whitening", "featurewise_std_normalization", False)
        if self.featurewise_std_normalization:
            self._override("featurewise_std_normalization", "featurewise_center", True)
        if self.samplewise_std_normalization:
            self._override("samplewise_std_normalization", "samplewise_center", True)

    def _override(self, by: str, argument: str, value: bool) -> None:
        if getattr(self, argument) != value:
            setattr(self, argument, value)
            text = "`{by}` = {True} makes `{it}` {value!r}; say so, to be rid of this warning."
            warn(Message(text, by=by, it=argument, value=value), ImageWarning)

    def __repr__(self) -> str:
        return portraits.of_generator(self)

    def standardize(self, x: Array) -> Array:
        """Normalise an image or a batch, in place: everything but the random transformations.

        Args:
            x: Of floating dtype.

        Returns:
            `x`.

        Raises:
            ValueError: `fit` was not called, or `preprocessing_function` changed the shape.
        """
        return normalisation.standardize(self, x)

    def get_random_transform(
        self, img_shape: tuple[int, ...], seed: int | None = None
    ) -> dict[str, Any]:
        """Random parameters of a transformation, for `apply_transform`.

        Args:
            img_shape: Shape of one image.
            seed: Of the parameters; `None`: drawn from `numpy.random`.
        """
        random = np.random if seed is None else np.random.RandomState(arguments.seed(seed))
        return random_parameters.draw(self, tuple(img_shape), random)

    def apply_transform(self, x: Any, transform_parameters: Mapping[str, Any]) -> Array:
        """The transformation of one image with given parameters.

        Args:
            x: An image in the generator's `data_format`.
            transform_parameters: Any of "theta" (degrees), "tx" (pixels to the left), "ty" (pixels
                up), "shear" (degrees), "zx" and "zy" (factors by width and height, below 1
                enlarges), "flip_horizontal", "flip_vertical", "channel_shift_intensity",
                "brightness" (a factor).

        Returns:
            A new array of the same shape and dtype.
        """
        given = arguments.image(x)
        first = self.data_format == "channels_first"
        image = given.transpose(1, 2, 0) if first else given
        out = np.empty(image.shape, working_dtype(given.dtype))
        transform(image, transform_parameters, out, filling_of(self))
        if given.dtype.kind in "iu":
            bounds = np.iinfo(given.dtype)
            np.clip(np.rint(out), bounds.min, bounds.max, out=out)
        return (out.transpose(2, 0, 1) if first else out).astype(given.dtype, copy=False)

    def random_transform(self, x: Any, seed: int | None = None) -> Array:
        """A random transformation of one image: a new array of the same shape and dtype.

        Args:
            x: An image in the generator's `data_format`.
            seed: As for `get_random_transform`.
        """
        image = arguments.image(x)
        return self.apply_transform(image, self.get_random_transform(image.shape, seed))

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Learn mean, standard deviation and whitening from sample images.

        Args:
            x: Images as `flow` takes them; not changed. `rescale` is applied to a copy first.
            augment: Whether to learn from random transformations of them.
            rounds: How many of each image, then.
            seed: Of these; `None`: drawn from `numpy.random`.

        Raises:
            ValueError: `x` is not of rank 4, or holds no image.
        """
        images = check_images(x, "x", self).astype(working_dtype(self.dtype))
        if self.rescale:
            images *= self.rescale
        if augment:
            random = np.random if seed is None else np.random.RandomState(arguments.seed(seed))
            times = whole(rounds, "rounds", 1)
            drawn = (self._drawn(image, random) for _ in range(times) for image in images)
            images = np.stack(list(drawn))
        normalisation.learn(self, images)

    def _drawn(self, image: Array, random: Any) -> Array:
        return self.apply_transform(image, random_parameters.draw(self, image.shape, random))
