"""Arrays of every kind, beside the plain array that each stands for, or `REFUSED`.

`FINE` is to be taken as the plain array, `SHAPES` as Keras takes it, `BAD` by nobody.
"""

from __future__ import annotations

import array
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import scipy.sparse
import tensorflow as tf


class Refused:
    """What stands for no array."""

    def __repr__(self) -> str:
        return "REFUSED"


REFUSED = Refused()
Pair = tuple[Any, Any]  # what a generator gives, and the plain array
Make = Callable[[Any], Pair]


def both(value: Any) -> Pair:
    """A plain array stands for itself."""
    return value, value


# -- objects ------------------------------------------------------------------------------------


class Giver:
    """Gives an array, and says of itself what it was told to say."""

    def __init__(self, given: Any, **says: Any) -> None:
        self._given = given
        self.__dict__.update(says)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self._given, dtype=dtype)


class Interface:
    """Shows its memory as NumPy asks for it."""

    def __init__(self, given: Any) -> None:
        self._given = np.ascontiguousarray(given)
        self.__array_interface__ = self._given.__array_interface__

    @property
    def __array_interface__(self) -> Any:
        return self._interface

    @__array_interface__.setter
    def __array_interface__(self, value: Any) -> None:
        self._interface = value


class Liar:
    """Says that it is an array; it is none."""

    shape, dtype, ndim = (4, 3), np.dtype("float32"), 2

    def __len__(self) -> int:
        return 10**12


class UsersError(RuntimeError):
    """What the code of a user's own array raises."""


class Failing:
    """Fails at whatever it is asked."""

    @property
    def shape(self) -> Any:
        raise RuntimeError("shape" * 1000)

    @property
    def dtype(self) -> Any:
        raise RuntimeError("dtype")

    def __len__(self) -> int:
        raise RuntimeError("len")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise UsersError("array" * 1000)

    def __repr__(self) -> str:
        raise RuntimeError("repr")


class Endless:
    """A sequence, by its methods, that has no end."""

    shape = property(lambda self: None)

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> float:
        return 1.0


class Sub(np.ndarray[Any, Any]):
    """A subclass of NumPy's array."""


class Mine(list[Any]):
    """A list with a length of its own."""

    def __len__(self) -> int:
        return 2


def generator() -> Iterator[float]:
    """A generator."""
    yield 1.0


def recursive() -> list[Any]:
    """A list that holds itself."""
    outer: list[Any] = [1]
    outer.append(outer)
    return outer


def nested(depth: int, core: Any) -> Any:
    """`core` in so many lists."""
    for _ in range(depth):
        core = [core]
    return core


def symbolic(shape: tuple[int | None, ...] = (4, 3)) -> Any:
    """A tensor of a graph."""
    with tf.Graph().as_default():
        return tf.compat.v1.placeholder(tf.float32, shape)


# -- kinds --------------------------------------------------------------------------------------


def _of_dtype(dtype: str) -> Make:
    return lambda a: both(np.abs(a).astype(dtype))


def _scipy(form: str) -> Make:
    def make(a: Any) -> Pair:
        if a.ndim != 2:
            return both(a)
        matrix = getattr(scipy.sparse, form)(a)
        return matrix, matrix.toarray()

    return make


