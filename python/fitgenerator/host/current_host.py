"""The host of the call that code on this thread works for: it is asked, and tells at the end.

It runs functions that only the calling thread can run. An R function that preprocesses images is
one: the thread that makes the batch asks the host, which runs it when R's thread is free.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..caller_warnings import warn
from ..errors import Warned, Warns
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


def tell(source: Warns) -> None:
    """Have the caller warned of what has come up in `source`.

    That is at the end of the call that this thread works for, whoever calls the source within it:
    background threads must not warn. Elsewhere, it is now.
    """
    host = host_here()
    if host is not None:
        host.met[source] = None
        return
    for text, kind in source.take_warnings():
        warn(text, kind)


def take_warnings(host: Host) -> list[Warned]:
    """What has come up, since the last time, in the sources that code of this call has met."""
    met, host.met = host.met, {}
    return [warned for source in met for warned in source.take_warnings()]
