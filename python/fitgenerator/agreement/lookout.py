"""Whether the other processes live: signs of life, failures, and collectives that cannot end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ..backends.protocol import Cluster
from ..errors import ProcessError
from ..host.joined_threads import JoinedThreads
from .link import BEAT, FAILED, VALUE, Link

# Seconds between two signs of life, and after how many without one a process is lost.
BEATS = 3.0
SILENCE = 45.0
# How long the step that runs may take to end by itself once a process has failed, in seconds. One
# that waits for that process in a collective does not.
_GRACE = 3.0
LEAVES = "the end"  # the place of a process whose call has ended well
_TOGETHER = (
    "All processes of a training end together: correct the cause there, and start all of them again"
)


class Lookout:
    """Receives what the others say, and watches them, on threads of its own."""

    def __init__(self, cluster: Cluster, links: list[Link], wake: Callable[[], None]) -> None:
        self.changed = threading.Condition()  # something has come, or a process has failed
        self.failure: ProcessError | None = None  # of another process, the first one
        self.waits = False  # the loop waits for the others, in Python
        self.over = False  # nothing that the others do matters any more
        self._failed_at = 0.0
        self._cluster = cluster
        self._links = links
        self._wake = wake  # where a process has failed: nothing is to wait for batches any more
        self._closing = threading.Event()
        self._beats = JoinedThreads()

    def start(self, receivers: JoinedThreads) -> None:
        """Start the threads: one for each link, and one that watches."""
        for link in self._links:
            link.start(receivers, self._came, self._lost)
        self._beats.start("fitgenerator-agreement-beat", self._beat)

    def _came(self, link: Link, kind: int, body: Any) -> None:
        if kind == BEAT:
            return
        if kind == FAILED:
            link.ended = True
            index, text = body
            self._fail(index, text, link)
            return
        # Process 0 gets what one process says, and the others what all have said.
        if kind == VALUE and (body[0] if link.index == 0 else body)[0] == LEAVES:
            link.ended = True
        with self.changed:
            link.inbox.append(body)
            self.changed.notify_all()

    def _lost(self, link: Link) -> None:
        if not link.ended:
            self._fail(link.index, "has ended without a word: it was killed, or it crashed", link)

    def _fail(self, index: int, text: str, beyond: Link) -> None:
        """A process has failed; those that only we can tell are told."""
        if self.over or self.failure is not None:
            return
        for link in self._links:
            if link is not beyond:
                link.send(FAILED, [index, text])
        names = self._cluster.names
        whole = f"Process {index} of {len(names)} ({names[index]}) {text}. {_TOGETHER}."
        with self.changed:
            self.failure, self._failed_at = ProcessError(whole), time.monotonic()
            self.changed.notify_all()
        self._wake()

    def name_silent(self, longest: float) -> None:
        """Give up processes that have given no sign of life for longer than so many seconds."""
        for link in self._links:
            silence = time.monotonic() - link.heard
            if silence > longest and not link.ended:
                link.ended = True
                self._fail(link.index, f"has given no sign of life for {silence:.0f} seconds", link)
                link.cut()  # what is being sent to it would wait for ever

    def _beat(self) -> None:
        sent, aborted = 0.0, False
        while not self._closing.wait(0.25):
            if time.monotonic() - sent > BEATS:
                sent = time.monotonic()
                for link in self._links:
                    link.beat()
            self.name_silent(SILENCE)
            stuck = self.failure is not None and not (self.waits or self.over)
            if stuck and not aborted and time.monotonic() - self._failed_at > _GRACE:
                aborted = True
                self._cluster.abort(str(self.failure))

    def close(self) -> None:
        """Watch no more."""
        self.over = True
        self._closing.set()
        self._beats.join()
