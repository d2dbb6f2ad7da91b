"""A loop on a training thread, while the calling thread hosts: serves fetches, hooks and output."""

from __future__ import annotations

from typing import Any

from ..errors import ClosedError
from ..host.joined_threads import JoinedThreads
from ..host.outcome import Failed, Value, attempt
from ..host.switchboard import Switchboard
from .evaluate_loop import EvaluateLoop
from .fit_loop import FitLoop
from .predict_loop import PredictLoop

Loop = FitLoop | EvaluateLoop | PredictLoop


class BackgroundLoop:
    """A loop on a training thread. All methods are for the calling thread."""

    def __init__(self, board: Switchboard, loop: Loop) -> None:
        self.loop = loop
        # The loop's result, or what it raised, unless it was only stopped.
        self.outcome: Value[Any] | Failed = Value(None)
        self._board = board
        self._thread = JoinedThreads()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start("fitgenerator-training", self._run)

    def _run(self) -> None:
        parts = (self._train, self._board.close_fetches, self.loop.context.close)
        with self.loop.context.shared():
            outcomes = [attempt(part) for part in parts]
        failed = [each for each in outcomes if isinstance(each, Failed)]
        first = (failed or outcomes)[0]  # of several failures, the first is the cause
        if not (isinstance(first, Failed) and isinstance(first.error, ClosedError)):
            self.outcome = first
        self._board.end()

    def _train(self) -> Any:
        with self.loop.context.scope():
            return self.loop.run_alone()

    def stop(self) -> None:
        """Stop the loop, wait until its threads have ended, serve nothing meanwhile.

        Can be called again, also when a first call was interrupted.
        """
        self._board.close()
        self.loop.context.shut()
        self._thread.join()  # rule 11: nothing survives the call
        self._board.close()
        self.loop.context.release()

    @property
    def used(self) -> int:
        """Batches of the generator whose steps have begun, after those that were forgotten."""
        prefetcher = self.loop.context.prefetchers[0]
        return prefetcher.forgotten + prefetcher.used
