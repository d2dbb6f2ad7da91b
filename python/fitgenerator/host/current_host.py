"""Functions that only the calling thread can run, for batches that are made on other threads.

An R function that preprocesses images is one: the thread that makes the batch asks the host of its
call, which runs the function when R's thread is free.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..errors import GeneratorTimeoutError

_here = threading.local()


@dataclass(frozen=True)
class Applied:
    """A call that the host is asked for.

    Attributes:
        name: The argument that the function was given as, for messages.
        function: What the host knows it by.
        args: What it is called with.
        patience: How long the batch may take that it is for, in seconds; `None` for ever.
    """

    name: str
    function: Any
    args: tuple[Any, ...]
    patience: float | None = None

    def timed_out(self, stack: str) -> GeneratorTimeoutError:
        """The error for a call that takes too long; `stack` is where the function stands."""
        text = f"`{self.name}` did not return within {self.patience:g} seconds (`timeout`)."
        return GeneratorTimeoutError.at(stack, text)


@contextmanager
def asking(host: Any) -> Iterator[None]:
    """What this thread runs inside may ask `host`."""
    before, _here.host = host_here(), host
    try:
        yield
    finally:
        _here.host = before


def host_here() -> Any:
    """The host that code on this thread may ask, or `None`."""
    return getattr(_here, "host", None)
