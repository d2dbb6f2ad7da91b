"""What all flows of images are: an indexed source of batches, and an endless iterator over them.

A batch is a function of the seed and its number alone (`order`), so that several threads may make
batches at once. Which pass is under way changes only between passes.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ...arguments import whole
from ...batches.aligned_memory import empty
from ...errors import ArgumentError, ErrorContext, locate
from ...sources.readers import indexed
from ...sources.source import Readable, Source
from .. import arguments
from ..transform.normalisation import check_learned
from ..transform.seeded_function import Seeded, seed_images
from ..transform.subclass_methods import drawn
from ..unaided import unaided
from . import portraits
from .batch_order import Pass, first_pass
from .saving import save, saving

if TYPE_CHECKING:
    from ..augmenter import Augmenter

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Batching:
    """How a flow's images come in batches.

    Attributes:
        batch_size: Images of a batch.
        shuffle: Whether each pass has an order of its own.
        seed: Of orders and transformations, `None` for one drawn from `numpy.random`.
        subset: "training", "validation", or `None` for all images.
        save_to_dir: Where the pictures are also written, `None` for nowhere.
        save_prefix: Begins the names of these files.
        save_format: Their format.
    """

    batch_size: Any
    shuffle: Any
    seed: Any
    subset: Any
    save_to_dir: Any
    save_prefix: Any
    save_format: Any


class Iterator(keras.utils.PyDataset, Readable):
    """Batches of images, read by index or one after the other without end.

    Given to `fit_generator`, it is read by index, by `workers` threads. `next(flow)` gives the next
    batch, for ever. Either way each pass has an order and transformations of its own, and the same
    seed gives the same batches, however many threads read.

    Attributes:
        n: Number of images.
        batch_size: Images of a batch; the last of a pass may have fewer.
        shuffle: Whether each pass has an order of its own.
        seed: As it was given.
        image_data_generator: What transforms the images.
        image_shape: Of one image, in the generator's `data_format`.
    """

    def __init__(
        self,
        n: int,
        image_shape: tuple[int, ...],
        generator: Augmenter,
        batching: Batching,
    ) -> None:
        super().__init__()
        self.n = n
        self.image_shape = image_shape
        self.image_data_generator = generator
        self.data_format = generator.data_format
        self.dtype = generator.dtype
        self.batch_size = whole(batching.batch_size, "batch_size", 1)
        self.shuffle = bool(batching.shuffle)
        self.seed = arguments.seed(batching.seed)
        self.subset = batching.subset
        self.save_to_dir = batching.save_to_dir
        self.save_prefix, self.save_format = batching.save_prefix, batching.save_format
        channels = image_shape[generator.channel_axis - 1]
        self._saving = saving(self.save_to_dir, self.save_prefix, self.save_format, channels)
        self._lock = threading.Lock()
        self._cursor = 0  # batches of this pass that `next` gave
        self._begun = False  # a batch of this pass was given
        self._pass = first_pass(n, self.batch_size, self.shuffle, self.seed)

    def __repr__(self) -> str:
        return portraits.of_flow(self)

    # -- by index -------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Batches of a pass."""
        return len(self._pass)

    def __getitem__(self, index: int) -> Any:
        """Batch `index` of the pass that is under way; any thread may call this.

        Raises:
            ArgumentError: There is no such batch.
        """
        if not 0 <= index < len(self):
            raise ArgumentError(
                f"The flow has batches 0 to {len(self) - 1} in a pass, none with number {index}."
            )
        self._begun = True
        return self._batch(self._pass, index)

    def on_epoch_begin(self) -> None:
        """A new pass begins, unless the last one has been ended already."""
        if self._begun:
            self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """End the pass: the next has another order and other transformations."""
        with self._lock:
            self._turn(len(self))

    def as_source(self, argument: str) -> Source:
        """What the engine reads."""
        own = type(self).__getitem__ is Iterator.__getitem__
        # A function in R is the calling thread's to run.
        asks = isinstance(self.image_data_generator.preprocessing_function, Seeded)
        return replace(indexed(self, len(self)), asks=asks, fresh=own)

    # -- one after the other --------------------------------------------------------------------

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        """The next batch; any thread may call this."""
        with self._lock:
            under_way, index = self._pass, self._cursor
            self._cursor += 1
            self._begun = True
            if self._cursor == len(self):
                self._turn(self._cursor)
        return self._batch(under_way, index)

    def next(self) -> Any:
        """The next batch."""
        return self.__next__()

    def reset(self) -> None:
        """Begin a new pass with the next batch, where one is under way."""
        with self._lock:
            if self._begun:
                self._turn(self._cursor or len(self))

    def _turn(self, given: int) -> None:
        self._pass = self._pass.after(given)
        self._cursor = 0
        self._begun = False

    @property
    def batch_index(self) -> int:
        """Batches of this pass that `next` gave."""
        return self._cursor

    @property
    def total_batches_seen(self) -> int:
        """Number of the next batch, counted through all passes."""
        return self._pass.first + self._cursor

    @property
    def index_array(self) -> Array:
        """The images' indices in the order of this pass."""
        return self._pass.order

    # -- a batch --------------------------------------------------------------------------------

    def _batch(self, under_way: Pass, index: int) -> Any:
        indices, random = under_way.batch(index)
        generator = self.image_data_generator
        parameters = [drawn(generator, self.image_shape, random) for _ in indices]
        seed_images(generator.preprocessing_function, parameters, random)
        check_learned(generator)
        x = empty((len(indices), *self.image_shape), self.dtype)
        with unaided:
            kept = [
                row
                for row, index in enumerate(indices)
                if self._filled(x[row], index, parameters[row])
            ]
        if len(kept) < len(indices):
            x, indices = x[kept], indices[kept]
            self._check_left(indices)
        save(self._saving, x, indices, random, str(self.data_format))
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
        """The batch of these images: inputs alone, or with targets, or with weights too."""

    def _check_left(self, indices: Array) -> None:
        """Some images of the batch were left out; these are left."""
