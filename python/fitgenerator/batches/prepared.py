"""What a compiled step is called with: flat leaves, of one batch or of several."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from ..models.protocol import Array, Shaped
from .aligned_memory import is_aligned

# The structure of a batch, with the number of a leaf, or `None`, in each place.
Layout: TypeAlias = "int | Sequence[Layout] | Mapping[str, Layout] | None"
Shapes = tuple[tuple[int | None, ...], ...]  # of the leaves, without their rows


@dataclass(frozen=True)
class Form:
    """What batches have in common that one call, or one traced function, can take."""

    layout: Layout  # of inputs, targets and weights, or what a model's own step takes
    kind: Hashable  # what decides on which function takes them, lengths apart
    shapes: Shapes  # the leaves' shapes without the rows
    stackable: bool  # several such batches can be stacked: no leaf is sparse or ragged
    row_bytes: int  # the size of one row of its dense leaves
    uneven: tuple[int, ...] = ()  # the rows of each leaf, where these are not all as many

    @property
    def parts(self) -> tuple[Layout, ...]:
        """The layouts of inputs, targets and weights, as far as there are such parts."""
        return self.layout if isinstance(self.layout, tuple) else (self.layout,)


@dataclass(slots=True)
class Batch:
    """What one call needs: flat leaves, and how they are put together again."""

    leaves: tuple[Any, ...]  # the arrays or tensors, without the places that are `None`
    form: Form  # what it shares with other batches
    rows: int  # number of samples, those of the first leaf, in each of the batches
    count: int = 1  # number of batches; where it is not 1, every leaf has them on its first axis
    full: bool = False  # there are as many as the call was to wait for
    exclusive: bool = False  # nobody else has its arrays: their memory may become the tensors'
    left: int | None = None  # batches of its round that come after it, where that is known

    def pack(self) -> Any:
        """The nested structure, as a step takes it."""
        return pack(self.form.layout, self.leaves)

    def ready(self) -> Batch:
        """The same batch with tensors for arrays."""
        leaves = tuple(
            to_tensor(leaf, exclusive=self.exclusive) if isinstance(leaf, np.ndarray) else leaf
            for leaf in self.leaves
        )
        return Batch(leaves, self.form, self.rows, self.count)

    def split(self) -> list[Batch]:
        """The batches one by one."""
        if self.count == 1:
            return [self]
        return [
            Batch(tuple(leaf[i] for leaf in self.leaves), self.form, self.rows)
            for i in range(self.count)
        ]

    def fits(self, other: Batch) -> bool:
        """Whether one call could take both."""
        form = self.form
        same = form is other.form or form == other.form
        return form.stackable and same and self.rows == other.rows


def pack(layout: Layout, leaves: Sequence[Shaped]) -> Any:
    """`leaves` in the nested structure `layout`."""
    return keras.tree.map_structure(lambda i: None if i is None else leaves[i], layout)


def to_tensor(leaf: Shaped, *, exclusive: bool = False) -> Any:
    if not isinstance(leaf, np.ndarray):
        return tf.convert_to_tensor(leaf)
    if leaf.ndim > 1 and leaf.flags.f_contiguous and not leaf.flags.c_contiguous:
        return _transposed(leaf)
    if exclusive and is_aligned(leaf) and _stays():
        return tf.experimental.dlpack.from_dlpack(leaf.__dlpack__())  # has the same memory
    return tf.constant(leaf)  # as `convert_to_tensor`, in half the time


@cache
def _stays() -> bool:
    """Whether a tensor's memory is the machine's: with a GPU, a copy goes there at once."""
    return not tf.config.list_logical_devices("GPU")


def _transposed(array: Array) -> Any:
    """A row-major tensor of a column-major array, such as R's.

    Thread rule 9 (R's memory stays on its thread): R's arrays are copied there as they lie, and
    transposed here, on a feeder. TensorFlow does so in blocks and on several threads: floats ten
    times as fast as NumPy, integers only half as fast as floats. So 32-bit integers go as the
    floats of the same bits, with which nothing computes.
    """
    if array.dtype.kind in "iu" and array.dtype.itemsize == 4:
        bits = tf.transpose(tf.constant(array.T.view("float32")))
        return tf.bitcast(bits, tf.as_dtype(array.dtype))
    return tf.transpose(tf.constant(array.T))
