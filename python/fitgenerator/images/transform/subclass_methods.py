"""Methods of the generator that a subclass has replaced, as its flows call them.

Flows write each image straight into its batch, without the methods for single images. Keras's flows
call these methods, so that a subclass may have its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reading.channels import unpadded
from .normalisation import standardize
from .random_parameters import draw

if TYPE_CHECKING:
    from ..augmenter import Augmenter

Array = np.ndarray[Any, Any]


def replaced(generator: Augmenter, method: str) -> bool:
    """Whether the generator's method is not the one that it had from us."""
    from ..augmenter import Augmenter

    return getattr(getattr(generator, method), "__func__", None) is not getattr(Augmenter, method)


def drawn(generator: Augmenter, shape: tuple[int, ...], random: Any) -> dict[str, Any]:
    """The parameters of one image of a flow, drawn from `random`."""
    if not replaced(generator, "get_random_transform"):
        return draw(generator, shape, random)
    return dict(generator.get_random_transform(shape, int(random.randint(2**31 - 1))))


def by_methods(
    generator: Augmenter, image: Array, parameters: Mapping[str, Any], row: Array, dtype: Any
) -> bool:
    """Fill `row` through the generator's methods, where one of them was replaced."""
    transforms = replaced(generator, "apply_transform")
    standardizes = replaced(generator, "standardize")
    if not (transforms or standardizes):
        return False
    first = generator.data_format == "channels_first"
    if image.shape[2] > row.shape[0 if first else 2]:
        image = unpadded(image)
    x = generator.apply_transform(
        np.array(image.transpose(2, 0, 1) if first else image, dtype), parameters
    )
    if standardizes:
        x = generator.standardize(x)
    else:
        x = standardize(generator, x, parameters.get("seed"))
    np.copyto(row, x, casting="unsafe")
    return True
