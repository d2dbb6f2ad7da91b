"""A flow over images that are in memory, in one array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...caller_warnings import warn
from ...errors import ArgumentError, ArgumentTypeError, ImageWarning
from ...messages import Message, describe
from ..transform.batch_row import fill_row
from .base import Array, Batching, Iterator
from .subsets import part_of

if TYPE_CHECKING:
    from ..augmenter import Augmenter


class NumpyArrayIterator(Iterator):
    """Batches of images of an array; `ImageDataGenerator.flow` makes it.

    The array is not copied: an array of `uint8` stays one, and a memory map stays on disk.

    Attributes:
        x: The images.
        x_misc: Further inputs.
        y: Targets, or `None`.
        sample_weight: Weight of each image, or `None`.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        generator: Augmenter,
        batching: Batching,
        *,
        sample_weight: Any,
        ignore_class_split: Any,
    ) -> None:
        x, further = _inputs(x)
        images = check_images(x, "x", generator)
        parts = [_rows(part, "x", len(images)) for part in further]
        y = None if y is None else _rows(y, "y", len(images))
        weight = None if sample_weight is None else _rows(sample_weight, "sample_weight", len(x))
        rows = _share(len(images), y, generator, batching.subset, bool(ignore_class_split))
        self.x = images[rows]
        self.x_misc = [part[rows] for part in parts]
        self.y = None if y is None else y[rows]
        self.sample_weight = None if weight is None else weight[rows]
        super().__init__(len(self.x), self.x.shape[1:], generator, batching)

    def _label(self, index: int) -> int:
        return int(index) + 1

    def _fill(self, row: Array, index: int, parameters: dict[str, Any]) -> bool:
        image = self.x[index]
        if self.data_format == "channels_first":
            image = image.transpose(1, 2, 0)
        fill_row(self.image_data_generator, image, parameters, row)
        return True

    def _with_targets(self, x: Array, indices: Array) -> Any:
        inputs = [x, *(part[indices] for part in self.x_misc)] if self.x_misc else x
        if self.y is None:
            return inputs
        if self.sample_weight is None:
            return inputs, self.y[indices]
        return inputs, self.y[indices], self.sample_weight[indices]


def check_images(x: Any, argument: str, generator: Augmenter) -> Array:
    """`x` as an array of images; warns where its channels are an odd number.

    Raises:
        ArgumentError: It is not of rank 4.
        ArgumentTypeError: It holds no numbers.
    """
    shape = "(images, height, width, channels)"
    if generator.data_format == "channels_first":
        shape = "(images, channels, height, width)"
    try:
        images = np.asarray(x)
    except ValueError as error:
        raise ArgumentError.of(
            argument, f"must be one array of shape {shape}: images of one size."
        ) from error
    if images.dtype.kind not in "fiub":
        raise ArgumentTypeError.of(
            argument, f"must hold numbers, not {describe(x)} of dtype {images.dtype}."
        )
    if images.ndim != 4:
        raise ArgumentError.of(
            argument, f"must be an array of rank 4, {shape}, not of shape {images.shape}."
        )
    if not len(images):
        raise ArgumentError.of(argument, "must hold at least one image; it has 0.")
    channels = images.shape[generator.channel_axis]
    if channels not in (1, 3, 4):
        text = (
            f"`{argument}` of shape {images.shape} has {channels} channels in the layout "
            f"{generator.data_format!r}, {shape}; images have 1, 3 or 4."
        )
        warn(text, ImageWarning)
    return images


def _inputs(x: Any) -> tuple[Any, list[Any]]:
    """The images, and the inputs beside them: `(images, further)` or `(images, [further, ...])`."""
    if not isinstance(x, (list, tuple)):
        return x, []
    if len(x) != 2:
        raise ArgumentError.of(
            "x", f"must be an array of images, or two: (images, other inputs), not {describe(x)}."
        )
    images, further = x
    return images, list(further) if isinstance(further, list) else [further]


def _rows(given: Any, argument: str, rows: int) -> Array:
    array = np.asarray(given)
    if not array.ndim or len(array) != rows:
        raise ArgumentError.of(
            argument, f"must have a row for each of the {rows} images, not the shape {array.shape}."
        )
    return array


def _share(
    count: int, y: Array | None, generator: Augmenter, subset: Any, ignore_classes: bool
) -> slice:
    begin, end = (int(edge * count) for edge in part_of(generator, subset))
    if begin == end:
        rule = "= {subset!r} has 0 of the {count} images."
        raise ArgumentError.of("subset", rule, subset=subset, count=count)
    if subset is not None and y is not None and not ignore_classes:
        inside, outside = y[begin:end], np.concatenate([y[:begin], y[end:]])
        if not np.array_equal(np.unique(inside), np.unique(outside)):
            text = Message(
                "`subset`: training and validation images would have different classes; shuffle "
                "the arrays first, or give `ignore_class_split` = {True}."
            )
            raise ArgumentError(text, argument="subset")
    return slice(begin, end)
