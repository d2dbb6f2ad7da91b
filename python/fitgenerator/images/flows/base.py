"""The base of all flows of images: the making of a batch, from its images to its targets."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ...batches.aligned_memory import empty
from ...errors import ErrorContext, locate
from ...models.protocol import Array
from ...sources.data_set_settings import settings_of
from ...sources.readers import indexed
from ...sources.source import Source
from ..arguments import Path
from ..augmenter import Augmenter
from ..opencv import single_threaded
from ..transform.normalisation import check_learned
from ..transform.seeded_function import Seeded
from .batch_order import Pass
from .batch_row import draw_parameters
from .flow_reader import evaluation_reader, training_reader
from .passes import PassIterator
from .saving import Saving


@dataclass(frozen=True)
class Batching:
    """The arguments that all flows have, as the user gave them to `ImageDataGenerator.flow`."""

    batch_size: int
    shuffle: bool
    seed: int | None
    subset: str | None
    save_to_dir: Path | None
    save_prefix: str
    save_format: str


class Iterator(PassIterator):
    """Batches of images, read by index or one after the other without end.

    `fit_generator` reads a flow by index, with `workers` threads; `next(flow)` gives the next
    batch, without end. Either way each pass has an order and transformations of its own, and the
    same seed gives the same batches, however many threads read. A training goes on where the last
    one, or `next(flow)`, ended; evaluations and predictions are not counted.

    Attributes:
        n: Number of images.
        batch_size: Images of a batch; the last of a pass may have fewer. This attribute and the
            next two can be set: passes that begin later obey.
        shuffle: Whether each pass has an order of its own.
        seed: The seed that was given.
        image_data_generator: The generator that transforms the images.
        image_shape: Shape of one image, in the generator's `data_format`.
    """

    sample_weight: Array | None

    fixed = frozenset(
        {"n", "image_shape", "data_format", "dtype", "subset"}
        | {"save_to_dir", "save_prefix", "save_format"}
    )

    def __init__(
        self, n: int, image_shape: tuple[int, ...], generator: Augmenter, batching: Batching
    ) -> None:
        super().__init__(n, batching.batch_size, batching.shuffle, batching.seed)
        self.image_shape = image_shape
        self.image_data_generator = generator
        self.data_format = generator.data_format
        self.dtype = generator.dtype
        self.subset = batching.subset
        self.save_to_dir = batching.save_to_dir
        self.save_prefix, self.save_format = batching.save_prefix, batching.save_format
        channels = image_shape[generator.channel_axis - 1]
        self._saving = Saving(self.save_to_dir, self.save_prefix, self.save_format, channels)

    def __repr__(self) -> str:
        """How many images of which size, in which batches."""
        classes = getattr(self, "class_indices", None)
        among = f" of {len(classes)} classes" if classes else ""
        order = "shuffled" if self.shuffle else "in order"
        size = " x ".join(map(str, self.image_shape))
        return (
            f"<{type(self).__name__}: {self.n} images{among}, {size}, {order}; "
            f"batches of {self.batch_size}, {len(self)} in a pass>"
        )

    def as_source(self, argument: str) -> Source:
        """The source that the engine reads."""
        # Only the calling thread can run a function of R.
        asks = isinstance(self.image_data_generator.preprocessing_function, Seeded)
        if type(self).__getitem__ is not Iterator.__getitem__:  # it is the user's
            return replace(indexed(self, lambda: len(self)), asks=asks)
        length = len(self.next_pass())
        return Source(
            partial(evaluation_reader, self, length, self._batch),
            self,
            length,
            restarts=True,
            train=partial(training_reader, self, length, self._batch),
            parallel=True,
            shuffled=self.shuffle,
            asks=asks,
            exclusive=True,
            leaves_out=True,
            **settings_of(self),
        )

    def _batch(self, under_way: Pass, index: int) -> Any:
        indices, random = under_way.batch(index)
        generator = self.image_data_generator
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
