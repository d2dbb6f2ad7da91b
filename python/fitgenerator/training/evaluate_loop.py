"""The loop that evaluates: `evaluate_generator`, and validation within training."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ..errors import EndedError, ErrorContext
from ..messages import listed
from ..models.keras_versions import Keras3
from ..models.protocol import Logs, Nested
from ..models.result_order import arranged, as_listed
from .step_runner import StepRunner
from .together import check_call


def results_of(keras_version: Keras3, outputs: Nested) -> tuple[Logs, list[str]]:
    """The logs at the end of a round, not yet flat, and their names in the order of results.

    They are the model's metrics where the step returned just these, else what the last step did.
    """
    metrics = keras_version.model.get_metrics_result()
    own = isinstance(outputs, dict) and set(outputs) != set(metrics)
    logs = keras_version.plain(outputs if own else metrics)
    return logs, as_listed(keras_version.model, keras_version.logs(logs), metrics)


def check_end(runner: StepRunner, done: int, stopped: bool, purpose: str) -> None:
    """Note where a round ended early, after `done` steps, unless a callback stopped it.

    Raises an `EndedError` where there was no step at all; `purpose` says what for.
    """
    name, count = runner.prefetcher.setup.argument, runner.count
    if done == 0 and runner.calls.common.lacking:
        text = f"`{name}` ended before its first batch: there is nothing to {purpose}."
        raise EndedError(lacking_text(text, runner), context=ErrorContext(name))
    if done == 0:
        raise EndedError.at_once(name, purpose)
    if count is not None and done + runner.left_out < count and not stopped:
        # Once: a validation ends so in every epoch.
        text = lacking_text(ended_early_text(name, count, done), runner)
        runner.context.notices.early.setdefault(name, text)


def lacking_text(text: str, runner: StepRunner) -> str:
    """What is said of a round that has ended early, with the processes that had no batch."""
    return (
        f"{text[:-1]}, in {listed(runner.calls.common.lacking)}."
        if runner.calls.common.lacking
        else text
    )


def ended_early_text(name: str, wanted: int, came: int) -> str:
    return f"`{name}` ended early: {wanted} batches were wanted, {came} came."


class EvaluateLoop:
    """Evaluates on one round of a prefetcher.

    `runner` runs the steps, in the mode "test"; each evaluation begins with the source's first
    batch where it is to be `fresh`.
    """

    def __init__(self, runner: StepRunner, fresh: bool) -> None:
        self.context = runner.context
        self.runner = runner
        self._fresh = fresh
        self.order: list[str] = []  # the names of the last results, in their order

    def grant(self, epoch: int = 0) -> None:
        """Let the batches of one evaluation be fetched, that of the epoch `epoch`."""
        self.runner.grant(restart=self._fresh, epoch=epoch)

    def run(self) -> Logs:
        """Evaluate; the metrics by name, in the order of this Keras."""
        context = self.context
        context.host.call(self._begin)
        done, outputs = self.runner.run()
        check_end(self.runner, done, bool(context.model.stop_evaluating), "evaluate")
        return dict(context.host.call(lambda: self._end(outputs)))

    def run_alone(self) -> Logs:
        """Evaluate as a call of its own."""
        with self.context.meeting():
            return self._run_together()

    def _run_together(self) -> Logs:
        agreement = self.context.agreement
        if agreement.several:
            call = {"the call": "evaluate_generator()", **self.runner.described}
            check_call(agreement, call)
        self.runner.grant(restart=self._fresh, goes_on=True)
        self.runner.prefetcher.start()
        self.context.progress.begin(total=self.runner.count)
        logs = arranged(self.run(), self.order)
        agreement.leave()
        self.context.conclude()
        self.context.progress.end(self.context.meter.pipeline.steps, logs)
        return logs

    def _begin(self) -> Iterator[Any]:
        self.context.keras_version.begin("test")
        yield from self.context.callbacks.run("on_test_begin", {})
        self.context.model.reset_metrics()
        yield from self.runner.begin()

    def _end(self, outputs: Nested) -> Generator[Any, None, Logs]:
        nested, self.order = results_of(self.context.keras_version, outputs)
        logs = self.context.keras_version.logs(nested)
        yield from self.context.callbacks.run("on_test_end", logs)
        return logs
