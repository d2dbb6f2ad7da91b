"""Training on a thread of ours while the calling thread hosts: serves pulls, hooks and output."""

from __future__ import annotations

import queue
import sys
import threading
from typing import Any

from .errors import ClosedError
from .feed import SLICE
from .host import Switchboard
from .inbox import Inbox
from .loops import EvaluateLoop, FitLoop, PredictLoop
from .sources import Claim, Reader, Source

Loop = FitLoop | EvaluateLoop | PredictLoop


def closure_source(function: Any, identity: str) -> Source:
    """The source that stands for a function of the host's, given as what the host knows it by.

    Sources of one `identity` are the same function, and share one feed.
    """
    return Source(lambda _: CarryingOn(), sys.intern(identity), function=function)


class CarryingOn(Reader):
    """A function carries on across rounds; its batches are asked for, not read."""

    def begin(self, *, fresh: bool, wrap: bool) -> None:
        """Nothing has to be done."""

    def claim(self) -> Claim:
        """Never called for its value."""
        return lambda: None


class Training:
    """A loop on a training thread. All methods are for the calling thread."""

    def __init__(self, board: Switchboard, loop: Loop) -> None:
        self.loop = loop
        self.result: Any = None
        self.error: BaseException | None = None
        self._board = board
        self._ended = Inbox()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        thread = threading.Thread(target=self._run, name="fitgenerator-training", daemon=True)
        thread.start()
        self._thread = thread

    def _run(self) -> None:
        course = self.loop.course
        try:
            with course.scope():
                self.result = self.loop.run_alone()
        except BaseException as error:
            self.error = error
        finally:
            self._board.close_pulls()
            course.close()
            self._ended.put(None)
            self._board.end()

    def stop(self) -> None:
        """Stop the loop, wait until its threads have ended, serve nothing meanwhile.

        Can be called again, also when a first call was interrupted.
        """
        self._board.close()
        self.loop.course.shut()
        thread = self._thread
        while thread is not None:
            try:
                self._ended.get(SLICE)
            except queue.Empty:
                continue
            thread.join()
            self._thread = thread = None
        self._board.close()

    @property
    def failure(self) -> BaseException | None:
        """What the loop raised, unless it was only stopped."""
        return None if isinstance(self.error, ClosedError) else self.error
