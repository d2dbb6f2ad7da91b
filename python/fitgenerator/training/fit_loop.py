"""The loops over epochs and steps, written once for both placements.

`FitLoop`, `EvaluateLoop` and `PredictLoop` run on the calling thread (direct) or on a training
thread (hosted). All that may be the user's code goes through `host.call`; what stays here only
takes batches, executes compiled steps and counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..errors import EndedError
from ..models.keras_versions import Logs
from ..models.training_lock import training
from ..reporting.history import History, remember
from .evaluate_loop import EvaluateLoop, ended_early_text, metrics_of
from .step_runner import Rounds


class FitLoop:
    """Trains: epochs of steps, each with its validation.

    Args:
        rounds: Runs the steps, in the mode "train".
        history: The callback that keeps the epochs.
        passes: Each epoch is one pass of the source, from its first batch.
        epochs: Number of the last epoch, from 1.
        initial_epoch: Number of the first epoch, from 0.
        resumed: The same, by a checkpoint, as far as it is known before the training begins.
        validation: The evaluation that follows an epoch, or `None`.
        validates: Whether it follows the epoch with a given number, from 0.
    """

    def __init__(
        self,
        rounds: Rounds,
        history: History,
        *,
        passes: bool,
        epochs: int,
        initial_epoch: int,
        resumed: int,
        validation: EvaluateLoop | None,
        validates: Callable[[int], bool],
    ) -> None:
        self.course = rounds.course
        self._rounds = rounds
        self._history = history
        self._feed = rounds.feed
        self._count = rounds.count
        self._passes = passes
        self._epochs = epochs
        self._epoch = initial_epoch
        self._resumed = resumed
        self._validation = validation
        self._validates = validates
        # Where one object is training and validation data, nobody reads ahead across the border
        # between the two.
        self._ahead = validation is None or validation.identity is not self._feed.source.identity
        self._trained = 0  # steps, in all epochs
        self._granted = False  # the first epoch's batches, by the building of the model

    def run_alone(self) -> History:
        """Train; the history, complete or not.

        Raises:
            ArgumentError: Another call is training the model.
        """
        with training(self.course.model), self.course.dialect.trained():
            try:
                return self._train()
            finally:
                remember(self._history)  # behind those of calls within this one

    def _train(self) -> History:
        course = self.course
        logs: Logs | None = None
        last: Logs = {}
        self._granted = self._build()
        course.host.call(self._begin)
        self._epoch = course.dialect.first_epoch(self._epoch, self._count)
        self._start()
        for epoch in range(self._epoch, self._epochs):
            logs = self._run_epoch(epoch)
            last = logs or last
            if logs is None or course.model.stop_training:
                break
        self._history.incomplete = logs is None and self._epoch < self._epochs
        course.shut()
        course.host.call(lambda: self._end(last))
        return self._history

    def _build(self) -> bool:
        """Build a model that is not built from the first batch, which is then trained on."""
        if self.course.model.built or self._epoch >= self._epochs:
            return False
        self._grant(self._resumed or self._epoch)
        self._rounds.prime()
        return True

    def _begin(self) -> Iterator[Any]:
        self.course.dialect.begin("train")
        yield from self.course.callbacks.run("on_train_begin", {})

    def _grant(self, epoch: int, times: int = 1) -> None:
        self._rounds.grant(fresh=self._passes, wrap=not self._passes, epoch=epoch, times=times)

    def _start(self) -> None:
        epochs = self._epochs - self._epoch
        if self._ahead and epochs > 0:
            granted = int(self._granted)
            self._grant(self._epoch + granted, epochs - granted)
        for feed in self.course.feeds:
            feed.start()

    def _run_epoch(self, epoch: int) -> Logs | None:
        """Train one epoch and validate; its logs, `None` where the generator ended in it."""
        course, dialect = self.course, self.course.dialect
        validates = self._validation is not None and self._validates(epoch)
        course.progress.begin_epoch(epoch, self._count)
        course.host.call(lambda: self._begin_epoch(epoch))
        self._let_pull(epoch, validates)
        done, outputs = self._rounds.run()
        self._trained += done
        wanted = self._count if self._count is not None else 1
        if done < wanted and not course.model.stop_training:
            self._end_early(epoch, done)
            return None
        stopped = bool(course.model.stop_training)
        self._history.broken_off = stopped and (self._count is None or done < self._count)
        logs = course.host.call(lambda: dialect.logs(metrics_of(course.model, outputs)))
        if validates and self._validation is not None:
            if not self._ahead:
                self._validation.grant(epoch)
            course.progress.begin_validation(self._validation.count)
            scores = self._validation.run()
            logs.update({f"val_{name}": value for name, value in scores.items()})
        logs = dialect.logs(logs)
        course.progress.end(done, logs)
        course.host.call(lambda: course.callbacks.run("on_epoch_end", epoch, logs))
        return dict(logs)

    def _let_pull(self, epoch: int, validates: bool) -> None:
        feed = self._feed
        if not self._ahead:
            if self._granted:
                self._granted = False
            else:
                self._grant(epoch)
            return
        feed.quota = feed.taken + self._count if self._count is not None else feed.drawn
        if validates and self._validation is not None:
            self._validation.grant(epoch)

    def _begin_epoch(self, epoch: int) -> Iterator[Any]:
        self.course.model.reset_metrics()
        yield from self.course.callbacks.run("on_epoch_begin", epoch, {})
        yield from self._rounds.begin()

    def _end_early(self, epoch: int, came: int) -> None:
        course, feed = self.course, self._feed
        if self._trained == 0:
            raise EndedError.at_once(feed.argument, "train on")
        if self._count is None:
            course.warnings.append(
                f"`{feed.argument}` gave nothing for epoch {epoch + 1} of {self._epochs}."
            )
            return
        total = self._count * (self._epochs - self._epoch)
        course.warnings.append(
            ended_early_text(feed.argument, total, self._trained)[:-1]
            + f" (epoch {epoch + 1}: {came} of {self._count})."
        )

    def _end(self, logs: Logs) -> Iterator[Any]:
        model = self.course.model
        finalize = getattr(model.optimizer, "finalize_variable_values", None)
        if finalize is not None and self._epochs > 0:
            finalize(model.trainable_weights)
        yield from self.course.callbacks.run("on_train_end", logs)
