"""From what a generator gave to a checked batch of flat arrays."""

from __future__ import annotations

import math
import operator
from collections.abc import Hashable, Mapping
from typing import Any

import keras
import numpy as np

from ..backends.protocol import Backend
from ..errors import BatchError
from ..messages import describe, dtype_of, reason
from ..models.keras_versions import Adapter, keras_version_of
from ..models.protocol import KerasModel, Nested, Shaped
from .arrays import Sparse, as_floatx
from .class_weight import weigh
from .model_inputs import Expected, check_text
from .output_weights import for_each_output
from .prepared import Batch, Form, Layout
from .structure import (
    FORMS,
    PART_NAMES,
    RawBatch,
    batch_form,
    check,
    checked_leaves,
    flat_leaves,
    place_of,
    unpack,
)

# What NumPy and the backends store alike: such arrays can wait, all others become tensors at once.
_PLAIN = frozenset(np.dtype(code) for code in "?bBhHiIlLqQefdFD")


class Preparer:
    """Makes batches of what a generator gave, for one model; called by the feeders."""

    def __init__(
        self,
        model: KerasModel,
        mode: str = "train",  # of the step that takes them; or "test", or "predict"
        weights: Mapping[int, float] | None = None,  # by class
        *,
        adapter: Adapter = "generator",  # where they come from
        exclusive: bool = False,  # the arrays of each batch are new, and nobody else has them
    ) -> None:
        self._keras_version = keras_version_of(model)
        self._backend = self._keras_version.backend
        self._mode = mode
        self._form = batch_form(self._keras_version, mode)
        self._weights = weights
        self._adapter = adapter
        self._floatx = self._keras_version.floatx(adapter)
        self._exclusive = exclusive
        self._expected = Expected(model)
        self._known: dict[Hashable, tuple[Form, int]] = {}

    def __call__(self, raw: RawBatch) -> Batch:
        """The batch.

        Raises:
            BatchError: It is malformed, the backend has no type for one of its arrays, or Keras
                would drop or mix up a part of it.
        """
        key = _key(raw)
        known = self._known.get(key)
        if known is not None:  # arrays like those that were checked before
            if self._expected.labels and self._form == "targets":
                self._expected.labels.check(raw[1])
            return Batch(_flat(raw), *known, exclusive=self._exclusive)
        batch = self._whole(raw) if self._form == "structure" else self._parted(raw)
        if key is not None and [*map(id, batch.leaves)] == [*map(id, _flat(raw))]:
            self._known[key] = (batch.form, batch.rows)
        return batch

    def _parted(self, raw: RawBatch) -> Batch:
        """The batch for a step of Keras's own."""
        parts, rows = check(unpack(raw, self._form, self._mode), self._form)
        self._check_rows({rows})
        self._expected.check(parts)
        if parts.weights is not None:
            parts = for_each_output(parts, self._keras_version)
        if self._weights is not None:
            parts = weigh(parts, self._weights)
        check_text(parts.targets, self._keras_version.loss)
        missing = self._form == "no targets" and not any(
            leaf is not None for leaf in flat_leaves(parts.targets)
        )
        if missing and self._keras_version.loss is not None:
            # A loss of nothing but `None` looks for as many targets, but not in a dict.
            parts = parts._replace(targets={})
        given = (parts.inputs,) if self._form == "inputs" else tuple(parts)
        if self._form != "inputs" and parts.weights is None:
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
                    name = f"The batch's {PART_NAMES[part]}"
                    leaves.append(self._named(leaf, keep, name, place, value))
            structure.append(None if value is None else keras.tree.pack_sequence_as(value, indices))
        form = _form(self._backend, tuple(structure), leaves)
        return Batch(tuple(leaves), form, rows, exclusive=self._exclusive)

    def _whole(self, raw: RawBatch) -> Batch:
        """The batch for a step of the model's own, which knows its structure."""
        if self._weights is not None:
            raw = self._weighed(raw, self._weights)
        try:
            structure = self._keras_version.handed_on(raw, self._adapter)
        except RecursionError as error:
            raise BatchError(f"The batch cannot be taken apart: {reason(error)}.") from error
        flat = checked_leaves(structure)
        self._check_rows({int(leaf.shape[0]) for leaf in flat if leaf is not None})
        leaves: list[Shaped] = []
        indices: list[int | None] = []
        for place, leaf in enumerate(flat):
            indices.append(None if leaf is None else len(leaves))
            if leaf is not None:
                keep = place in self._expected.sparse
                leaves.append(self._named(leaf, keep, "The batch", place, structure))
        rows = tuple(int(leaf.shape[0]) for leaf in leaves)
        layout = keras.tree.pack_sequence_as(structure, indices)
        form = _form(self._backend, layout, leaves, rows if len(set(rows)) > 1 else ())
        return Batch(tuple(leaves), form, rows[0], exclusive=self._exclusive)

    def _check_rows(self, counts: set[int]) -> None:
        for rows in counts:
            if (why := self._backend.unfit(rows)) is not None:
                raise BatchError(f"The batch cannot be used: {why}.")

    def _named(self, leaf: Shaped, keep_sparse: bool, name: str, place: int, value: Nested) -> Any:
        """A leaf of a batch; an error says where it is in the part, or batch, of that name."""
        if self._floatx is not None:
            leaf = as_floatx(leaf, self._floatx)
        try:
            return self._leaf(leaf, keep_sparse=keep_sparse)
        except Exception as error:
            where = f"{name}{place_of(place, value)}"
            what = f"{where}, of shape {tuple(leaf.shape)} and dtype {dtype_of(leaf)}"
            why = f"{reason(error)}.{_advice(leaf)}"
            raise BatchError(f"{what}, cannot become a tensor: {why}") from error

    def _leaf(self, leaf: Shaped, *, keep_sparse: bool) -> Any:
        if type(leaf) is np.ndarray and leaf.dtype in _PLAIN - self._backend.lacks:
            return leaf
        if not isinstance(leaf, Sparse):
            return self._backend.leaf(leaf)
        if keep_sparse:
            where = np.stack([leaf.rows, leaf.cols], axis=1)
            return self._backend.sparse(where, np.asarray(leaf.values), leaf.shape)
        return self._leaf(leaf.dense(), keep_sparse=False)

    @staticmethod
    def _weighed(raw: RawBatch, weights: Mapping[int, float]) -> RawBatch:
        if not isinstance(raw, (list, tuple)) or not 2 <= len(raw) <= 3:
            rule = f"`class_weight` needs batches of the form {FORMS}, not {describe(raw)}"
            raise BatchError(f"{rule}; give sample weights in the batch instead.")
        return tuple(weigh(check(unpack(raw), "targets")[0], weights))


