"""One batch: take it apart, check it, weigh it by class.

A raw batch is what a generator gave; `Parts` are its inputs, targets and sample weights, each an
array, `None`, or a nested structure (list, tuple, dict) of these. `step` makes tensors of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np

from .errors import BatchError

FORMS = "(inputs, targets) or (inputs, targets, sample_weights)"
PREDICT_FORMS = "inputs, (inputs,), (inputs, targets) or (inputs, targets, sample_weights)"


class Parts(NamedTuple):
    """The parts of a batch; targets and sample weights may be `None`."""

    inputs: Any
    targets: Any = None
    weights: Any = None


@dataclass(frozen=True, eq=False)
class Sparse:
    """A sparse matrix by coordinates, which count from 0; `shape` is (rows, columns)."""

    rows: Any
    cols: Any
    values: Any
    shape: tuple[int, int]

    @property
    def dtype(self) -> Any:
        """The values' dtype."""
        return np.asarray(self.values).dtype

    def __getitem__(self, rows: slice) -> Sparse:
        """Some of its rows; all of them have to be in order."""
        first, last, _ = rows.indices(self.shape[0])
        begin, end = np.searchsorted(np.asarray(self.rows), (first, last))
        own = slice(begin, end)
        shape = (last - first, self.shape[1])
        return Sparse(self.rows[own] - first, self.cols[own], self.values[own], shape)

    def dense(self) -> np.ndarray[Any, Any]:
        """The same matrix as an array."""
        array = np.zeros(self.shape, dtype=self.dtype)
        array[np.asarray(self.rows), np.asarray(self.cols)] = self.values
        return array


def unpack(raw: Any, *, predicting: bool = False) -> Parts:
    """The parts of what a generator gave.

    Raises:
        BatchError: It is not a list or tuple of two or three (when predicting: one to three) parts.
    """
    if isinstance(raw, (list, tuple)):
        if (1 if predicting else 2) <= len(raw) <= 3:
            return Parts(*raw)
    elif predicting:
        return Parts(raw)
    forms = PREDICT_FORMS if predicting else FORMS
    raise BatchError(f"A batch must be {forms}, not {describe(raw)}.")


def check(parts: Parts, *, predicting: bool = False) -> tuple[Parts, int]:
    """`parts` with every leaf an array or a tensor, and their common number of rows.

    Raises:
        BatchError: A leaf is not an array of at least one dimension, a part that is needed is
            missing, a part is empty, or the parts differ in their number of rows.
    """
    names = ("inputs",) if predicting else ("inputs", "targets", "sample weights")
    given = Parts(parts.inputs) if predicting else parts
    rows: dict[str, int] = {}
    arrays = []
    for name, part in zip(names, given, strict=False):
        leaves = _flatten(part)
        if name == "inputs" and (not leaves or any(leaf is None for leaf in leaves)):
            raise BatchError("The batch's inputs are missing: element 1 is empty or None.")
        if name == "targets" and part is not None and not leaves:
            raise BatchError("The batch's targets are missing: element 2 is empty.")
        part = keras.tree.map_structure(lambda leaf, name=name: _as_array(leaf, name), part)
        arrays.append(part)
        for leaf in _flatten(part):
            if leaf is not None:
                rows.setdefault(f"{name} {_shape_of(leaf)}", int(leaf.shape[0]))
    if len(set(rows.values())) > 1:
        found = ", ".join(f"{count} in {where}" for where, count in rows.items())
        raise BatchError(
            f"All arrays of a batch must have the same number of rows (samples), not {found}."
        )
    count = next(iter(rows.values()))
    if count == 0:
        raise BatchError("The batch is empty: its arrays have 0 rows (samples).")
    return Parts(*arrays), count


def _flatten(part: Any) -> list[Any]:
    if part is None:
        return []
    return list(keras.tree.flatten(part))


def _as_array(leaf: Any, part: str) -> Any:
    if leaf is None or isinstance(leaf, Sparse):
        return leaf
    if hasattr(leaf, "tocoo"):  # a scipy.sparse matrix
        coo = leaf.tocoo()
        return Sparse(coo.row, coo.col, coo.data, coo.shape)
    array = leaf
    if not (hasattr(leaf, "shape") and hasattr(leaf, "dtype")) or hasattr(leaf, "to_numpy"):
        array = np.asarray(leaf)
    elif type(leaf).__module__.partition(".")[0] == "torch":
        array = leaf.detach().cpu().numpy()
    if len(array.shape):
        return array
    raise BatchError(
        f"The batch's {part} contain {describe(leaf)} where an array of shape (rows, ...) is "
        f"needed; a single number is np.array([number])."
    )


def _shape_of(leaf: Any) -> str:
    return str(tuple(leaf.shape))


def describe(value: Any) -> str:
    """What `value` is, in a few words: type, shape or length, never its contents."""
    kind = type(value).__name__
    if value is None:
        return "None"
    if isinstance(value, (str, bytes)):
        return f"a {kind} of length {len(value)}"
    if isinstance(value, Mapping):
        return f"a {kind} with {len(value)} keys"
    if isinstance(value, Sequence):
        inside = ", ".join(describe(v) for v in value[:4]) if len(value) <= 4 else ""
        return f"a {kind} of length {len(value)}" + (f" ({inside})" if inside else "")
    if hasattr(value, "shape"):
        return f"a {kind} of shape {_shape_of(value)}"
    if isinstance(value, (int, float, complex)):
        return f"the number {value!r}"
    return f"a {kind}"


def weigh(parts: Parts, class_weight: Mapping[int, float]) -> Parts:
    """`parts` with each row's sample weight multiplied by the weight of its class.

    A class is an integer target of shape (rows,) or (rows, 1), or the largest of a one-hot row, as
    in Keras's `fit`. Where the batch has sample weights too, the product counts.

    Raises:
        BatchError: The targets have no classes, or a class that has no weight.
    """
    targets = _flatten(parts.targets)
    if len(targets) != 1 or len(targets[0].shape) > 2:
        found = ", ".join(_shape_of(t) for t in targets) or "none"
        raise BatchError(
            "`class_weight` needs one target of shape (rows,), (rows, 1) or one-hot "
            f"(rows, classes), not {found}; give sample weights in the batch instead."
        )
    classes = _classes(np.asarray(targets[0]))
    unknown = sorted(set(classes.tolist()) - set(class_weight))
    if unknown:
        raise BatchError(
            f"`class_weight` has no weight for class {', '.join(map(str, unknown))} of the "
            f"targets; it names {', '.join(map(str, sorted(class_weight)))}."
        )
    table = np.vectorize(class_weight.__getitem__, otypes=[keras.config.floatx()])
    weights = table(classes)
    leaves = _flatten(parts.weights)
    if leaves and leaves[0] is not None:
        given = np.asarray(leaves[0])
        weights = given * weights.reshape((-1,) + (1,) * (given.ndim - 1))
        weights = weights.astype(keras.config.floatx())
    return parts._replace(weights=weights)


def _classes(targets: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if targets.ndim == 2 and targets.shape[1] != 1:
        return np.asarray(np.argmax(targets, axis=-1))
    return np.round(targets.reshape(len(targets))).astype(int)
