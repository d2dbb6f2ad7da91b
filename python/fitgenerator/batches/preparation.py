"""From checked batches to what a compiled step is called with: flat tensors, one batch or several.

A batch keeps its NumPy arrays until it is known how many batches its call takes: several are copied
into one array each, on a new first axis, which is the only copy on their way into TensorFlow. Those
that nobody else has, of a source that makes them anew, are not copied at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..errors import BatchError
from ..messages import dtype_of, reason
from .aligned_memory import empty, is_aligned
from .arrays import Sparse
from .model_inputs import Expected
from .structure import PART_NAMES, Parts, check, place_of, unpack, weigh

# What NumPy and TensorFlow store alike: such arrays can wait, all others become tensors at once.
_PLAIN = frozenset(np.dtype(code) for code in "?bBhHiIlLqQefdFD")


@dataclass(frozen=True)
class Form:
    """What batches have in common that one call, or one traced function, can take.

    Attributes:
        layout: The nested structure, with a leaf's index, or `None`, in each place.
        kind: What batches of one signature share, lengths apart.
        shapes: The leaves' shapes without the rows.
        stackable: Several such batches can be stacked: no leaf is sparse or ragged.
    """

    layout: Any
    kind: Any
    shapes: tuple[tuple[Any, ...], ...]
    stackable: bool


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
            _to_tensor(leaf, fresh=self.fresh) if isinstance(leaf, np.ndarray) else leaf
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

    @property
    def bytes(self) -> int:
        """The size of its leaves."""
        return sum(_bytes(leaf) for leaf in self.leaves)


def _bytes(leaf: Any) -> int:
    if isinstance(leaf, np.ndarray):
        return leaf.nbytes
    return int(np.prod(leaf.shape)) * int(leaf.dtype.size) if isinstance(leaf, tf.Tensor) else 0


def pack(layout: Any, leaves: Sequence[Any]) -> Any:
    """`leaves` in the nested structure `layout`."""
    return keras.tree.map_structure(lambda i: None if i is None else leaves[i], layout)


class Preparer:
    """Makes batches of what a generator gave, for one model; called by the feeders.

    Args:
        model: The Keras model.
        weights: Class to weight, where targets are weighed by class.
        predicting: Only the inputs are needed.
        fresh: The arrays of each batch are new, and nobody else has them.
    """

    def __init__(
        self,
        model: Any,
        weights: Mapping[int, float] | None = None,
        *,
        predicting: bool = False,
        fresh: bool = False,
    ) -> None:
        self._weights = weights
        self._predicting = predicting
        self._fresh = fresh
        self._expected = Expected(model)
        self._known: dict[Any, tuple[Form, int]] = {}

    def __call__(self, raw: Any) -> Batch:
        """The batch.

        Raises:
            BatchError: It is malformed, TensorFlow has no type for one of its arrays, or Keras
                would drop or mix up a part of it.
        """
        key = _key(raw)
        known = self._known.get(key)
        if known is not None:  # arrays like those that were checked before
            return Batch(tuple(raw), *known, fresh=self._fresh)
        parts, rows = check(unpack(raw, predicting=self._predicting), predicting=self._predicting)
        self._expected.check(parts)
        if self._weights is not None:
            parts = weigh(parts, self._weights)
        batch = self._batch(parts, rows)
        if key is not None and _same_objects(batch.leaves, raw):
            self._known[key] = (batch.form, rows)
        return batch

    def _batch(self, parts: Parts, rows: int) -> Batch:
        given = (parts.inputs,) if self._predicting else tuple(parts)
        if not self._predicting and parts.weights is None:
            given = given[:2]
        leaves: list[Any] = []
        structure: list[Any] = []
        for part, value in enumerate(given):
            flat = keras.tree.flatten(value) if value is not None else [None]
            indices: list[int | None] = []
            for place, leaf in enumerate(flat):
                indices.append(None if leaf is None else len(leaves))
                if leaf is not None:
                    keep = part == 0 and place in self._expected.sparse
                    leaves.append(_named(leaf, keep, part, place, value))
            packed = None if value is None else keras.tree.pack_sequence_as(value, indices)
            structure.append(packed)
        return Batch(tuple(leaves), _form(tuple(structure), leaves), rows, fresh=self._fresh)


def _key(raw: Any) -> Any:
    """What decides on how a flat batch of arrays is taken apart; `None` for all others."""
    if not isinstance(raw, (tuple, list)):
        return None
    key: list[Any] = []
    for part in raw:
        if type(part) is not np.ndarray:
            return None
        key += (part.shape, part.dtype)
    return tuple(key)


def _same_objects(leaves: tuple[Any, ...], raw: Any) -> bool:
    return len(leaves) == len(raw) and all(a is b for a, b in zip(leaves, raw, strict=True))


def _form(layout: Any, leaves: list[Any]) -> Form:
    kinds, shapes = [], []
    for leaf in leaves:
        if isinstance(leaf, np.ndarray):
            dtype, rank, shape = tf.as_dtype(leaf.dtype), leaf.ndim, leaf.shape
            kinds.append((tf.TensorSpec, dtype, rank))
        else:
            spec = tf.type_spec_from_value(leaf)
            rank, shape = spec.shape.rank, spec.shape
            kinds.append((type(spec), spec.dtype, rank))
        shapes.append(tuple(shape[1:]) if rank else ())
    stackable = all(kind is tf.TensorSpec for kind, *_ in kinds)
    return Form(layout, (repr(layout), tuple(kinds)), tuple(shapes), stackable)


def _named(leaf: Any, keep_sparse: bool, part: int, place: int, value: Any) -> Any:
    """A leaf of a batch; an error says where it is."""
    try:
        return _leaf(leaf, keep_sparse=keep_sparse)
    except Exception as error:
        where = f"{PART_NAMES[part]}{place_of(place, value)}"
        raise BatchError(
            f"The batch's {where}, of shape {tuple(leaf.shape)} and dtype {dtype_of(leaf)}, cannot "
            f"become a tensor: {reason(error)}.{_advice(leaf)}"
        ) from error


def _advice(leaf: Any) -> str:
    kind = getattr(leaf.dtype, "kind", "")
    if kind == "O":
        return " Objects come of lists of unequal lengths, of None, and of mixed columns."
    return " Convert it to numbers, as with array.astype." if kind in ("M", "m", "f", "c") else ""


def _leaf(leaf: Any, *, keep_sparse: bool) -> Any:
    if type(leaf) is np.ndarray and leaf.dtype in _PLAIN:
        return leaf
    if isinstance(leaf, Sparse):
        if not keep_sparse:
            return _leaf(leaf.dense(), keep_sparse=False)
        where = np.stack([leaf.rows, leaf.cols], axis=1).astype("int64")
        return tf.sparse.reorder(tf.SparseTensor(where, np.asarray(leaf.values), leaf.shape))
    if isinstance(leaf, (tf.SparseTensor, tf.RaggedTensor)):
        return leaf
    if tf.is_symbolic_tensor(leaf):
        raise ValueError("it is a symbol of a graph and has no values")
    return _to_tensor(leaf)


def _to_tensor(leaf: Any, *, fresh: bool = False) -> Any:
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


class Stack:
    """Batches that fit each other, for one call; arrays are copied when they are added.

    Args:
        first: The first batch.
        limit: How many batches there may be.
    """

    def __init__(self, first: Batch, limit: int) -> None:
        self._first = first
        self._columns: list[Any] = [
            empty((limit, *leaf.shape), leaf.dtype) if isinstance(leaf, np.ndarray) else []
            for leaf in first.leaves
        ]
        self.count = 0
        self.add(first)

    def fits(self, batch: Batch) -> bool:
        """Whether `batch` may be added."""
        return self._first.fits(batch)

    def add(self, batch: Batch) -> None:
        """Add a batch."""
        for column, leaf in zip(self._columns, batch.leaves, strict=True):
            if isinstance(column, list):
                column.append(leaf)
            else:
                column[self.count] = leaf
        self.count += 1

    def batch(self) -> Batch:
        """What the call takes; nothing may be added any more."""
        form, rows, count = self._first.form, self._first.rows, self.count
        if count == 1:
            leaves = [c[0] for c in self._columns]
        else:
            leaves = [tf.stack(c) if isinstance(c, list) else c[:count] for c in self._columns]
        return Batch(tuple(leaves), form, rows, count, fresh=True).ready()


def joined(outputs: list[Any]) -> Any:
    """The outputs of several batches as one: all their rows in order, in the model's structure."""
    return keras.tree.map_structure_up_to(
        outputs[0], lambda *tensors: _concatenated(tensors), *outputs
    )


def _concatenated(tensors: tuple[Any, ...]) -> Any:
    if isinstance(tensors[0], tf.SparseTensor):
        return tf.sparse.concat(0, list(tensors))
    if isinstance(tensors[0], tf.RaggedTensor):
        return tf.concat(tensors, axis=0)
    if len({tuple(t.shape[1:]) for t in tensors}) > 1:
        # Sequences of changing length: as Keras's `predict`, ragged.
        return tf.concat([tf.RaggedTensor.from_tensor(t) for t in tensors], axis=0)
    return tf.concat(tensors, axis=0)


def as_arrays(outputs: Any) -> Any:
    """`outputs` with arrays for tensors, but for those that are ragged or sparse."""
    composite = (tf.RaggedTensor, tf.SparseTensor)
    return keras.tree.map_structure(
        lambda t: t if isinstance(t, composite) else np.array(t), outputs
    )
