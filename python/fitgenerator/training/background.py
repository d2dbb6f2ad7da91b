"""A loop on a training thread, while the calling thread hosts: serves fetches, hooks and output."""

from __future__ import annotations

import queue
import threading
from typing import Any

from ..errors import ClosedError
from ..host.outcome import Failed, Value
from ..host.signal_safe_queue import Inbox
from ..host.switchboard import Switchboard
from ..prefetch.prefetcher import SLICE
from .evaluate_loop import EvaluateLoop
from .fit_loop import FitLoop
from .predict_loop import PredictLoop

Loop = FitLoop | EvaluateLoop | PredictLoop


class BackgroundLoop:
    """A loop on a training thread. All methods are for the calling thread."""

    def __init__(self, board: Switchboard, loop: Loop) -> None:
        self.loop = loop
        self._result: Any = None
        self._error: BaseException | None = None
        self._board = board
        self._ended = Inbox()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        thread = threading.Thread(target=self._run, name="fitgenerator-training", daemon=True)
        thread.start()
        self._thread = thread

    def _run(self) -> None:
        for part in (self._train, self._board.close_fetches, self.loop.course.close):
            try:
                part()
            except BaseException as error:  # of several, the first is the cause
                self._error = self._error or error
        self._ended.put(None)
        self._board.end()

    def _train(self) -> None:
        self.loop.course.meter.enter()
        with self.loop.course.scope():  # rule 10: a new thread starts without the caller's state
            self._result = self.loop.run_alone()

    def stop(self) -> None:
        """Stop the loop, wait until its threads have ended, serve nothing meanwhile.

        Can be called again, also when a first call was interrupted.
        """
        self._board.close()
        self.loop.course.shut()
        thread = self._thread
        while thread is not None:
            try:
                # Rule 11: a wait in slices on what the thread puts last, because an interrupt in
                # `Thread.join` makes Python 3.11 take the living thread for a stopped one.
                self._ended.get(SLICE)
            except queue.Empty:
                continue
            thread.join()
            self._thread = thread = None
        self._board.close()

    @property
    def used(self) -> int:
        """Batches of the generator whose steps have begun."""
        return self.loop.course.feeds[0].taken

    @property
    def outcome(self) -> Value[Any] | Failed:
        """The loop's result, or what it raised, unless it was only stopped."""
        if self._error is None or isinstance(self._error, ClosedError):
            return Value(self._result)
        return Failed(self._error)
