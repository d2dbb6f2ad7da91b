"""The loop that evaluates: `evaluate_generator`, and validation within training."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ..errors import EndedError
from ..models.keras_versions import Logs
from .step_runner import StepRunner


def metrics_of(model: Any, outputs: Any) -> Logs:
    """The model's metrics where the step returned just these, else what the last step returned."""
    metrics = model.get_metrics_result()
    if isinstance(outputs, dict) and set(outputs) != set(metrics):
        return dict(outputs)
    return dict(metrics)


class EvaluateLoop:
    """Evaluates on one round of a prefetcher: `evaluate_generator`, and validation within training.

    Args:
        runner: Runs the steps, in the mode "test".
        fresh: Each evaluation begins with the source's first batch.
    """

    def __init__(self, runner: StepRunner, fresh: bool) -> None:
        self.context = runner.context
        self._runner = runner
        self._prefetcher = runner.prefetcher
        self.count = runner.count
        self._fresh = fresh

    @property
    def identity(self) -> Any:
        """What the prefetcher reads."""
        return self._prefetcher.source.identity

    def grant(self, epoch: int = 0) -> None:
        """Let the batches of one evaluation be pulled, that of the epoch `epoch`."""
        self._runner.grant(restart=self._fresh, epoch=epoch)

    def run(self) -> Logs:
        """Evaluate; the metrics by name.

        Raises:
            EndedError: Not one batch came.
        """
        context, argument = self.context, self._prefetcher.setup.argument
        context.host.call(self._begin)
        done, outputs = self._runner.run()
        stopped = bool(context.model.stop_evaluating)
        if done == 0:
            raise EndedError(
                f"`{argument}` ended before its first batch: there is nothing to evaluate."
            )
        if self.count is not None and done < self.count and not stopped:
            context.notices.early.append(ended_early_text(argument, self.count, done))
        return dict(context.host.call(lambda: self._end(outputs)))

    def run_alone(self) -> Logs:
        """Evaluate as a call of its own."""
        self.grant()
        self._prefetcher.start()
        self.context.progress.begin(total=self.count)
        logs = self.run()
        self.context.progress.end(self.context.meter.steps, logs)
        return logs

    def _begin(self) -> Iterator[Any]:
        self.context.dialect.begin("test")
        yield from self.context.callbacks.run("on_test_begin", {})
        self.context.model.reset_metrics()
        yield from self._runner.begin()

    def _end(self, outputs: Any) -> Generator[Any, None, Logs]:
        logs = self.context.dialect.logs(metrics_of(self.context.model, outputs))
        yield from self.context.callbacks.run("on_test_end", logs)
        return logs


def ended_early_text(name: str, wanted: int, came: int) -> str:
    return f"`{name}` ended early: {wanted} batches were wanted, {came} came."
