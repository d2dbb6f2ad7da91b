"""Which part of the images a `subset` is: validation has the first, training the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ArgumentError
from .. import arguments

if TYPE_CHECKING:
    from ..augmenter import Augmenter


def part_of(generator: Augmenter, subset: Any) -> tuple[float, float]:
    """Begin and end of the part, as fractions of all images.

    Raises:
        ArgumentError: An unknown subset, or validation without a `validation_split`.
    """
    arguments.one_of(subset, "subset", (*arguments.SUBSETS, None))
    share = generator.validation_split
    if subset == "validation" and not share:
        raise ArgumentError.of(
            "subset",
            '= "validation" needs a share of the images: give the generator a '
            "`validation_split`, such as 0.2.",
        )
    if subset is None:
        return 0.0, 1.0
    return (0.0, share) if subset == "validation" else (share, 1.0)
