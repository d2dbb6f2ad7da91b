"""From an image to its row of the batch: transformed, then normalised, in the batch's layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .normalisation import standardize
from .subclass_methods import by_methods
from .transform import transform
from .warp import Filling

if TYPE_CHECKING:
    from ..augmenter import Augmenter

Array = np.ndarray[Any, Any]


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What images of `dtype` are computed in."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def fill_row(generator: Augmenter, image: Array, parameters: Mapping[str, Any], row: Array) -> None:
    """Write the transformed and normalised image into `row`.

    Args:
        generator: Transforms and normalises.
        image: Of shape `(rows, columns, channels)`.
        parameters: Of the transformation.
        row: In the generator's `data_format`.
    """
    dtype = working_dtype(row.dtype)
    if by_methods(generator, image, parameters, row, dtype):
        return
    made = row if row.dtype == dtype else np.empty(row.shape, dtype)
    if generator.data_format == "channels_first":
        out = np.empty((*image.shape[:2], len(made)), dtype)
        transform(image, parameters, out, filling_of(generator))
        np.copyto(made, out.transpose(2, 0, 1))
    else:
        transform(image, parameters, made, filling_of(generator))
    standardize(generator, made, parameters.get("seed"))
    if made is not row:
        np.copyto(row, made, casting="unsafe")


def filling_of(generator: Augmenter) -> Filling:
    """How the generator's warps make the points that they have to invent."""
    return Filling(generator.fill_mode, generator.cval, generator.interpolation_order)
