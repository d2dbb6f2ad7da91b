"""A loop on a training thread, while the calling thread hosts: serves pulls, hooks and output."""

from __future__ import annotations

import queue
import threading
from typing import Any

from ..errors import ClosedError
from ..host.signal_safe_queue import Inbox
from ..host.switchboard import Switchboard
from ..prefetch.prefetcher import SLICE
from .evaluate_loop import EvaluateLoop
from .fit_loop import FitLoop
from .predict_loop import PredictLoop

Loop = FitLoop | EvaluateLoop | PredictLoop


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
        for part in (self._train, self._board.close_pulls, self.loop.course.close):
            try:
                part()
            except BaseException as error:  # of several, the first is the cause
                self.error = self.error or error
        self._ended.put(None)
        self._board.end()

    def _train(self) -> None:
        self.loop.course.meter.enter()
        with self.loop.course.scope():
            self.result = self.loop.run_alone()

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
