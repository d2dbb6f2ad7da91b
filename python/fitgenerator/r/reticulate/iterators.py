"""The iterators that reticulate makes of R functions: `py_iterator()`, in Python `RGenerator`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

Iterator = Any  # an `RGenerator`, which has no types


def is_iterator(thing: object) -> bool:
    """Whether `thing` is such an iterator."""
    return isinstance(thing, import_module("rpytools.generator").RGenerator)


def function_of(iterator: Iterator) -> Any:
    """The R function that it calls; `None` where this reticulate hides the function."""
    function = iterator.r_function
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    cells = dict(zip(names, getattr(function, "__closure__", None) or (), strict=False))
    return cells["f"].cell_contents if "f" in cells else None


def take_fetched(iterator: Iterator) -> dict[str, Any] | None:
    """The next of the values that it fetched before the call, if there is one."""
    values = iterator.values_queue
    if values.empty() or values.queue[0] is _end():
        return None
    return {"value": values.get_nowait()}


def is_over(iterator: Iterator) -> bool:
    """Whether its function has ended."""
    return bool(iterator.completed)


def end(iterator: Iterator) -> None:
    """Its function has ended."""
    iterator.values_queue.put(_end())
    iterator.completed = True


def fetch(iterator: Iterator, least: int) -> None:
    """Fetch values on this thread, as many as it would on R's."""
    iterator._pending_tend_queue = False
    for _ in range(max(least, iterator.prefetch - iterator.values_queue.qsize())):
        try:
            value = iterator.r_function()
        except StopIteration:
            end(iterator)
            return
        iterator.values_queue.put(value)


def _end() -> object:
    return import_module("rpytools.generator")._completed_sentinel