def _flat(raw: RawBatch) -> tuple[Any, ...]:
    """The arrays of a batch that has a key."""
    return (raw,) if type(raw) is np.ndarray else tuple(raw)


def _key(raw: RawBatch) -> tuple[Hashable, ...] | None:
    """What decides on how a flat batch of arrays is taken apart; `None` for all others."""
    if type(raw) is np.ndarray:
        return "alone", raw.shape, raw.dtype
    if not isinstance(raw, (tuple, list)):
        return None
    key: list[Hashable] = [type(raw)]  # a named tuple may have its fields in another order
    for part in raw:
        if type(part) is not np.ndarray:
            return None
        key += (part.shape, part.dtype)
    return tuple(key)


def _form(
    backend: Backend, layout: Layout, leaves: list[Shaped], uneven: tuple[int, ...] = ()
) -> Form:
    specs = [backend.spec(leaf) for leaf in leaves]
    shapes = tuple(spec.shape[1:] for spec in specs)
    dense = [
        math.prod(shape) * spec.itemsize
        for spec, shape in zip(specs, shapes, strict=True)
        if spec.itemsize is not None
    ]
    stackable = len(dense) == len(specs)
    size = sum(dense)
    if uneven:  # the mean size for one of the first leaf's rows
        size = sum(map(operator.mul, dense, uneven)) // uneven[0] if stackable else 0
    kind = (repr(layout), tuple(spec.kind for spec in specs))
    return Form(layout, kind, shapes, stackable, size, backend, uneven)


def _advice(leaf: Shaped) -> str:
    kind = getattr(leaf.dtype, "kind", "")
    if kind == "O":
        return " Objects come of lists of unequal lengths, of None, and of mixed columns."
    return " Convert it to numbers, as with array.astype." if kind in ("M", "m", "f", "c") else ""