def _matrix(a: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        return np.matrix(a) if a.ndim == 2 else a


def _duplicates(a: Any) -> Pair:
    if a.ndim != 2:
        return both(a)
    rows, cols = np.zeros(3, int), np.array([0, 0, a.shape[1] - 1])
    matrix = scipy.sparse.coo_matrix((np.array([1, 2, 4], a.dtype), (rows, cols)), shape=a.shape)
    return matrix, matrix.toarray()


def _filled(a: Any, value: float) -> Pair:
    given = a.astype("float32")
    given[-1:] = value
    return both(given)


DTYPES = (
    *("float64", "float16", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64", "bool"),
)
FINE: dict[str, Make] = {
    **{dtype: _of_dtype(dtype) for dtype in DTYPES},
    "plain": both,
    "column-major": lambda a: (np.asfortranarray(a), a),
    "reversed strides": lambda a: (a[::-1].copy()[::-1], a),
    "every second": lambda a: (np.repeat(a, 2, axis=0)[::2], a),
    "read-only": lambda a: (np.lib.stride_tricks.as_strided(a, writeable=False), a),
    "byteswapped": lambda a: (a.astype(a.dtype.newbyteorder(">")), a),
    "np.matrix": lambda a: (_matrix(a), a),
    "subclass": lambda a: (a.view(Sub), a),
    "masked array without a mask": lambda a: (np.ma.array(a), a),
    "masked array, nothing masked": lambda a: (np.ma.array(a, mask=np.zeros(a.shape, bool)), a),
    "array.array": lambda a: (array.array("f", a) if a.ndim == 1 else a, a.astype("float32")),
    "memoryview": lambda a: (memoryview(np.ascontiguousarray(a)), a),
    "__array__": lambda a: (Giver(a), a),
    "__array__, with other words": lambda a: (Giver(a, shape=(9, 9), dtype="none"), a),
    "__array_interface__": lambda a: (Interface(a), a),
    "tf.constant": lambda a: (tf.constant(a), a),
    "tf.Variable": lambda a: (tf.Variable(a), a),
    "keras.Variable": lambda a: (keras.Variable(a, dtype=str(a.dtype)), a),
    "IndexedSlices": lambda a: (tf.IndexedSlices(a, tf.range(len(a)), tf.shape(a)), a),
    "NaN": lambda a: _filled(a, np.nan),
    "infinity": lambda a: _filled(a, -np.inf),
    "coo_matrix with duplicates": _duplicates,
    **{form: _scipy(form) for form in ("csr_matrix", "csc_matrix", "coo_array", "lil_matrix")},
    **{form: _scipy(form) for form in ("dia_matrix", "bsr_matrix", "dok_matrix", "csc_array")},
}
SHAPES: dict[str, Make] = {
    "one more dimension": lambda a: both(a[..., None]),
    "three more dimensions": lambda a: both(a[..., None, None, None]),
    "one dimension": lambda a: both(a.reshape(len(a), -1)[:, 0]),
    "one column": lambda a: both(a.reshape(len(a), -1)[:, :1]),
    "twice the columns": lambda a: both(np.concatenate([a.reshape(len(a), -1)] * 2, axis=1)),
    "no columns": lambda a: both(a.reshape(len(a), -1)[:, :0]),
    "one row less": lambda a: both(a[1:]),
    "one row": lambda a: both(a[:1]),
    "no rows": lambda a: both(a[:0]),
    "strings": lambda a: both(a.astype(str)),
    "bytes": lambda a: both(a.astype("S8")),
    "objects that are strings": lambda a: both(a.astype(str).astype(object)),
    "ragged": lambda a: both(tf.ragged.constant([[1.0]] * (len(a) - 1) + [[1.0, 2.0]])),
    "large numbers": lambda a: both((np.abs(a) * 1e6).astype(a.dtype)),
    "negative": lambda a: both(-np.abs(a).astype("float32")),
}


def _is(value: Any) -> Make:
    return lambda a: (value, REFUSED)


def _made(make: Callable[[Any], Any]) -> Make:
    return lambda a: (make(a), REFUSED)


BAD: dict[str, Make] = {
    "a number": _is(3.5),
    "a very large number": _is(10**5000),
    "True": _is(True),
    "a NumPy number": _is(np.float32(2)),
    "no dimensions": _is(np.array(1.0)),
    "a tensor without dimensions": _made(lambda a: tf.constant(1.0)),
    "text": _is("text" * 2000),
    "bytes alone": _is(b"bytes"),
    "a set": _is({1.0, 2.0}),
    "a generator": _made(lambda a: generator()),
    "a function": _is(generator),
    "a lambda": _is(lambda: 1),
    "a class": _is(np.ndarray),
    "a module": _is(np),
    "a range": _is(range(4)),
    "a lock": _made(lambda a: threading.Lock()),
    "an ellipsis": _is(...),
    "a dtype": _is(np.dtype("float32")),
    "a slice": _is(slice(3)),
    "a list of numbers": _is([1.0, 2.0, 3.0, 4.0]),
    "a list of lists": _made(lambda a: a.tolist()),
    "a recursive list": _made(lambda a: recursive()),
    "900 lists": _made(lambda a: nested(900, "core")),
    "9000 lists": _made(lambda a: nested(9000, a)),
    "four lists in four, and so on": _made(lambda a: [[[["core"] * 4] * 4] * 4] * 4),
    "a dict of text": _is({"a": "text"}),
    "complex": _made(lambda a: a + 1j),
    "long double": _made(lambda a: a.astype(np.longdouble)),
    "dates": _made(lambda a: a.astype("int64").astype("datetime64[D]")),
    "times": _made(lambda a: a.astype("int64").astype("timedelta64[s]")),
    "records": _made(lambda a: np.zeros(a.shape, [("a", "f4"), ("b", "i4")])),
    "void": _made(lambda a: np.zeros(a.shape, "V4")),
    "objects": _made(lambda a: a.astype(object)),
    "objects and None": _made(lambda a: np.array([None] * len(a))),
    "unequal lists": _made(lambda a: np.array([[1]] * (len(a) - 1) + [[1, 2]], object)),
    "masked": _made(lambda a: np.ma.array(a, mask=np.arange(a.size).reshape(a.shape) == 0)),
    "a symbol of Keras": _made(lambda a: keras.Input(a.shape[1:])),
    "a symbol with rows": _made(lambda a: keras.KerasTensor(a.shape)),
    "a tensor of a graph": _made(lambda a: symbolic()),
    "a spec": _made(lambda a: tf.TensorSpec(a.shape)),
    "a data set": _made(tf.data.Dataset.from_tensors),
    "a TensorArray": _made(lambda a: tf.TensorArray(tf.float32, 4)),
    "a liar": _made(lambda a: Liar()),
    "a failing object": _made(lambda a: Failing()),
    "an endless sequence": _made(lambda a: Endless()),
    "gives text": _made(lambda a: Giver("text")),
    "gives a number": _made(lambda a: Giver(1.0)),
    "one-dimensional coo_array": _made(lambda a: scipy.sparse.coo_array(np.ones(len(a) + 1))),
    "a long name": _made(lambda a: type("Name" * 1000, (), {})()),
}

try:
    import pandas as pd
except ImportError:
    pass
else:
    FINE["DataFrame"] = lambda a: (pd.DataFrame(a) if a.ndim == 2 else pd.Series(a), a)
    BAD["DataFrame of mixed columns"] = _made(
        lambda a: pd.DataFrame({"n": np.ones(len(a)), "t": ["text"] * len(a)})
    )
    BAD["Series of text and NA"] = _made(lambda a: pd.Series(["a", None] + ["b"] * (len(a) - 2)))
