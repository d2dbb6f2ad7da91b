"""What may be given as a generator, each turned into a `Source` that readers can be opened on.

A reader hands out *claims*: calls that fetch one batch. Claims are made one at a time and in order;
the claims of an indexed source may then run on several threads.
"""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import getitem
from typing import Any

import keras
import numpy as np

from ..batches.structure import Parts, check
from ..errors import ArgumentError, ArgumentTypeError, BatchError, Warned, Warns
from ..host.switchboard import Host
from ..messages import describe, reason
from ..r_functions import is_r_function
from .fetches import Fetches, called

Claim = Callable[[], Any]

# Rows of a batch when validation data is a tuple of arrays, as in Keras's `fit`.
ARRAY_BATCH_ROWS = 32


class Reader(ABC):
    """Reads one source from one feed."""

    @abstractmethod
    def begin(self, *, fresh: bool, wrap: bool, epoch: int = 0, count: int | None = None) -> None:
        """Start a round: from the first batch where `fresh`; starting over at the end if `wrap`.

        It is for the epoch of that number, from 0, and has `count` batches, or those of one pass.
        """

    @abstractmethod
    def claim(self) -> Claim:
        """The call that fetches the next batch; at the end it, or this, raises `StopIteration`."""


@dataclass(frozen=True)
class Source:
    """A generator as the engine sees it.

    Attributes:
        open: Makes a reader, given the hand-over to the calling thread.
        length: Batches in one pass, where it is known.
        restarts: It can be read again from its first batch.
        parallel: Its claims may run on several threads.
        function: What the host knows it by, where the calling thread makes its batches on request.
        endless: One pass never ends.
        shuffled: Each pass has an order of its own.
        asks: Its batches need the calling thread while they are made: never there.
        fresh: It makes each batch's arrays anew, and nobody has them but who reads it.
        identity: What it reads.
    """

    open: Callable[[Host], Reader]
    identity: Any
    length: int | None = None
    restarts: bool = False
    parallel: bool = False
    endless: bool = False
    shuffled: bool = False
    asks: bool = False
    fresh: bool = False
    function: Any = None

    @property
    def hosted(self) -> bool:
        """The calling thread makes its batches, on request."""
        return self.function is not None

    def take_warnings(self) -> list[Warned]:
        """What there is to warn of since the last time, on the thread that may."""
        return self.identity.take_warnings() if isinstance(self.identity, Warns) else []


class Readable(ABC):
    """An object that knows what the engine reads of it."""

    @abstractmethod
    def as_source(self, argument: str) -> Source:
        """The `Source` that it stands for, given as `argument`."""


class IteratorReader(Reader):
    """Reads an iterator, which carries on across rounds, or passes over an iterable."""

    def __init__(self, iterator: Iterator[Any] | None, iterable: Iterable[Any] | None = None):
        self._iterator = iterator
        self._iterable = iterable
        self._wrap = False

    def begin(self, *, fresh: bool, wrap: bool, epoch: int = 0, count: int | None = None) -> None:
        """Start a round."""
        self._wrap = wrap
        if self._iterable is not None and fresh:
            self._iterator = None

    def claim(self) -> Claim:
        """The fetching of the next batch."""
        return self._next

    def _next(self) -> Any:
        if self._iterable is None:
            assert self._iterator is not None
            return next(self._iterator)
        if self._iterator is None:
            self._iterator = self._pass_over(self._iterable)
        try:
            return next(self._iterator)
        except StopIteration:
            self._iterator = None
            if not self._wrap:
                raise
        self._iterator = self._pass_over(self._iterable)
        return next(self._iterator)

    @staticmethod
    def _pass_over(iterable: Iterable[Any]) -> Iterator[Any]:
        return called(partial(iter, iterable), "__iter__()")  # type: ignore[no-any-return]


class IndexedReader(Reader):
    """Reads `source[0]`, `source[1]`, ... and tells the source where a pass begins and ends."""

    def __init__(self, source: Any, length: int) -> None:
        self._source = source
        self._length = length
        self._index = 0
        self._wrap = False
        self._in_pass = False
        self._fetches = Fetches()

    def begin(self, *, fresh: bool, wrap: bool, epoch: int = 0, count: int | None = None) -> None:
        """Start a round."""
        self._wrap = wrap
        if fresh:
            self._index = 0
            self._end_pass()

    def claim(self) -> Claim:
        """The fetching of the batch at the next index."""
        if self._index >= self._length:
            if not self._wrap:
                raise StopIteration
            self._index = 0
            self._end_pass()
        if not self._in_pass:
            self._in_pass = True
            self._tell("on_epoch_begin")
        index = self._index
        self._index += 1
        return self._fetches.claim(partial(getitem, self._source, index), f"__getitem__({index})")

    def _end_pass(self) -> None:
        if self._in_pass:
            self._fetches.wait()
            self._in_pass = False
            self._tell("on_epoch_end")

    def _tell(self, hook: str) -> None:
        method = getattr(self._source, hook, None)
        if callable(method):
            called(method, f"{hook}()")


class ArrayBatches:
    """A tuple of arrays as an indexed source of batches."""

    def __init__(self, parts: tuple[Any, ...], rows: int) -> None:
        self._parts = parts
        self._rows = rows

    def __len__(self) -> int:
        return (self._rows + ARRAY_BATCH_ROWS - 1) // ARRAY_BATCH_ROWS

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        rows = slice(index * ARRAY_BATCH_ROWS, (index + 1) * ARRAY_BATCH_ROWS)
        return tuple(
            keras.tree.map_structure(lambda a: a if a is None else a[rows], part)
            for part in self._parts
        )


