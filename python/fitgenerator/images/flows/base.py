"""The base of all flows of images, which users may derive from by Keras's rules."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from ...errors import ArgumentTypeError
from ...models.protocol import Array
from ...sources.data_set_settings import settings_of
from ...sources.readers import indexed
from ...sources.replaced import replaced
from ...sources.source import Source
from ..transform.random_parameters import drawing_from
from ..transform.seeded_function import Seeded
from .batch_order import Pass
from .flow_reader import evaluation_reader, training_reader
from .passes import PassIterator

# The methods by which a data set says what a pass is: a user's own are called, as Keras calls them.
_OF_PASSES = ("__getitem__", "__len__", "on_epoch_begin", "on_epoch_end")


class Iterator(PassIterator):
    """Batches of images, read by index or one after the other without end.

    `fit_generator` reads a flow by index, with `workers` threads; `next(flow)` gives the next
    batch, without end. Either way each pass has an order and transformations of its own, and the
    same seed gives the same batches, however many threads read. A training goes on where the last
    one, or `next(flow)`, ended; evaluations and predictions are not counted.

    To make a flow of your own, derive from this class as from Keras's class of that name, and
    define `_get_batches_of_transformed_samples(index_array)`, which returns the batch of the images
    with these indices; several threads may call it at once. In it, the methods of an
    `ImageDataGenerator` draw from the random numbers of the batch.

    Args:
        n: Number of images.
        batch_size: Images of a batch; the last of a pass may have fewer.
        shuffle: Whether each pass has an order of its own.
        seed: Seed of orders and transformations, below 2**32; `None` draws one from `numpy.random`.
        options: Those of `keras.utils.PyDataset`.

    Attributes:
        n: Number of images.
        batch_size: Images of a batch; the last of a pass may have fewer. This attribute and the
            next two can be set: passes that begin later obey.
        shuffle: Whether each pass has an order of its own.
        seed: The seed that was given.
        image_data_generator: The generator that transforms the images.
        image_shape: Shape of one image, in the generator's `data_format`.
    """

    fixed = frozenset({"n"})

    def __repr__(self) -> str:
        """How many images of which size, in which batches."""
        classes = getattr(self, "class_indices", None)
        among = f" of {len(classes)} classes" if classes else ""
        shape = getattr(self, "image_shape", None)
        size = "" if shape is None else f" {' x '.join(map(str, shape))},"
        order = "shuffled" if self.shuffle else "in order"
        return (
            f"<{type(self).__name__}: {self.n} images{among},{size} {order}; "
            f"batches of {self.batch_size}, {len(self)} in a pass>"
        )

    def as_source(self, argument: str) -> Source:
        """The source that the engine reads."""
        generator = getattr(self, "image_data_generator", None)
        # Only the calling thread can run a function of R.
        asks = isinstance(getattr(generator, "preprocessing_function", None), Seeded)
        if replaced(self, Iterator, *_OF_PASSES):
            return replace(indexed(self, lambda: len(self)), asks=asks)
        length = len(self.next_pass())
        return Source(
            partial(evaluation_reader, self, length, self._batch),
            self,
            length,
            restarts=True,
            train=partial(training_reader, self, length, self._batch),
            by_place=True,
            parallel=True,
            shuffled=self.shuffle,
            asks=asks,
            leaves_out=True,
            **settings_of(self),
        )

    def _batch(self, under_way: Pass, index: int) -> Any:
        indices, random = under_way.batch(index)
        with drawing_from(random):
            return self._get_batches_of_transformed_samples(indices)

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        """The batch of the images with these indices.

        Raises:
            ArgumentTypeError: A derived class has not defined this method.
        """
        raise ArgumentTypeError(
            f"The class {type(self).__name__} must define the method "
            "`_get_batches_of_transformed_samples(index_array)`, which returns the batch of the "
            "images with these indices."
        )
