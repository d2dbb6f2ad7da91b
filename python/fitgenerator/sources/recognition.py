"""What may be given as a generator, each turned into a `Source` that readers can be opened on."""

from __future__ import annotations

import inspect
from functools import partial

import keras

from ..arguments import Unchecked
from ..errors import ArgumentTypeError
from ..messages import describe
from ..r_functions import bridge_of, is_r_function
from .readers import IteratorReader, indexed
from .source import Readable, Source, is_dataset


def as_source(given: Unchecked, argument: str) -> Source:
    """The `Source` that `given` stands for.

    Raises:
        ArgumentTypeError: It is nothing that batches can be read from; the message says what is.
    """
    if isinstance(given, Source):
        return given
    if isinstance(given, Readable):
        return given.as_source(argument)
    if is_r_function(given):
        raise ArgumentTypeError.of(
            argument,
            "is an R function that reticulate has wrapped. R functions are served from R: call the "
            "R function fit_generator(), evaluate_generator() or predict_generator() of the R "
            "package fitgenerator instead.",
        )
    readable = any(_has(given, name) for name in ("__next__", "__iter__", "__getitem__"))
    if callable(given) and not readable:
        return _from_callable(given, argument)
    if is_dataset(given):
        count = int(given.cardinality())  # -1 is infinite, -2 unknown
        length = count if count >= 0 else None
        return Source(lambda: IteratorReader(None, given), given, length, True, endless=count == -1)
    if isinstance(given, keras.utils.PyDataset):
        return indexed(given, lambda: given.num_batches)
    if isinstance(given, (list, tuple)):
        if given and all(isinstance(element, tuple) for element in given):
            return indexed(given, lambda: len(given))
        raise ArgumentTypeError.of(
            argument,
            f"must give batches, not {describe(given)}: a list of batches is a list "
            "of tuples, and flow_from_data() makes batches of arrays.",
        )
    if isinstance(given, (str, bytes, dict)) or _is_array(given) or _is_frame(given):
        raise _no_source(given, argument)
    if _has(given, "__getitem__") and _has(given, "__len__"):
        return indexed(given, lambda: len(given))
    if _has(given, "__next__"):
        return Source(lambda: IteratorReader(given), given)
    if _has(given, "__iter__"):
        reader = partial(IteratorReader, None, given, partial(_length_of, given))
        return Source(reader, given, _length_of(given), restarts=True)
    raise _no_source(given, argument)


def _length_of(given: Unchecked) -> int | None:
    """Batches of an iterable, where it knows; some DataLoaders have a `__len__` that only fails."""
    try:
        return len(given)
    except TypeError:
        return None


def _has(given: Unchecked, name: str) -> bool:
    """Whether its class says so: an object may have, or answer to, any name."""
    return hasattr(type(given), name)


def _is_array(given: Unchecked) -> bool:
    """Some sparse matrices have their dtype in the object; so may a generator."""
    return _has(given, "dtype") or (_has(given, "shape") and hasattr(given, "dtype"))


def _is_frame(given: Unchecked) -> bool:
    """A data frame of pandas, polars or Dask."""
    return all(_has(given, name) for name in ("shape", "dtypes", "columns"))


def _from_callable(given: Unchecked, argument: str) -> Source:
    bridge = bridge_of(given)
    if bridge is not None and bridge.is_function(given):
        return bridge.source(given, argument)  # type: ignore[no-any-return]
    if inspect.isgeneratorfunction(given):
        rule = f"is a generator function; pass what it returns: {given.__name__}()."
        raise ArgumentTypeError.of(argument, rule)
    raise _no_source(given, argument)


def _no_source(given: Unchecked, argument: str) -> ArgumentTypeError:
    arrays = "arrays (inputs, targets), " if argument == "validation_data" else ""
    hint = ""
    if _is_frame(given):
        hint = " flow_from_frame() makes batches of a data frame."
    elif _is_array(given):
        hint = " flow_from_data() makes batches of arrays."
    return ArgumentTypeError.of(
        argument,
        f"must give batches: {arrays}an iterator or iterable, a generator, a keras.utils.PyDataset "
        "or other object with __getitem__ and __len__, a tf.data.Dataset, or an R function, not "
        f"{describe(given)}.{hint}",
    )
