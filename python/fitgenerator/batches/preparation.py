"""From what a generator gave to a checked batch of flat arrays."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..errors import BatchError
from ..messages import dtype_of, reason
from ..models.protocol import KerasModel, Nested, Shaped
from .arrays import Sparse
from .class_weight import weigh
from .model_inputs import Expected
from .prepared import Batch, Form, Layout, to_tensor
from .structure import PART_NAMES, Parts, RawBatch, check, place_of, unpack

# What NumPy and TensorFlow store alike: such arrays can wait, all others become tensors at once.
_PLAIN = frozenset(np.dtype(code) for code in "?bBhHiIlLqQefdFD")


class Preparer:
    """Makes batches of what a generator gave, for one model; called by the feeders."""

    def __init__(
        self,
        model: KerasModel,
        weights: Mapping[int, float] | None = None,  # by class
        *,
        predicting: bool = False,  # only the inputs are needed
        exclusive: bool = False,  # the arrays of each batch are new, and nobody else has them
    ) -> None:
        self._weights = weights
        self._predicting = predicting
        self._exclusive = exclusive
        self._expected = Expected(model)
        self._known: dict[Hashable, tuple[Form, int]] = {}

    def __call__(self, raw: RawBatch) -> Batch:
        """The batch.

        Raises:
            BatchError: It is malformed, TensorFlow has no type for one of its arrays, or Keras
                would drop or mix up a part of it.
        """
        key = _key(raw)
        known = self._known.get(key)
        if known is not None:  # arrays like those that were checked before
            return Batch(tuple(raw), *known, exclusive=self._exclusive)
        parts, rows = check(unpack(raw, predicting=self._predicting), predicting=self._predicting)
        self._expected.check(parts)
        if self._weights is not None:
            parts = weigh(parts, self._weights)
        batch = self._batch(parts, rows)
        if key is not None and [*map(id, batch.leaves)] == [*map(id, raw)]:
            self._known[key] = (batch.form, rows)
        return batch

    def _batch(self, parts: Parts, rows: int) -> Batch:
        given = (parts.inputs,) if self._predicting else tuple(parts)
        if not self._predicting and parts.weights is None:
            given = given[:2]
        leaves: list[Shaped] = []
        structure: list[Layout] = []
        for part, value in enumerate(given):
            flat = keras.tree.flatten(value) if value is not None else [None]
            indices: list[int | None] = []
            for place, leaf in enumerate(flat):
                indices.append(None if leaf is None else len(leaves))
                if leaf is not None:
                    keep = part == 0 and place in self._expected.sparse
                    leaves.append(_named(leaf, keep, part, place, value))
            structure.append(None if value is None else keras.tree.pack_sequence_as(value, indices))
        form = _form(tuple(structure), leaves)
        return Batch(tuple(leaves), form, rows, exclusive=self._exclusive)


def _key(raw: RawBatch) -> tuple[Hashable, ...] | None:
    """What decides on how a flat batch of arrays is taken apart; `None` for all others."""
    if not isinstance(raw, (tuple, list)):
        return None
    key: list[Hashable] = []
    for part in raw:
        if type(part) is not np.ndarray:
            return None
        key += (part.shape, part.dtype)
    return tuple(key)


def _form(layout: tuple[Layout, ...], leaves: list[Shaped]) -> Form:
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
    dense = [
        math.prod(shape) * dtype.size
        for (kind, dtype, _), shape in zip(kinds, shapes, strict=True)
        if kind is tf.TensorSpec
    ]
    stackable = len(dense) == len(kinds)
    return Form(layout, (repr(layout), tuple(kinds)), tuple(shapes), stackable, sum(dense))


def _named(leaf: Shaped, keep_sparse: bool, part: int, place: int, value: Nested) -> Any:
    """A leaf of a batch; an error says where it is."""
    try:
        return _leaf(leaf, keep_sparse=keep_sparse)
    except Exception as error:
        where = f"{PART_NAMES[part]}{place_of(place, value)}"
        what = f"{where}, of shape {tuple(leaf.shape)} and dtype {dtype_of(leaf)}"
        why = f"{reason(error)}.{_advice(leaf)}"
        raise BatchError(f"The batch's {what}, cannot become a tensor: {why}") from error


def _advice(leaf: Shaped) -> str:
    kind = getattr(leaf.dtype, "kind", "")
    if kind == "O":
        return " Objects come of lists of unequal lengths, of None, and of mixed columns."
    return " Convert it to numbers, as with array.astype." if kind in ("M", "m", "f", "c") else ""


def _leaf(leaf: Shaped, *, keep_sparse: bool) -> Any:
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
    return to_tensor(leaf)