def as_source(given: Any, argument: str, *, arrays_allowed: bool = False) -> Source:
    """The `Source` that `given` stands for.

    Raises:
        ArgumentTypeError: It is nothing that batches can be read from; the message says what is.
        ArgumentError: Fixed arrays of the wrong number of parts.
    """
    if isinstance(given, Source):
        return given
    if isinstance(given, Readable):
        return given.as_source(argument)
    _refuse_reticulate(given, argument)
    if callable(given) and not _is_readable(given):
        return _from_callable(given, argument)
    if _is_dataset(given):
        count = int(given.cardinality())  # -1 is infinite, -2 unknown
        length = count if count >= 0 else None
        endless = count == -1
        return Source(
            lambda _: IteratorReader(None, given), given, length, restarts=True, endless=endless
        )
    if isinstance(given, keras.utils.PyDataset):
        return indexed(given, given.num_batches)
    if isinstance(given, (list, tuple)):
        if given and all(isinstance(element, tuple) for element in given):
            return indexed(given, len(given))
        return _from_arrays(given, argument, arrays_allowed)
    if isinstance(given, (str, bytes, dict)) or _is_array(given):
        raise _no_source(given, argument)
    if _has(given, "__getitem__") and _has(given, "__len__"):
        return indexed(given, len(given))
    if _has(given, "__next__"):
        return Source(lambda _: IteratorReader(given), given)
    if _has(given, "__iter__"):
        return Source(lambda _: IteratorReader(None, given), given, _length_of(given), True)
    raise _no_source(given, argument)


def indexed(given: Any, length: int | None) -> Source:
    """The source of an object with an index; of one without an end where `length` is `None`."""
    count = None if length is None else int(length)
    return Source(
        lambda _: IndexedReader(given, sys.maxsize if count is None else count),
        given,
        count,
        restarts=True,
        parallel=True,
        endless=count is None,
        shuffled=getattr(given, "shuffle", False) is True,
    )


def _length_of(given: Any) -> int | None:
    """Batches of an iterable, where it knows; some DataLoaders have a `__len__` that only fails."""
    try:
        return len(given)
    except TypeError:
        return None


def _has(given: Any, name: str) -> bool:
    """Whether its class says so: an object may have, or answer to, any name."""
    return hasattr(type(given), name)


def _is_array(given: Any) -> bool:
    """Some sparse matrices have their dtype in the object; so may a generator."""
    return _has(given, "dtype") or (_has(given, "shape") and hasattr(given, "dtype"))


def _is_readable(given: Any) -> bool:
    return any(_has(given, name) for name in ("__next__", "__iter__", "__getitem__"))


def _is_dataset(given: Any) -> bool:
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(given, tensorflow.data.Dataset)


def _from_callable(given: Any, argument: str) -> Source:
    if "rpy2" in sys.modules:
        from ..r.rpy2 import server

        if server.is_function(given):
            return server.source(given, argument)
    if inspect.isgeneratorfunction(given):
        raise ArgumentTypeError(
            f"`{argument}` is a generator function; pass what it returns: {given.__name__}()."
        )
    raise _no_source(given, argument)


def _refuse_reticulate(given: Any, argument: str) -> None:
    if is_r_function(given):
        raise ArgumentTypeError(
            f"`{argument}` is an R function that reticulate has wrapped. R functions are served "
            "from R: call the R function fit_generator(), evaluate_generator() or "
            "predict_generator() of the R package fitgenerator instead."
        )


def _no_source(given: Any, argument: str) -> ArgumentTypeError:
    return ArgumentTypeError(
        f"`{argument}` must give batches: an iterator or iterable, a generator, a "
        "keras.utils.PyDataset or other object with __getitem__ and __len__, a tf.data.Dataset, "
        f"or an R function, not {describe(given)}."
    )


def _from_arrays(given: Any, argument: str, allowed: bool) -> Source:
    if not allowed:
        raise ArgumentTypeError(
            f"`{argument}` must give batches, not {describe(given)}: a list of batches is a list "
            "of tuples, and arrays are for the model's own methods, or for a generator."
        )
    if not 2 <= len(given) <= 3:
        raise ArgumentError(
            f"`{argument}` as fixed arrays must be (inputs, targets) or (inputs, targets, "
            f"sample_weights), not {describe(given)}."
        )
    try:
        parts, rows = check(Parts(*given), whose=f"`{argument}`")
        arrays = [keras.tree.map_structure(_as_fit_does, part) for part in parts[: len(given)]]
        batches = ArrayBatches(tuple(arrays), rows)
        batches[0]  # rows can be taken
    except BatchError as error:
        raise ArgumentError(str(error)) from error
    except Exception as error:  # an array of which no rows can be taken
        raise ArgumentError(
            f"`{argument}` as fixed arrays must hold arrays that rows can be taken from, not "
            f"{describe(given)}: {reason(error)}."
        ) from error
    return indexed(batches, len(batches))


def _as_fit_does(leaf: Any) -> Any:
    """Keras's `fit` casts floating arrays, but not what generators give, to floatx."""
    if not isinstance(leaf, np.ndarray):
        return leaf
    if np.issubdtype(leaf.dtype, np.floating):
        return leaf.astype(keras.config.floatx(), copy=False)
    return leaf
