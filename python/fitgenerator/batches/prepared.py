"""What a compiled step is called with: flat leaves, of one batch or of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .aligned_memory import is_aligned


@dataclass(frozen=True)
class Form:
    """What batches have in common that one call, or one traced function, can take.

    Attributes:
        layout: The nested structure, with a leaf's index, or `None`, in each place.
        kind: What batches of one signature share, lengths apart.
        shapes: The leaves' shapes without the rows.
        stackable: Several such batches can be stacked: no leaf is sparse or ragged.
        row_bytes: The size of one row of its dense leaves, in bytes.
    """

    layout: Any
    kind: Any
    shapes: tuple[tuple[Any, ...], ...]
    stackable: bool
    row_bytes: int


@dataclass(slots=True)
class Batch:
    """What one call needs: flat leaves, and how they are put together again.

    Attributes:
        leaves: The arrays or tensors, without the places that are `None`.
        form: What it shares with other batches.
        rows: Number of samples, in each of the batches.
        count: Number of batches; where it is not 1, every leaf has them on its first axis.
        full: There are as many as the call was to wait for.
        fresh: Nobody else has its arrays: their memory may become the tensors'.
    """

    leaves: tuple[Any, ...]
    form: Form
    rows: int
    count: int = 1
    full: bool = False
    fresh: bool = False

    def pack(self) -> Any:
        """The nested structure, as a step takes it."""
        return pack(self.form.layout, self.leaves)

    def ready(self) -> Batch:
        """The same batch with tensors for arrays."""
        leaves = tuple(
            to_tensor(leaf, fresh=self.fresh) if isinstance(leaf, np.ndarray) else leaf
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


def pack(layout: Any, leaves: Sequence[Any]) -> Any:
    """`leaves` in the nested structure `layout`."""
    return keras.tree.map_structure(lambda i: None if i is None else leaves[i], layout)


def to_tensor(leaf: Any, *, fresh: bool = False) -> Any:
    if isinstance(leaf, np.ndarray) and _is_column_major(leaf):
        return _transposed(leaf)
    if fresh and is_aligned(leaf) and _stays():
        return tf.experimental.dlpack.from_dlpack(leaf.__dlpack__())  # has the same memory
    # `constant` makes of an array what `convert_to_tensor` does, in half the time.
    return tf.constant(leaf) if type(leaf) is np.ndarray else tf.convert_to_tensor(leaf)


@cache
def _stays() -> bool:
    """Whether a tensor's memory is the machine's: with a GPU, a copy goes there at once."""
    return not tf.config.list_logical_devices("GPU")


def _transposed(array: np.ndarray[Any, Any]) -> Any:
    """A row-major tensor of a column-major array.

    TensorFlow transposes in blocks and on several threads: floats ten times as fast as NumPy,
    integers only half as fast as floats. So 32-bit integers go as the floats of the same bits,
    which nothing computes with.
    """
    if array.dtype.kind in "iu" and array.dtype.itemsize == 4:
        bits = tf.transpose(tf.constant(array.T.view("float32")))
        return tf.bitcast(bits, tf.as_dtype(array.dtype))
    return tf.transpose(tf.constant(array.T))


def _is_column_major(array: np.ndarray[Any, Any]) -> bool:
    flags = array.flags
    return bool(array.ndim > 1 and flags.f_contiguous and not flags.c_contiguous)
