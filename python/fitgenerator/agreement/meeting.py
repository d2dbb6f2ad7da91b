"""Several processes that agree: process 0 gathers what each gives, and gives all of it to each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..backends.protocol import Cluster
from ..errors import ArgumentError, ClosedError, ProcessError, Terminated
from ..host.joined_threads import JoinedThreads
from ..host.signal_safe_queue import SLICE
from ..messages import reason
from .agreement import Agreement, Value
from .introductions import reach_first, receive_all
from .link import DATA, FAILED, VALUE, Link
from .lookout import BEATS, LEAVES, Lookout

# How long TensorFlow's error of a collective waits for the cause that the others tell, in seconds.
_PATIENCE = 5.0
# How long the end of a call waits for those of the others, so that what was said last arrives.
_LAST = 1.0


class Meeting(Agreement):
    """The processes of one call. All methods but `shut` are for the thread of its loop."""

    def __init__(self, cluster: Cluster) -> None:
        self.index, self.count = cluster.index, len(cluster.names)
        self._cluster = cluster
        self._links: list[Link] = []
        self._lookout = Lookout(cluster, self._links, lambda: None)
        self._receivers = JoinedThreads()
        self._shut = False
        self._check: Callable[[], None] = lambda: None

    def named(self, index: int) -> str:
        return f"process {index} ({self._cluster.names[index]})"

    def join(self, check: Callable[[], None], wake: Callable[[], None]) -> None:
        self._check = check
        if self.index == 0:
            self._links = receive_all(self._cluster, self._check_open)
        else:
            self._links = [reach_first(self._cluster, self._check_open)]
        self._lookout = Lookout(self._cluster, self._links, wake)
        self._lookout.start(self._receivers)

    def _check_open(self) -> None:
        if self._shut:
            raise ClosedError
        self._check()

    def agree(self, place: str, value: Value) -> list[Value]:
        own = [place, value]
        if self.index:
            self._links[0].send(VALUE, own)
            given = self._next(self._links[0])
        else:
            given = [own, *map(self._next, self._links)]
            for link in self._links:
                link.send(VALUE, given)
        elsewhere = next((i for i, one in enumerate(given) if one[0] != place), None)
        if elsewhere is not None:
            raise ArgumentError(
                f"The processes are at different places: {self.named(self.index)} is at {place}, "
                f"{self.named(elsewhere)} at {given[elsewhere][0]}. Each process needs the same "
                "call, and as many batches."
            )
        return [one[1] for one in given]

    def spread(self, data: bytes) -> bytes:
        if self.index:
            return bytes(self._next(self._links[0]))
        for link in self._links:
            link.send(DATA, data)
        return data

    def _next(self, link: Link) -> Any:
        """What comes next from a process."""
        lookout = self._lookout
        with lookout.changed:
            lookout.waits = True
            try:
                while not link.inbox:
                    if lookout.failure is not None:
                        raise lookout.failure
                    # Thread rule 2: a wait on the calling thread ends, for interrupts.
                    lookout.changed.wait(SLICE)
                    self._check_open()
                return link.inbox.popleft()
            finally:
                lookout.waits = False

    @contextmanager
    def told(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            cause = self._cause(error)
            self._lookout.over = True
            if cause is not None:
                raise cause from (None if error is cause else error)
            for link in self._links:
                link.send(FAILED, [self.index, _told(error)])
            raise

    def _cause(self, error: BaseException) -> ProcessError | None:
        """The failure of another process that has led to an error here."""
        if isinstance(error, ProcessError):
            return error
        lookout, deadline = self._lookout, time.monotonic() + _PATIENCE
        collective = isinstance(error, Exception) and self._cluster.is_of_peers(error)
        while collective and lookout.failure is None and time.monotonic() < deadline:
            with lookout.changed:
                lookout.changed.wait(SLICE)
        if collective and lookout.failure is None:
            lookout.name_silent(2 * BEATS)  # one that TensorFlow has given up before us
        return lookout.failure if collective or isinstance(error, ClosedError) else None

    def leave(self) -> None:
        self.agree(LEAVES, None)
        self._lookout.over = True

    def shut(self) -> None:
        self._shut = True

    def close(self) -> None:
        self.shut()
        self._lookout.close()
        for link in self._links:
            link.finish()
        self._receivers.join(time.perf_counter() + _LAST)
        for link in self._links:
            link.cut()
        self._receivers.join()
        for link in self._links:
            link.close()
        self._links = []


def _told(error: BaseException) -> str:
    """What the others are told of an error."""
    if isinstance(error, (KeyboardInterrupt, ClosedError)):
        return "was interrupted"
    if isinstance(error, Terminated):
        return "was ended by SIGTERM"
    return f"failed: {reason(error)}"
