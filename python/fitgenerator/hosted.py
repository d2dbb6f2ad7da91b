"""Training on a thread of ours while the calling thread hosts: serves pulls, hooks and output.

`Training` is the thread; `ClosureReader` turns a function that only the host can call into a reader
like any other.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

from .errors import ClosedError
from .feed import SLICE
from .host import Host, Line, Request, Switchboard
from .inbox import Inbox
from .loops import EvaluateLoop, FitLoop, PredictLoop
from .sources import Claim, Reader, Source

Loop = FitLoop | EvaluateLoop | PredictLoop

# What a host answers a pull with when the function has no more batches.
ENDED = object()

# Ranks of pulls. A validation pull is only served while training needs none, or when the epoch's
# training batches are all drawn: then it is needed before the next epoch's.
_TRAINING, _VALIDATION = 2, 1


class ClosureReader(Reader):
    """Reads a function that the host calls; `function` is what the host knows it by.

    A claim asks at once, so that the host may make batches one after the other, or several in one
    go, while this side converts. What was asked for is void once the function ended or failed.
    """

    def __init__(self, host: Host, function: Any) -> None:
        assert isinstance(host, Switchboard)
        self.line = Line(function, _TRAINING)
        self._host = host
        self._term = 0

    def begin(self, *, fresh: bool, wrap: bool) -> None:
        """A function carries on across rounds."""

    def when(self, may_pull: Callable[[Line], bool], *, training: bool) -> None:
        """Have pulls served only while `may_pull(line)`."""
        self.line.ready = lambda: may_pull(self.line)
        self.line.rank = _TRAINING if training else _VALIDATION

    def claim(self) -> Claim:
        """The waiting for the next batch, which is asked for now."""
        request = Request("pull", line=self.line, term=self._term, rank=self.line.rank)
        self._host.post(request)
        return lambda: self._result(request)

    def _result(self, request: Request) -> Any:
        try:
            raw = request.result()
        except BaseException:
            self._term += 1
            raise
        finally:
            self.spent = request.seconds
        if raw is ENDED:
            self._term += 1
            raise StopIteration
        return raw


def closure_source(function: Any, identity: str) -> Source:
    """The source that stands for a function of the host's, given as what the host knows it by.

    Sources of one `identity` are the same function, and share one reader.
    """
    return Source(lambda host: ClosureReader(host, function), sys.intern(identity), hosted=True)


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
