"""The base of our flows of images: the making of a batch, from its images to its targets."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...backends.aligned_memory import empty
from ...errors import ArgumentError, ErrorContext, locate
from ...models.protocol import Array
from ...sources.replaced import replaced
from ...sources.source import Source
from .. import arguments
from ..arguments import Path
from ..augmenter import Augmenter
from ..opencv import single_threaded
from ..transform.normalisation import check_learned
from ..transform.random_parameters import random_of
from ..transform.seeded_function import Seeded
from .base import Iterator
from .batch_row import draw_parameters
from .saving import Saving
from .subsets import Share, share_of


@dataclass(frozen=True)
class Batching:
    """The arguments that all flows have, as the user gave them, and what follows from them."""

    generator: Augmenter
    batch_size: int
    shuffle: bool
    seed: int | None
    save_to_dir: Path | None
    save_prefix: str
    save_format: str
    subset: str | None
    data_format: str | None
    dtype: Any

    def __post_init__(self) -> None:
        wanted, given = self.generator.data_format, self.data_format
        if given not in (None, wanted):
            rule = "must be that of the generator, {wanted!r}, or {None}; not {value!r}."
            raise ArgumentError.of("data_format", rule, wanted=wanted, value=given)

    @property
    def batch_dtype(self) -> np.dtype[Any]:
        """The dtype of batches, which is that of the generator where none was given."""
        return arguments.dtype(self.generator.dtype if self.dtype is None else self.dtype)

    @property
    def share(self) -> Share:
        """The share of the images that the subset is."""
        return share_of(self.generator.validation_split, self.subset)


class ImageFlow(Iterator):
    """A flow that transforms its images with an `ImageDataGenerator`."""

    sample_weight: Array | None

    fixed = Iterator.fixed | {
        *("image_shape", "data_format", "dtype", "subset"),
        *("save_to_dir", "save_prefix", "save_format"),
    }

    def __init__(self, n: int, image_shape: tuple[int, ...], batching: Batching) -> None:
        super().__init__(n, batching.batch_size, batching.shuffle, batching.seed)
        self.image_shape = image_shape
        self.image_data_generator = generator = batching.generator
        self.data_format = generator.data_format
        self.dtype = batching.batch_dtype
        self.subset = batching.subset
        self.save_to_dir = batching.save_to_dir
        self.save_prefix, self.save_format = batching.save_prefix, batching.save_format
        channels = image_shape[generator.channel_axis - 1]
        self._saving = Saving(self.save_to_dir, self.save_prefix, self.save_format, channels)

    def as_source(self, argument: str) -> Source:
        """The source that the engine reads."""
        makers = ("__getitem__", "_get_batches_of_transformed_samples")
        own = not replaced(self, ImageFlow, *makers)
        return replace(super().as_source(argument), exclusive=own)

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        """The batch of the images with these indices."""
        generator, indices = self.image_data_generator, index_array
        random = random_of(None)
        parameters = [draw_parameters(generator, self.image_shape, random) for _ in indices]
        if isinstance(generator.preprocessing_function, Seeded):
            for one in parameters:
                one["seed"] = int(random.randint(2**31 - 1))
        check_learned(generator)
        x = empty((len(indices), *self.image_shape), self.dtype)
        with single_threaded:
            filled = map(self._filled, x, indices, parameters)
            kept = [row for row, is_filled in enumerate(filled) if is_filled]
        if len(kept) < len(indices):
            x, indices = x[kept], indices[kept]
        self._saving.save(x, indices, random, self.data_format)
        return self._with_targets(x, indices)

    def _filled(self, row: Array, index: int, parameters: dict[str, Any]) -> bool:
        try:
            return self._fill(row, index, parameters)
        except Exception as error:
            locate(error, ErrorContext(image=self._label(index)))
            raise

    @abstractmethod
    def _label(self, index: int) -> int | str:
        """What errors call image `index`: the path of its file, or its number from 1."""

    @abstractmethod
    def _fill(self, row: Array, index: int, parameters: dict[str, Any]) -> bool:
        """Write the transformed and normalised image `index` into its row; False leaves it out."""

    @abstractmethod
    def _with_targets(self, x: Array, indices: Array) -> Any:
        """The batch of these images, with their targets and weights."""

    def _weighted(self, inputs: Any, targets: Any, indices: Array) -> Any:
        """Inputs alone, or with targets if there are any, or with weights too."""
        if targets is None:
            return inputs
        if self.sample_weight is None:
            return inputs, targets
        return inputs, targets, np.asarray(self.sample_weight)[indices]
