"""The normalisation of images, and what it learns from sample images."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from ...messages import Message, describe, dtype_of
from ...models.protocol import Array
from ..settings import Settings
from .seeded_function import Seeded

# Added to standard deviations, which may be 0.
_LEAST_DEVIATION = 1e-6
# The settings that compute with the values of an image.
_COMPUTED = (
    *("rescale", "samplewise_center", "samplewise_std_normalization", "featurewise_center"),
    *("featurewise_std_normalization", "zca_whitening"),
)
_NEEDED = {
    "featurewise_center": "mean",
    "featurewise_std_normalization": "std",
    "zca_whitening": "zca_whitening_matrix",
}


def learn(settings: Settings, images: Array) -> None:
    """Set mean, standard deviation and whitening matrix of `settings`; changes `images`."""
    axes = (0, settings.row_axis, settings.col_axis)
    if settings.featurewise_center:
        settings.mean = np.mean(images, axis=axes, keepdims=True)[0]
        images -= settings.mean
    if settings.featurewise_std_normalization:
        settings.std = np.std(images, axis=axes, keepdims=True)[0]
        images /= settings.std + _LEAST_DEVIATION
    if settings.zca_whitening:
        flat = images.reshape(len(images), -1)
        vectors, values, _ = np.linalg.svd(flat.T, full_matrices=False)
        scaled = vectors * (math.sqrt(len(images)) / (values + settings.zca_epsilon))
        settings.zca_whitening_matrix = scaled @ vectors.T


def check_learned(settings: Settings) -> None:
    """Check that `fit` has learned what the normalisation needs.

    Raises:
        ArgumentError: `fit` was not called.
    """
    for argument, attribute in _NEEDED.items():
        if getattr(settings, argument) and getattr(settings, attribute) is None:
            rule = Message(
                "needs what is learned from sample images: call {fit to images} before the first "
                "batch."
            )
            raise ArgumentError.of(argument, rule)


def standardize(settings: Settings, x: Array, seed: int | None = None) -> Array:
    """Normalise an image or a batch, in place where possible, and return it.

    `seed` is the seed of the random numbers of a `Seeded` function.

    Raises:
        ArgumentError: `fit` was not called, or the user's function changed the shape.
        ArgumentTypeError: `x` cannot be changed in place.
    """
    check_learned(settings)
    _check_floating(settings, x)
    if settings.preprocessing_function is not None:
        x = _preprocessed(settings.preprocessing_function, x, seed)
    if settings.rescale:
        x *= settings.rescale
    if settings.samplewise_center:
        x -= np.mean(x, keepdims=True)
    if settings.samplewise_std_normalization:
        x /= np.std(x, keepdims=True) + _LEAST_DEVIATION
    if settings.featurewise_center:
        x -= settings.mean
    if settings.featurewise_std_normalization:
        x /= settings.std + _LEAST_DEVIATION
    if settings.zca_whitening:
        x[...] = _whitened(x, settings.zca_whitening_matrix)
    return x


def _check_floating(settings: Settings, x: Any) -> None:
    given = (getattr(settings, argument) for argument in _COMPUTED)
    if not (isinstance(x, np.ndarray) and x.dtype.kind == "f") and any(given):
        what = f" and dtype {x.dtype}" if isinstance(x, np.ndarray) else ""
        rule = "must be an array of floating dtype, as it is normalised in place, such as "
        raise ArgumentTypeError.of("x", f'{rule}x.astype("float32"); not {describe(x)}{what}.')


def _preprocessed(function: Callable[[Any], Any], x: Array, seed: int | None) -> Array:
    """The image after the user's function, which may work in place or return a new array."""
    if seed is not None and isinstance(function, Seeded):
        result = function.seeded(x, seed)
    else:
        result = function(x)
    if result is not x:
        np.copyto(x, _image_like(x, result), casting="unsafe")
    return x


def _image_like(x: Array, result: Any) -> Array:
    """What the user's function returned, as real numbers of the shape of `x`."""
    found = describe(result)
    with suppress(Exception):  # what arrays are made of raises what it likes
        made = np.asarray(result)
        if made.shape == x.shape and made.dtype.kind in "fiub":
            return made
        shape = "" if hasattr(result, "shape") else f", with the shape {made.shape}"
        found += f"{shape} and the dtype {dtype_of(made)}"
    rule = f"must return an image of the shape that it was given, {x.shape}, of real numbers, not "
    raise ArgumentError.of("preprocessing_function", f"{rule}{found}.")


def _whitened(x: Array, matrix: Array) -> Array:
    size = math.prod(x.shape[-3:])
    if matrix.shape[0] != size:
        rule = (
            "was fitted on images of {fitted} values; these have {size}, of shape {shape}. Call "
            "{fit to images} with images of that shape."
        )
        given = {"fitted": matrix.shape[0], "size": size, "shape": x.shape[-3:]}
        raise ArgumentError.of("zca_whitening", rule, **given)
    return np.reshape(x.reshape(-1, size) @ matrix, x.shape)
