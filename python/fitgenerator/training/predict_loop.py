"""The loop that predicts: `predict_generator`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..batches.outputs import as_arrays, joined
from ..errors import EndedError
from .evaluate_loop import ended_early_text
from .step_runner import StepRunner


class PredictLoop:
    """Predicts one round of a prefetcher: `predict_generator`."""

    def __init__(self, runner: StepRunner) -> None:
        self.context = runner.context
        self._runner = runner
        self._prefetcher = runner.prefetcher
        self._count = runner.count

    def run_alone(self) -> Any:
        """Predict; an array, or the model's structure of arrays, of all rows in order.

        Raises:
            EndedError: Not one batch came.
        """
        context, argument = self.context, self._prefetcher.setup.argument
        outputs: list[Any] = []
        self._runner.grant(restart=self._prefetcher.source.restarts)
        self._prefetcher.start()
        context.host.call(self._begin)
        context.progress.begin(total=self._count)
        done, _ = self._runner.run(outputs.extend)
        if done == 0:
            raise EndedError(
                f"`{argument}` ended before its first batch: there is nothing to predict."
            )
        if self._count is not None and done < self._count and not context.model.stop_predicting:
            context.notices.early.append(ended_early_text(argument, self._count, done))
        context.progress.end(done, {})
        context.host.call(lambda: context.callbacks.run("on_predict_end", {}))
        return as_arrays(joined(outputs))

    def _begin(self) -> Iterator[Any]:
        self.context.dialect.begin("predict")
        yield from self.context.callbacks.run("on_predict_begin", {})
        yield from self._runner.begin()
