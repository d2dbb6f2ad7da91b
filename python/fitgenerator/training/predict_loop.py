"""The loop that predicts: `predict_generator`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..batches.outputs import as_arrays, joined
from ..errors import EndedError
from .evaluate_loop import ended_early_text
from .step_runner import Rounds


class PredictLoop:
    """Predicts one round of a feed: `predict_generator`."""

    def __init__(self, rounds: Rounds) -> None:
        self.course = rounds.course
        self._rounds = rounds
        self._feed = rounds.feed
        self._count = rounds.count

    def run_alone(self) -> Any:
        """Predict; an array, or the model's structure of arrays, of all rows in order.

        Raises:
            EndedError: Not one batch came.
        """
        course = self.course
        outputs: list[Any] = []
        self._rounds.grant(fresh=self._feed.source.restarts)
        self._feed.start()
        course.host.call(self._begin)
        course.progress.begin(total=self._count)
        done, _ = self._rounds.run(outputs.extend)
        if done == 0:
            raise EndedError.at_once(self._feed.argument, "predict")
        if self._count is not None and done < self._count and not course.model.stop_predicting:
            course.warnings.append(ended_early_text(self._feed.argument, self._count, done))
        course.progress.end(done, {})
        course.host.call(lambda: course.callbacks.run("on_predict_end", {}))
        return as_arrays(joined(outputs))

    def _begin(self) -> Iterator[Any]:
        self.course.dialect.begin("predict")
        yield from self.course.callbacks.run("on_predict_begin", {})
        yield from self._rounds.begin()
