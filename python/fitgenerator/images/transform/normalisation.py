"""What is learned from sample images, and the normalisation of images by it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from ...messages import Message, describe
from .seeded_function import Seeded

if TYPE_CHECKING:
    from ..augmenter import Augmenter

Array = np.ndarray[Any, Any]

# Keeps a division by a standard deviation of 0 away.
_LEAST_DEVIATION = 1e-6
# What changes the values.
_COMPUTED = (
    *("rescale", "samplewise_center", "samplewise_std_normalization", "featurewise_center"),
    *("featurewise_std_normalization", "zca_whitening"),
)
_NEEDED = {
    "featurewise_center": "mean",
    "featurewise_std_normalization": "std",
    "zca_whitening": "zca_whitening_matrix",
}


def learn(generator: Augmenter, images: Array) -> None:
    """Set the generator's mean, standard deviation and whitening matrix; changes `images`."""
    axes = (0, generator.row_axis, generator.col_axis)
    if generator.featurewise_center:
        generator.mean = np.mean(images, axis=axes, keepdims=True)[0]
        images -= generator.mean
    if generator.featurewise_std_normalization:
        generator.std = np.std(images, axis=axes, keepdims=True)[0]
        images /= generator.std + _LEAST_DEVIATION
    if generator.zca_whitening:
        flat = images.reshape(len(images), -1)
        vectors, values, _ = np.linalg.svd(flat.T, full_matrices=False)
        scaled = vectors * (math.sqrt(len(images)) / (values + generator.zca_epsilon))
        generator.zca_whitening_matrix = scaled @ vectors.T


def check_learned(generator: Augmenter) -> None:
    """See that what is to be normalised by was learned.

    Raises:
        ArgumentError: `fit` was not called.
    """
    for argument, attribute in _NEEDED.items():
        if getattr(generator, argument) and getattr(generator, attribute) is None:
            rule = Message(
                "needs what is learned from sample images: call {fit to images} before the first "
                "batch."
            )
            raise ArgumentError.of(argument, rule)


def standardize(generator: Augmenter, x: Array, seed: int | None = None) -> Array:
    """Normalise an image, or a batch of them, in place where that can be; returns it.

    `seed` is of the random numbers of a `Seeded` function.

    Raises:
        ArgumentError: `fit` was not called, or the user's function changed the shape.
        ArgumentTypeError: `x` cannot be changed in place.
    """
    check_learned(generator)
    _check_floating(generator, x)
    if generator.preprocessing_function is not None:
        x = _preprocessed(generator.preprocessing_function, x, seed)
    if generator.rescale:
        x *= generator.rescale
    if generator.samplewise_center:
        x -= np.mean(x, keepdims=True)
    if generator.samplewise_std_normalization:
        x /= np.std(x, keepdims=True) + _LEAST_DEVIATION
    if generator.featurewise_center:
        x -= generator.mean
    if generator.featurewise_std_normalization:
        x /= generator.std + _LEAST_DEVIATION
    if generator.zca_whitening:
        x[...] = _whitened(x, generator.zca_whitening_matrix)
    return x


def _check_floating(generator: Augmenter, x: Any) -> None:
    given = (getattr(generator, argument) for argument in _COMPUTED)
    if not (isinstance(x, np.ndarray) and x.dtype.kind == "f") and any(given):
        what = f" and dtype {x.dtype}" if isinstance(x, np.ndarray) else ""
        raise ArgumentTypeError.of(
            "x",
            "must be an array of floating dtype, as it is normalised in place, such as "
            f'x.astype("float32"); not {describe(x)}{what}.',
        )


def _preprocessed(function: Callable[[Any], Any], x: Array, seed: int | None) -> Array:
    """What the user's function makes of an image; it may work in place or return a new array."""
    if seed is not None and isinstance(function, Seeded):
        result = function.seeded(x, seed)
    else:
        result = function(x)
    if result is not x:
        _take_over(x, result)
    return x


def _take_over(x: Array, result: Any) -> None:
    made = np.asarray(result)
    if made.shape != x.shape or made.dtype.kind not in "fiub":
        raise ArgumentError.of(
            "preprocessing_function",
            "must return an image of the shape that it was given, "
            f"{x.shape}, not {describe(result)}.",
        )
    np.copyto(x, made, casting="unsafe")


def _whitened(x: Array, matrix: Any) -> Array:
    size = math.prod(x.shape[-3:])
    if matrix.shape[0] != size:
        raise ArgumentError.of(
            "zca_whitening",
            "was fitted on images of {fitted} values; these have {size}, of shape {shape}. Call "
            "{fit to images} with images of that shape.",
            fitted=matrix.shape[0],
            size=size,
            shape=x.shape[-3:],
        )
    return np.reshape(x.reshape(-1, size) @ matrix, x.shape)
