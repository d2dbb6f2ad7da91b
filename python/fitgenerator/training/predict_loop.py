"""The loop that predicts: `predict_generator`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..batches.outputs import as_arrays, joined
from .evaluate_loop import check_end
from .step_runner import Rounds


class PredictLoop:
    """Predicts on one round of a feed; `rounds` runs the steps, in the mode "predict"."""

    def __init__(self, rounds: Rounds) -> None:
        self.course = rounds.course
        self._rounds = rounds

    def run_alone(self) -> Any:
        """Predict; an array, or the model's structure of arrays, of all rows in order."""
        course, feed = self.course, self._rounds.feed
        outputs: list[Any] = []
        self._rounds.grant(fresh=feed.source.restarts)
        feed.start()
        course.host.call(self._begin)
        course.progress.begin(total=self._rounds.count)
        done, _ = self._rounds.run(outputs.extend)
        check_end(self._rounds, done, bool(course.model.stop_predicting), "predict")
        course.progress.end(done, {})
        course.host.call(lambda: course.callbacks.run("on_predict_end", {}))
        return as_arrays(joined(outputs))

    def _begin(self) -> Iterator[Any]:
        self.course.keras_version.begin("predict")
        yield from self.course.callbacks.run("on_predict_begin", {})
        yield from self._rounds.begin()
