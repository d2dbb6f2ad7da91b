"""The words of messages: values in few words, and texts that each language says in its own way.

Values that are not short are described by type, shape or length, never by their contents.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from numbers import Number
from string import Formatter
from typing import Any

import numpy as np

# The longest that one value, or one name, becomes in a message, in characters.
LONGEST = 300
LONGEST_NAME = 60
# What Keras's arguments for processes come to.
READ_BY_THREADS = "generators are read by threads, `workers` of them"


@dataclass(frozen=True)
class Vocabulary(Formatter):
    """How one language writes what templates of messages mention.

    In a template `{name}` is a text, `{name!r}` a value, `{names!l}` a list of values, and
    `{number!i}` an index from 0. None, booleans, numbers and strings are written as in that
    language, other values are described.

    Attributes:
        words: What the language calls things that templates name without being given them.
        first: The index of the first of several things.
        number: Writes a number.
        string: Writes a string.
    """

    words: Mapping[str, str]
    first: int = 0
    number: Callable[[Any], str] = repr
    string: Callable[[str], str] = repr

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """What a name in a template stands for."""
        return kwargs[str(key)] if key in kwargs else self.words[str(key)]

    def convert_field(self, value: Any, conversion: Any) -> Any:
        """A value as the template wants it."""
        if conversion == "r":
            return self._value(value)
        if conversion == "l":
            return listed(map(self._value, value), 10)
        if conversion == "i":
            return value + self.first
        return said_in(self, value) if isinstance(value, Message) else value

    def _value(self, value: Any) -> str:
        plain = value.item() if isinstance(value, np.generic) else value
        if plain is None or isinstance(plain, bool):
            return self.words[str(plain)]
        with suppress(Exception):  # an integer of more digits than Python writes
            if isinstance(plain, str):
                return cut(self.string(plain), LONGEST_NAME)
            if isinstance(plain, Number):
                return cut(self.number(plain), LONGEST_NAME)
        return describe(value)


PYTHON = Vocabulary(
    {
        "None": "None",
        "True": "True",
        "False": "False",
        "the directory itself": '["."]',
        "categories": "categories",
        "fit to images": "generator.fit(images)",
        "as array": "np.asarray",
        "weigh outputs": "give one for each, None for weights of 1, or a dict by their names",
        "text as numbers": "number the classes from 0, as keras.layers.StringLookup does",
        "inputs as numbers": "encode them in the generator; on TensorFlow, the model can have an "
        'input of text: keras.Input(shape, dtype="string")',
        "array of a number": "np.array([number])",
        "settings of the address": "environment variables FITGENERATOR_HOST and FITGENERATOR_PORT",
        "use another process": "Train in a process that is started anew: "
        'multiprocessing.get_context("spawn")',
        "use tensorflow": "set KERAS_BACKEND=tensorflow, =jax or =torch before Keras is imported",
    }
)


class Message(str):
    """A text made of a template and values: as a string, in the words of Python's users.

    `Message("`{name}` must be {True} or {False}, not {value!r}.", name="shuffle", value=None)`
    becomes "`shuffle` must be True or False, not None." in Python, and in R "`shuffle` must be TRUE
    or FALSE, not NULL.".
    """

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, **values: Any) -> Message:
        message = super().__new__(cls, PYTHON.vformat(template, (), values))
        message.template, message.values = template, values
        return message

    def __reduce__(self) -> tuple[Any, ...]:
        return str, (str(self),)  # values need not be what can be pickled


def said_in(vocabulary: Vocabulary, thing: BaseException | str) -> str:
    """A text, or what an error or a warning says, in the words of a language."""
    text = thing.args[0] if isinstance(thing, BaseException) and len(thing.args) == 1 else thing
    if isinstance(text, Message):
        return vocabulary.vformat(text.template, (), text.values)
    return thing if isinstance(thing, str) else text_of(thing)


def describe(value: Any) -> str:
    """What `value` is: type, shape or length."""
    try:
        text = _described(value)
    except Exception:  # an object whose attributes fail, or are not what their names say
        text = _a(_kind(value))
    return cut(text)


def _described(value: Any, depth: int = 0) -> str:
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
        return f"{_a(kind)} of length {len(value)}" + _contents(value, depth)
    if hasattr(value, "shape"):
        what = "an array" if type(value) is np.ndarray else _a(kind)
        return f"{what} of shape {tuple(value.shape)}"
    if isinstance(value, Number):
        return f"the number {value!r}"
    return _a(kind)


def _contents(value: Sequence[Any], depth: int) -> str:
    """The elements of a short sequence, and those of the lists in it."""
    looks_inside = depth == 0 or (depth == 1 and isinstance(value, (list, tuple)))
    if not looks_inside or not 0 < len(value) <= 4:
        return ""
    return f" ({', '.join(_described(v, depth + 1) for v in value[:4])})"


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
