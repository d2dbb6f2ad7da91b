"""Values in a few words, for messages: by type, shape or length, never by their contents."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np

# The longest that one value, or one name, becomes in a message, in characters.
LONGEST = 300
LONGEST_NAME = 60


def describe(value: Any) -> str:
    """What `value` is: type, shape or length."""
    try:
        text = _described(value, inside=True)
    except Exception:  # an object whose attributes fail, or are not what their names say
        text = _a(_kind(value))
    return cut(text)


def _described(value: Any, *, inside: bool) -> str:
    kind = _kind(value)
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {cut(value.__name__, LONGEST_NAME)}"
    if inspect.isroutine(value):
        return f"the function {cut(value.__name__, LONGEST_NAME)}"
    if isinstance(value, (str, bytes)):
        return f"{_a(kind)} of length {len(value)}"
    if isinstance(value, Mapping):
        return f"{_a(kind)} with {len(value)} {'key' if len(value) == 1 else 'keys'}"
    if isinstance(value, Sequence):
        return f"{_a(kind)} of length {len(value)}" + _contents(value, inside)
    if hasattr(value, "shape"):
        what = "an array" if type(value) is np.ndarray else _a(kind)
        return f"{what} of shape {tuple(value.shape)}"
    if isinstance(value, Number):
        return f"the number {value!r}"
    return _a(kind)


def _contents(value: Sequence[Any], inside: bool) -> str:
    """The elements of a short list, and those of the lists in it."""
    if not inside or not 0 < len(value) <= 4:
        return ""
    return f" ({', '.join(_element(v) for v in value[:4])})"


def _element(value: Any) -> str:
    if isinstance(value, (list, tuple)) and 0 < len(value) <= 4:
        elements = ", ".join(_described(v, inside=False) for v in value)
        return f"{_described(value, inside=False)} ({elements})"
    return _described(value, inside=False)


def _kind(value: Any) -> str:
    return cut(type(value).__name__, LONGEST_NAME)


def _a(kind: str) -> str:
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"


def cut(text: str, longest: int = LONGEST) -> str:
    """`text`, or its beginning where it is longer than `longest`."""
    return text if len(text) <= longest else f"{text[: longest - 4]} ..."


def listed(things: Iterable[Any], most: int = 8) -> str:
    """The first `most` of `things`, each in few characters."""
    names = [cut(str(thing), LONGEST_NAME) for thing in things]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def dtype_of(array: Any) -> str:
    """The name of an array's dtype."""
    dtype = array.dtype
    kind = str(getattr(dtype, "kind", ""))
    return {"U": "str", "S": "bytes"}.get(kind) or cut(getattr(dtype, "name", str(dtype)))


def text_of(error: BaseException) -> str:
    """What an error says; nothing where that fails."""
    try:
        return str(error)
    except Exception:
        return ""


def reason(error: BaseException) -> str:
    """What an error says, as the end of a sentence without its full stop."""
    line = text_of(error).strip().partition("\n")[0]
    return cut(line or type(error).__name__).rstrip(" .")
