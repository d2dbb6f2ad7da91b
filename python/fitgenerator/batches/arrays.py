"""One array of a batch: what may be given as one, and what it becomes.

Whatever has rows and a type that a tensor can have; nothing is guessed, and nothing is dropped.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import keras
import numpy as np

from ..messages import Message, describe
from ..models.protocol import Array, Shaped

RawLeaf = Any  # what was given as an array: nothing is known of it before `as_array`
Leaf = TypeVar("Leaf")

_PROTOCOLS = ("__array__", "__array_interface__", "__array_struct__")


@dataclass(frozen=True, eq=False)
class Sparse:
    """A sparse matrix by coordinates, which count from 0; `shape` is (rows, columns).

    Its entries are in the order of the rows, and none is there twice.
    """

    rows: Array
    cols: Array
    values: Array
    shape: tuple[int, int]

    @property
    def dtype(self) -> Any:
        """The values' dtype."""
        return self.values.dtype

    def __getitem__(self, rows: slice | Array) -> Sparse:
        """Some of its rows: a slice, or numbers of rows in any order."""
        own = self.rows
        if isinstance(rows, slice):
            first, last, _ = rows.indices(self.shape[0])
            begin, end = np.searchsorted(own, (first, last))
            entries, place, count = slice(begin, end), own[begin:end] - first, last - first
        else:
            count, begins = len(rows), np.searchsorted(own, rows)
            counts = np.searchsorted(own, rows, side="right") - begins
            place = np.repeat(np.arange(count), counts)
            before = np.cumsum(counts) - counts  # entries of the rows before
            entries = np.arange(len(place)) + np.repeat(begins - before, counts)
        return Sparse(place, self.cols[entries], self.values[entries], (count, self.shape[1]))

    def dense(self) -> Array:
        """The same matrix as an array."""
        array = np.zeros(self.shape, dtype=self.dtype)
        array[self.rows, self.cols] = self.values
        return array


class NoArrayError(ValueError):
    """Why something is no array of a batch: a sentence but for its subject. Never leaves us."""


def as_array(leaf: RawLeaf) -> Shaped:
    """`leaf` as an array, a tensor or a `Sparse`, with at least one dimension.

    Raises:
        NoArrayError: It is nothing of the kind.
    """
    array: Shaped = leaf if type(leaf) is np.ndarray else _converted(leaf)
    if not len(array.shape):
        raise NoArrayError(_needed(leaf))
    if isinstance(array, np.ndarray) and not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    return array


def _needed(leaf: RawLeaf) -> str:
    text = f"must be an array of shape (rows, ...), not {describe(leaf)}"
    if is_number(leaf):
        return Message("{text}; a batch of one row is {array of a number}", text=text)
    return text


def is_number(leaf: RawLeaf) -> bool:
    """Whether `leaf` is one number."""
    return isinstance(leaf, (bool, int, float, np.number, np.bool_))


def _converted(leaf: RawLeaf) -> Shaped:
    if isinstance(leaf, (Sparse, keras.Variable)):
        return leaf
    if keras.ops.is_tensor(leaf):
        return _with_rows(leaf)
    if isinstance(leaf, keras.KerasTensor):
        raise NoArrayError(f"{_needed(leaf)}, a symbol of a model: it has no values")
    if isinstance(leaf, np.ma.MaskedArray):
        return _unmasked(leaf)
    if isinstance(leaf, np.ndarray):  # np.matrix, np.memmap
        return np.asarray(leaf)
    return _foreign(leaf)  # what its own code raises is the user's to see


def _with_rows(tensor: Shaped) -> Shaped:
    """A tensor whose number of rows is known: it has values."""
    shape = tensor.shape
    rank = shape.rank if hasattr(shape, "rank") else len(shape)
    if rank is None or (rank and tensor.shape[0] is None):
        text = f"must be an array of shape (rows, ...), not a {type(tensor).__name__}"
        raise NoArrayError(f"{text} whose number of rows is not known: it has no values")
    return tensor


def _unmasked(array: Array) -> Array:
    if np.ma.is_masked(array):
        rule = "must be an array without masked values, which a tensor cannot have"
        advice = "fill them, as in array.filled(0), and give their rows sample weights of 0"
        raise NoArrayError(f"{rule}; {advice}")
    return np.asarray(array)


def _foreign(leaf: RawLeaf) -> Shaped:
    """An array of another library, or an object that says it can give one."""
    scipy = sys.modules.get("scipy.sparse")
    if scipy is not None and scipy.issparse(leaf):
        return _from_scipy(leaf)
    if type(leaf).__module__.partition(".")[0] == "torch":
        given: Array = leaf.detach().cpu().numpy()
        return given
    if not _gives_array(leaf):
        raise NoArrayError(_needed(leaf))
    array = np.asarray(leaf)
    return _unmasked(array) if isinstance(array, np.ma.MaskedArray) else array


def _gives_array(leaf: RawLeaf) -> bool:
    """It says so: by NumPy's protocols, or as a buffer, such as array.array."""
    if any(hasattr(type(leaf), name) for name in _PROTOCOLS):
        return True
    try:
        memoryview(leaf)
    except Exception:
        return False
    return not isinstance(leaf, bytes)


def _from_scipy(matrix: RawLeaf) -> Shaped:
    if matrix.ndim != 2:
        dense: Array = matrix.toarray()
        return dense
    rows = matrix.tocsr(copy=True)
    rows.sum_duplicates()  # also sorts them
    entries = rows.tocoo()
    return Sparse(entries.row, entries.col, entries.data, entries.shape)


# -- floats: nothing else casts them ------------------------------------------------------------


def as_floatx(leaf: Leaf, floatx: str | None = None) -> Leaf:
    """`leaf`, an array of floats as `floatx`: Keras's `fit` casts fixed arrays so, not batches.

    That of Keras 2 casts the batches of generators too, to a `floatx` of its own.
    """
    if isinstance(leaf, np.ndarray) and np.issubdtype(leaf.dtype, np.floating):
        floatx = floatx or keras.config.floatx()
        return leaf.astype(floatx, copy=False)  # type: ignore[return-value]
    return leaf


def copy_of_r(array: Array, order: Literal["K", "C"] = "K") -> Array:
    """A copy of an array in R's memory: doubles become `floatx`, raw bytes `uint8`."""
    if array.dtype.kind == "V":  # R's raw
        array = array.view("uint8")
    dtype = keras.config.floatx() if array.dtype == np.float64 else array.dtype
    # Thread rule 9 (R's memory stays on its thread): R may use the memory again, so even an array
    # that needs no cast is copied.
    with np.errstate(invalid="ignore", over="ignore"):  # R's NA, and numbers above floatx's
        return np.array(array, dtype, order=order)
