"""The host that code on this thread may ask, for functions that only the calling thread can run.

An R function that preprocesses images is one: the thread that makes the batch asks the call's host,
which runs the function when R's thread is free.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .interface import Host

_here = threading.local()


@contextmanager
def asking(host: Host) -> Iterator[None]:
    """Within this context, code on this thread may ask `host`."""
    before, _here.host = host_here(), host
    try:
        yield
    finally:
        _here.host = before


def host_here() -> Host | None:
    """The host that code on this thread may ask."""
    host: Host | None = getattr(_here, "host", None)
    return host
