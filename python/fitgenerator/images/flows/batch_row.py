"""From an image to its row of a flow's batch: transformed, then normalised.

A flow writes each image straight into its batch. Keras's flows instead call the generator's methods
for single images, which a subclass may therefore replace: replaced methods are called here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...models.protocol import Array
from ...sources.replaced import replaced
from ..augmenter import Augmenter
from ..reading.channels import unpadded
from ..transform import random_parameters
from ..transform.normalisation import standardize
from ..transform.transform import transform, working_dtype


def draw_parameters(
    generator: Augmenter, shape: tuple[int, ...], random: np.random.RandomState
) -> dict[str, Any]:
    """The random parameters of one image of a flow."""
    if not replaced(generator, Augmenter, "get_random_transform"):
        return random_parameters.draw(generator, shape, random)
    return dict(generator.get_random_transform(shape, int(random.randint(2**31 - 1))))


def fill_row(generator: Augmenter, image: Array, parameters: Mapping[str, Any], row: Array) -> None:
    """Write the transformed and normalised image into `row`.

    Args:
        generator: Transforms and normalises.
        image: Shape `(rows, columns, channels)`; may have a meaningless fourth channel.
        parameters: The parameters of the transformation.
        row: In the generator's `data_format`.
    """
    first = generator.data_format == "channels_first"
    dtype = working_dtype(row.dtype)
    transforms = replaced(generator, Augmenter, "apply_transform")
    standardizes = replaced(generator, Augmenter, "standardize")
    if transforms or standardizes:
        if image.shape[2] > row.shape[0 if first else 2]:
            image = unpadded(image)
        given = np.array(image.transpose(2, 0, 1) if first else image, dtype)
        made = generator.apply_transform(given, parameters)
    else:
        made = row if row.dtype == dtype else np.empty(row.shape, dtype)
        out = np.empty((*image.shape[:2], len(row)), dtype) if first else made
        transform(generator, image, parameters, out)
        if first:
            np.copyto(made, out.transpose(2, 0, 1))
    if standardizes:
        made = generator.standardize(made)
    else:
        standardize(generator, made, parameters.get("seed"))
    if made is not row:
        np.copyto(row, made, casting="unsafe")
