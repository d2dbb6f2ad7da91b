"""R's memory as arrays, for R functions that rpy2 calls.

Reads what R made through R's own functions: rpy2's wrappers cost ten times as much as the copy of a
small batch.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np

from ...batches.arrays import Sparse
from .embedded_r import openrlib, rinterface

# R's codes for the types of its values; see "SEXPTYPEs" in the manual "R Internals".
_NULL, _LOGICAL, _INTEGER, _REAL, _STRING, _LIST, _RAW = 0, 10, 13, 14, 16, 19, 24
# The function that gives the address, the type in R's memory, the type in the batch.
_DTYPES: dict[int, tuple[str, Any, Any]] = {
    _REAL: ("REAL", np.dtype("float64"), None),
    _INTEGER: ("INTEGER", np.dtype("int32"), "int32"),
    _LOGICAL: ("LOGICAL", np.dtype("int32"), "bool"),
    _RAW: ("RAW", np.dtype("uint8"), "uint8"),
}


def to_python(value: Any) -> Any:
    """What `as_batch` or `as_inputs` made, as lists, dicts and arrays.

    Arrays are copied, in their own column-major order: R may use their memory again.
    """
    with openrlib.rlock:
        return _convert(value.__sexp__._cdata)


def to_array(value: Any) -> Any:
    """An array of doubles, as it is: a copy."""
    with openrlib.rlock:
        return _array(value.__sexp__._cdata, *_DTYPES[_REAL][:2], "float64")


def to_r(array: Any) -> Any:
    """An array of doubles of R's: each element in its place."""
    column_major: Any = np.asarray(array, "float64").ravel(order="F")
    made = rinterface.FloatSexpVector.from_memoryview(memoryview(column_major))
    made.do_slot_assign("dim", rinterface.IntSexpVector(array.shape))
    return made


def _convert(value: Any) -> Any:
    kind = _type_of(value)
    if kind in _DTYPES:
        return _array(value, *_DTYPES[kind])
    if kind == _LIST:
        return _list(value)
    if kind == _STRING:
        return np.array(_strings(value), dtype=object).reshape(_shape(value), order="F")
    assert kind == _NULL, f"as_batch() made a value of R's type {kind}"
    return None


def _array(value: Any, address: str, stored: Any, wanted: Any) -> Any:
    size = openrlib.rlib.Rf_xlength(value) * stored.itemsize
    data = openrlib.ffi.buffer(getattr(openrlib.rlib, address)(value), size)
    array = np.frombuffer(data, dtype=stored).reshape(_shape(value), order="F")
    with np.errstate(invalid="ignore", over="ignore"):  # R's NA, and too large numbers
        return array.astype(wanted or keras.config.floatx(), order="K", copy=True)


def _list(value: Any) -> Any:
    rlib = openrlib.rlib
    parts = [_convert(rlib.VECTOR_ELT(value, i)) for i in range(rlib.Rf_xlength(value))]
    if rlib.Rf_getAttrib(value, rlib.R_ClassSymbol) != rlib.R_NilValue:  # only sparse ones have one
        rows, cols, values, shape = parts
        return Sparse(rows, cols, values, (int(shape[0]), int(shape[1])))
    names = rlib.Rf_getAttrib(value, _names_symbol())
    return parts if names == rlib.R_NilValue else dict(zip(_strings(names), parts, strict=True))


def _shape(value: Any) -> tuple[int, ...]:
    rlib = openrlib.rlib
    dim = rlib.Rf_getAttrib(value, rlib.R_DimSymbol)
    if dim == rlib.R_NilValue:
        return (rlib.Rf_xlength(value),)
    return tuple(rlib.INTEGER(dim)[0 : rlib.Rf_xlength(dim)])


def _strings(value: Any) -> list[str]:
    rlib = openrlib.rlib
    codes = [rlib.R_CHAR(rlib.STRING_ELT(value, i)) for i in range(rlib.Rf_xlength(value))]
    return [openrlib.ffi.string(code).decode("utf-8") for code in codes]


@cache
def _names_symbol() -> Any:
    return openrlib.rlib.Rf_install(b"names")


def _type_of(value: Any) -> int:
    type_of = getattr(openrlib.rlib, "TYPEOF", None)  # rpy2 has had it since R made it necessary
    return int(type_of(value) if type_of else value.sxpinfo.type)
