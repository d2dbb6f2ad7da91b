"""What came of a call into the user's code: one value for all that can happen there.

A host must not let an exception of the user's code unwind its own loop, nor, in R, cross into R's
frames. So it turns what happened into an `Outcome`, which the thread that asked takes apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Value(Generic[T]):
    """The code returned `value`."""

    value: T


@dataclass(frozen=True)
class Ended:
    """The function has no more values."""


@dataclass(frozen=True)
class Told:
    """The function was told that a pass has ended."""


@dataclass(frozen=True)
class Failed:
    """The code raised `error`."""

    error: BaseException


@dataclass(frozen=True)
class TimedOut:
    """The code exceeded the timeout; `stack` is where it stood, empty where that is not known."""

    stack: str = ""


@dataclass(frozen=True)
class Interrupted:
    """An interrupt, the user's or the watchdog's, stopped the code; `stack` is where it stood."""

    stack: str = ""


Outcome = Value[Any] | Ended | Told | Failed | TimedOut | Interrupted


def attempt(work: Callable[[], T]) -> Value[T] | Failed:
    """Call `work`; whatever it raises becomes a value."""
    try:
        return Value(work())
    except BaseException as error:
        return Failed(error)
