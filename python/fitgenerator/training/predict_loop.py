"""The loop that predicts: `predict_generator`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .evaluate_loop import check_end
from .step_runner import StepRunner
from .together import check_call


class PredictLoop:
    """Predicts on one round of a prefetcher; `runner` runs the steps, in the mode "predict"."""

    def __init__(self, runner: StepRunner) -> None:
        self.context = runner.context
        self._runner = runner

    def run_alone(self) -> Any:
        """Predict; an array, or the model's structure of arrays, of all rows in order.

        Of several processes, each has the rows of its own batches.
        """
        with self.context.meeting():
            return self._run_together()

    def _run_together(self) -> Any:
        context, prefetcher = self.context, self._runner.prefetcher
        outputs: list[Any] = []
        if context.agreement.several:
            self._runner.calls.common.place = "the prediction"
            call = {"the call": "predict_generator()", **self._runner.described}
            check_call(context.agreement, call)
        self._runner.grant(restart=prefetcher.source.restarts, goes_on=True)
        prefetcher.start()
        context.host.call(self._begin)
        context.progress.begin(total=self._runner.count)
        done, _ = self._runner.run(outputs.extend)
        check_end(self._runner, done, bool(context.model.stop_predicting), "predict")
        context.agreement.leave()
        context.conclude()
        context.progress.end(done, {})
        context.host.call(lambda: context.callbacks.run("on_predict_end", {}))
        backend = context.keras_version.backend
        return backend.arrays(backend.joined(outputs))

    def _begin(self) -> Iterator[Any]:
        self.context.keras_version.begin("predict")
        yield from self.context.callbacks.run("on_predict_begin", {})
        yield from self._runner.begin()
