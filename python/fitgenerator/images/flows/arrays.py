"""A flow over images in memory, in one array."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import ArgumentError
from ...messages import Message, describe
from ...models.protocol import Array
from .. import arguments
from ..arguments import Path
from ..augmenter import Augmenter
from .batch_row import fill_row
from .image_flow import Batching, ImageFlow
from .subsets import part_of


class NumpyArrayIterator(ImageFlow):
    """Batches of images of an array; `ImageDataGenerator.flow`, which documents them, makes it.

    The arguments are those of Keras's class. The array is not copied: an array of `uint8` stays
    one, and a memory map stays on disk.

    Attributes:
        x: The images.
        x_misc: Further inputs.
        y: Targets, or `None`.
        sample_weight: Weight of each image, or `None`.
    """

    fixed = ImageFlow.fixed | {"x", "x_misc", "y"}

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Augmenter | None = None,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Path | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: Any = None,
    ) -> None:
        batching = Batching(
            generator=image_data_generator or Augmenter(),
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            data_format=data_format,
            dtype=dtype,
        )
        x, further = _inputs(x)
        generator = batching.generator
        images = arguments.images(x, generator.data_format, generator.channel_axis)
        parts = [_rows(part, "x", len(images)) for part in further]
        y = None if y is None else _rows(y, "y", len(images))
        weight = None if sample_weight is None else _rows(sample_weight, "sample_weight", len(x))
        rows = _part_of(len(images), batching)
        if y is not None and subset is not None and not ignore_class_split:
            _check_classes(y, rows)
        self.x = images[rows]
        self.x_misc = [part[rows] for part in parts]
        self.y = None if y is None else y[rows]
        self.sample_weight = None if weight is None else weight[rows]
        super().__init__(len(self.x), self.x.shape[1:], batching)

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
        return self._weighted(inputs, None if self.y is None else self.y[indices], indices)


def _inputs(x: Any) -> tuple[Any, list[Any]]:
    """The images, and the other inputs: `(images, further)` or `(images, [further, ...])`."""
    if not isinstance(x, (list, tuple)):
        return x, []
    if len(x) != 2:
        rule = f"must be an array of images, or two: (images, other inputs), not {describe(x)}."
        raise ArgumentError.of("x", rule)
    images, further = x
    return images, list(further) if isinstance(further, list) else [further]


def _rows(given: Any, argument: str, rows: int) -> Array:
    array = np.asarray(given)
    if not array.ndim or len(array) != rows:
        rule = f"must have a row for each of the {rows} images, not the shape {array.shape}."
        raise ArgumentError.of(argument, rule)
    return array


def _part_of(count: int, batching: Batching) -> slice:
    part = part_of(count, batching.share)
    if part.start == part.stop:
        rule = "= {subset!r} has 0 of the {count} images."
        raise ArgumentError.of("subset", rule, subset=batching.subset, count=count)
    return part


def _check_classes(y: Array, part: slice) -> None:
    inside, outside = y[part], np.concatenate([y[: part.start], y[part.stop :]])
    if not np.array_equal(np.unique(inside), np.unique(outside)):
        text = Message(
            "`subset`: training and validation images would have different classes; shuffle "
            "the arrays first, or give `ignore_class_split` = {True}."
        )
        raise ArgumentError(text, argument="subset")
