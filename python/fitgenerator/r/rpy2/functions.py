"""R functions of rpy2 as sources of batches, and the R code of ours that calls them."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import ArgumentError
from ...sources.on_request import closure_source
from ...sources.source import Source
from .embedded_r import rinterface
from .interrupts import Interrupts

_CODE = Path(__file__).parents[1] / "code"
_FILES = (
    *("conditions.R", "batch-convert.R", "batch-messages.R", "host-closure.R"),
    *("host-random-streams.R", "images-functions.R", "pull.R", "forks.R"),
)


def is_function(thing: Any) -> bool:
    """Whether `thing` is an R function."""
    return isinstance(thing, rinterface.SexpClosure)


def identity_of(function: Any) -> str:
    """The same for every Python wrapper of one R function."""
    return f"R function {function.rid}"


def source(function: Any, argument: str) -> Source:
    """The source that an R function without arguments stands for.

    Raises:
        ArgumentError: The function needs arguments, or this is not Python's main thread.
    """
    required = needed_args(function)
    if required:
        raise ArgumentError.of(
            argument,
            f"must be an R function without arguments, not one that needs "
            f"`{'`, `'.join(required)}`; wrap it: function() f(...).",
        )
    return closure_source(function, identity_of(function))


def needed_args(function: Any, asking: str = "required_args") -> list[Any]:
    """What our R function `asking` says of the arguments that an R function needs."""
    if threading.current_thread() is not threading.main_thread():
        raise ArgumentError(
            "R functions can only be served on Python's main thread, where R takes its interrupts; "
            f"the call came from the thread {threading.current_thread().name}."
        )
    with Interrupts():
        return list(helper(asking)(function))


@cache
def _code() -> Any:
    """The R environment that holds our R code."""
    base = rinterface.baseenv
    env = base["new.env"](parent=base["globalenv"]())
    for name in _FILES:
        base["sys.source"](str(_CODE / name), envir=env)
    return env


def helper(name: str) -> Any:
    """A function of our R code."""
    return _code()[name]
