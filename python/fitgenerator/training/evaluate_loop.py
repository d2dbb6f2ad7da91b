"""The loop that evaluates: `evaluate_generator`, and validation within training."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ..errors import EndedError
from ..models.protocol import KerasModel, Logs, Nested
from .step_runner import Rounds


def metrics_of(model: KerasModel, outputs: Nested) -> Logs:
    """The model's metrics where the step returned just these, else what the last step returned."""
    metrics = model.get_metrics_result()
    if isinstance(outputs, dict) and set(outputs) != set(metrics):
        return dict(outputs)
    return dict(metrics)


def check_end(rounds: Rounds, done: int, stopped: bool, purpose: str) -> None:
    """Note where a round ended early, after `done` steps, unless a callback stopped it.

    Raises:
        EndedError: There was no step at all; `purpose` says what for.
    """
    name, count = rounds.feed.argument, rounds.count
    if done == 0:
        raise EndedError.at_once(name, purpose)
    if count is not None and done < count and not stopped:
        rounds.course.warnings.append(ended_early_text(name, count, done))


def ended_early_text(name: str, wanted: int, came: int) -> str:
    return f"`{name}` ended early: {wanted} batches were wanted, {came} came."


class EvaluateLoop:
    """Evaluates on one round of a feed.

    Args:
        rounds: Runs the steps, in the mode "test".
        fresh: Each evaluation begins with the source's first batch.
    """

    def __init__(self, rounds: Rounds, fresh: bool) -> None:
        self.course = rounds.course
        self.count = rounds.count
        self._rounds = rounds
        self._fresh = fresh

    @property
    def identity(self) -> Any:
        """What the feed reads."""
        return self._rounds.feed.source.identity

    def grant(self, epoch: int = 0) -> None:
        """Let the batches of one evaluation be pulled, that of the epoch `epoch`."""
        self._rounds.grant(fresh=self._fresh, epoch=epoch)

    def run(self) -> Logs:
        """Evaluate; the metrics by name."""
        course = self.course
        course.host.call(self._begin)
        done, outputs = self._rounds.run()
        check_end(self._rounds, done, bool(course.model.stop_evaluating), "evaluate")
        return dict(course.host.call(lambda: self._end(outputs)))

    def run_alone(self) -> Logs:
        """Evaluate as a call of its own."""
        self.grant()
        self._rounds.feed.start()
        self.course.progress.begin(total=self.count)
        logs = self.run()
        self.course.progress.end(self.course.meter.pipeline.steps, logs)
        return logs

    def _begin(self) -> Iterator[Any]:
        self.course.keras_version.begin("test")
        yield from self.course.callbacks.run("on_test_begin", {})
        self.course.model.reset_metrics()
        yield from self._rounds.begin()

    def _end(self, outputs: Nested) -> Generator[Any, None, Logs]:
        logs = self.course.keras_version.logs(metrics_of(self.course.model, outputs))
        yield from self.course.callbacks.run("on_test_end", logs)
        return logs
