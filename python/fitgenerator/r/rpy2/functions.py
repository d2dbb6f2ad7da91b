"""R functions of rpy2 as sources of batches, and the R code of ours that calls them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import ArgumentError, add_note
from ...host.outcome import Ended, Failed, Interrupted, Outcome
from ...sources.on_request import closure_source
from ...sources.source import Source
from .embedded_r import rinterface
from .interrupts import Interrupts

_CODE = Path(__file__).parents[1] / "code"
_FILES = (
    *("conditions.R", "conditions-calls.R", "batch-convert.R", "batch-messages.R"),
    *("host-closure.R", "host-random-streams.R", "images-functions.R", "fetch.R", "forks.R"),
    *("workers-conditions.R", "workers-dispatch.R", "workers-frames.R", "workers-functions.R"),
    *("workers-link.R", "workers-pool.R", "workers-serve.R", "workers.R"),
)

RFunction = Any  # rpy2's wrapper of an R function
RValue = Any  # rpy2's wrapper of any value of R


def is_function(thing: object) -> bool:
    """Whether `thing` is an R function."""
    return isinstance(thing, rinterface.SexpClosure)


def identity_of(function: RFunction) -> str:
    """The same for every Python wrapper of one R function."""
    return f"R function {function.rid}"


def source(function: RFunction, argument: str) -> Source:
    """The source that an R function without arguments stands for.

    Raises:
        ArgumentError: The function needs arguments, its R has ended, or this is not Python's main
            thread.
    """
    if required := "`, `".join(needed_args(function, argument)):
        rule = f"must be an R function without arguments, not one that needs `{required}`; "
        raise ArgumentError.of(argument, f"{rule}wrap it: function() f(...).")
    return closure_source(function, identity_of(function))


def needed_args(function: RFunction, argument: str, asking: str = "required_args") -> list[Any]:
    """What our R function `asking` says of the arguments that an R function needs."""
    if not rinterface.embedded.isready():
        rule = (
            "must be a function of an R that runs; R has ended in this process (`endr()`), where "
        )
        raise ArgumentError.of(argument, f"{rule}it cannot start again: use another process.")
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


def outcome_of(kind: str, detail: RValue, refusal: Callable[[str], Exception]) -> Outcome | None:
    """What came in place of a value, by what our R code says of it; `None` where a value came.

    `kind` is as r/code/fetch.R names it; `refusal` makes the error for a value that is of no use.
    """
    match kind:
        case "ended":
            return Ended()
        case "interrupted":
            return Interrupted("\n".join(detail))
        case "refused":
            return Failed(refusal(detail[0]))
        case "failed":
            return Failed(kept_error(detail))
    return None


def kept_error(failure: RValue) -> BaseException:
    """The error that rpy2 makes of a condition which R code of ours has kept, with its calls."""
    condition, calls, said = failure
    try:
        helper("raise")(condition)
    except rinterface.embedded.RRuntimeError as error:
        error.fitgenerator_calls = tuple(calls)
        if len(said):
            add_note(error, "\n".join(said))
        return error  # type: ignore[no-any-return]
    raise AssertionError("stop() returned")
