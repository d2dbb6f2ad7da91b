"""The part of the images that a `subset` is: validation has the first images, training the rest."""

from __future__ import annotations

from collections.abc import Iterable

from ...caller_warnings import warn
from ...errors import ArgumentError, ImageWarning
from ...messages import Message
from .. import arguments

Share = tuple[float, float]  # begin and end, as fractions of all images


def share_of(validation_split: float, subset: str | None) -> Share:
    """The share that a subset has.

    Raises:
        ArgumentError: An unknown subset, or validation without a `validation_split`.
    """
    arguments.one_of(subset, "subset", ("training", "validation", None))
    if subset == "validation" and not validation_split:
        rule = '= "validation" needs a share of the images: give the generator a '
        raise ArgumentError.of("subset", f"{rule}`validation_split`, such as 0.2.")
    if subset is None:
        return 0.0, 1.0
    return (0.0, validation_split) if subset == "validation" else (validation_split, 1.0)


def part_of(count: int, share: Share) -> slice:
    """A share of `count` images."""
    return slice(int(share[0] * count), int(share[1] * count))


def warn_of_lacking(
    subset: str | None, inside: Iterable[str], everywhere: Iterable[str], why: str
) -> None:
    """Warn if a subset lacks classes that the images have outside of it; `why` it may."""
    lacking = sorted(set(everywhere) - set(inside))
    if subset is not None and lacking:
        text = "`subset` = {subset!r} has no images of classes that the other part has: {names!l}. "
        warn(Message(text + "{why}", subset=subset, names=lacking, why=why), ImageWarning)
