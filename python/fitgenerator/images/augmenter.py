"""The methods of an image generator for single images, and what it learns from sample images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arguments import whole
from ..models.protocol import Array
from . import arguments
from .settings import Settings
from .transform import normalisation, random_parameters
from .transform.transform import transform, working_dtype


class Augmenter(Settings):
    """Random transformations and normalisation of single images."""

    def standardize(self, x: Array) -> Array:
        """Normalise an image or a batch in place: everything but the random transformations.

        Args:
            x: Array of floating dtype.

        Returns:
            `x`.

        Raises:
            ValueError: `fit` was not called, or `preprocessing_function` changed the shape.
        """
        return normalisation.standardize(self, x)

    def get_random_transform(
        self, img_shape: tuple[int, ...], seed: int | None = None
    ) -> dict[str, Any]:
        """Draw random parameters of a transformation, for `apply_transform`.

        Args:
            img_shape: Shape of one image.
            seed: Seed of the parameters; `None` draws from `numpy.random`.
        """
        return random_parameters.draw(self, tuple(img_shape), random_parameters.random_of(seed))

    def apply_transform(self, x: Any, transform_parameters: Mapping[str, Any]) -> Array:
        """Transform one image with given parameters.

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
        transform(self, image, transform_parameters, out)
        if given.dtype.kind in "iu":
            bounds = np.iinfo(given.dtype)
            np.clip(np.rint(out), bounds.min, bounds.max, out=out)
        return (out.transpose(2, 0, 1) if first else out).astype(given.dtype, copy=False)

    def random_transform(self, x: Any, seed: int | None = None) -> Array:
        """Transform one image at random, into a new array of the same shape and dtype.

        Args:
            x: An image in the generator's `data_format`.
            seed: As for `get_random_transform`.
        """
        image = arguments.image(x)
        return self.apply_transform(image, self.get_random_transform(image.shape, seed))

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Learn mean, standard deviation and whitening from sample images.

        Args:
            x: Images as `flow` takes them. They are not changed: `rescale` is applied to a copy
                first.
            augment: Whether to learn from random transformations of the images.
            rounds: Number of transformations of each image, with `augment`.
            seed: Seed of the transformations; `None` draws from `numpy.random`.

        Raises:
            ValueError: `x` is not of rank 4, or holds no image.
        """
        given = arguments.images(x, self.data_format, self.channel_axis)
        images = given.astype(working_dtype(self.dtype))
        if self.rescale:
            images *= self.rescale
        if augment:
            random = random_parameters.random_of(seed)
            transformed = [
                self.apply_transform(image, random_parameters.draw(self, image.shape, random))
                for _ in range(whole(rounds, "rounds", 1))
                for image in images
            ]
            images = np.stack(transformed)
        normalisation.learn(self, images)
