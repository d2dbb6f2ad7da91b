"""A loop on a training thread, while the calling thread hosts: serves pulls, hooks and output."""

from __future__ import annotations

from typing import Any

from ..errors import ClosedError
from ..host.joined_threads import JoinedThreads
from ..host.switchboard import Switchboard
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
        self._thread = JoinedThreads()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start("fitgenerator-training", self._run)

    def _run(self) -> None:
        for part in (self._train, self._board.close_pulls, self.loop.context.close):
            try:
                part()
            except BaseException as error:  # of several, the first is the cause
                self.error = self.error or error
        self._board.end()

    def _train(self) -> None:
        self.loop.context.meter.enter()
        with self.loop.context.scope():
            self.result = self.loop.run_alone()

    def stop(self) -> None:
        """Stop the loop, wait until its threads have ended, serve nothing meanwhile.

        Can be called again, also when a first call was interrupted.
        """
        self._board.close()
        self.loop.context.shut()
        self._thread.join()
        self._board.close()

    @property
    def failure(self) -> BaseException | None:
        """What the loop raised, unless it was only stopped."""
        return None if isinstance(self.error, ClosedError) else self.error
