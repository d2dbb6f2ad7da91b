"""R's memory as arrays, for R functions that rpy2 calls.

R's own functions read what R made: rpy2's wrappers cost ten times as much as the copy of a small
batch.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ...batches.arrays import Sparse, copy_of_r
from ...models.protocol import Array
from .embedded_r import openrlib, rinterface

Wrapper = Any  # rpy2's wrapper of a value of R
Pointer = Any  # the address of a value of R, as cffi gives it

# R's codes for the types of its values; see "SEXPTYPEs" in the manual "R Internals".
_NULL, _LOGICAL, _INTEGER, _REAL, _STRING, _LIST, _RAW = 0, 10, 13, 14, 16, 19, 24
# The function that gives the address of a value's memory, and the type of its elements.
_MEMORY: dict[int, tuple[str, np.dtype[Any]]] = {
    _REAL: ("REAL", np.dtype("float64")),
    _INTEGER: ("INTEGER", np.dtype("int32")),
    _LOGICAL: ("LOGICAL", np.dtype("int32")),
    _RAW: ("RAW", np.dtype("uint8")),
}


def to_python(value: Wrapper) -> Any:
    """What R/batch-convert.R made of a batch, as lists, dicts and arrays.

    Arrays are copied, in their own column-major order: R may use their memory again.
    """
    with openrlib.rlock:
        return _convert(value.__sexp__._cdata)


def to_array(value: Wrapper) -> Any:
    """A copy of an array of doubles, as doubles."""
    with openrlib.rlock:
        return _view(value.__sexp__._cdata, _REAL).copy("K")


def to_r(array: Array) -> Any:
    """An array of doubles of R's: each element in its place."""
    column_major: Any = np.asarray(array, "float64").ravel(order="F")
    made = rinterface.FloatSexpVector.from_memoryview(memoryview(column_major))
    made.do_slot_assign("dim", rinterface.IntSexpVector(array.shape))
    return made


def _convert(value: Pointer) -> Any:
    kind = _type_of(value)
    if kind in _MEMORY:
        array = _view(value, kind)
        return array.astype(bool) if kind == _LOGICAL else copy_of_r(array)
    if kind == _LIST:
        return _list(value)
    if kind == _STRING:
        return np.array(_strings(value), dtype=object).reshape(_shape(value), order="F")
    assert kind == _NULL, f"as_batch() made a value of R's type {kind}"
    return None


def _view(value: Pointer, kind: int) -> Array:
    """R's memory itself, which must not leave this module."""
    address, dtype = _MEMORY[kind]
    size = openrlib.rlib.Rf_xlength(value) * dtype.itemsize
    data = openrlib.ffi.buffer(getattr(openrlib.rlib, address)(value), size)
    return np.frombuffer(data, dtype=dtype).reshape(_shape(value), order="F")


def _list(value: Pointer) -> Any:
    rlib = openrlib.rlib
    parts = [_convert(rlib.VECTOR_ELT(value, i)) for i in range(rlib.Rf_xlength(value))]
    if rlib.Rf_getAttrib(value, rlib.R_ClassSymbol) != rlib.R_NilValue:  # only sparse ones have one
        rows, cols, values, shape = parts
        return Sparse(rows, cols, values, (int(shape[0]), int(shape[1])))
    names = rlib.Rf_getAttrib(value, _names_symbol())
    return parts if names == rlib.R_NilValue else dict(zip(_strings(names), parts, strict=True))


def _shape(value: Pointer) -> tuple[int, ...]:
    rlib = openrlib.rlib
    dim = rlib.Rf_getAttrib(value, rlib.R_DimSymbol)
    if dim == rlib.R_NilValue:
        return (rlib.Rf_xlength(value),)
    return tuple(rlib.INTEGER(dim)[0 : rlib.Rf_xlength(dim)])


def _strings(value: Pointer) -> list[str]:
    rlib = openrlib.rlib
    codes = [rlib.R_CHAR(rlib.STRING_ELT(value, i)) for i in range(rlib.Rf_xlength(value))]
    return [openrlib.ffi.string(code).decode("utf-8") for code in codes]


@cache
def _names_symbol() -> Any:
    return openrlib.rlib.Rf_install(b"names")


def _type_of(value: Pointer) -> int:
    type_of = getattr(openrlib.rlib, "TYPEOF", None)  # in rpy2 since R hides the fields of values
    return int(type_of(value) if type_of else value.sxpinfo.type)
