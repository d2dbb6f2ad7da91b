"""The loops over epochs and steps, written once for both placements.

`FitLoop`, `EvaluateLoop` and `PredictLoop` run on the calling thread (direct) or on a training
thread (hosted). All that may be the user's code goes through `host.call`; what stays here only
takes batches, executes compiled steps and counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

from ..checkpoint.within import Trained, Within
from ..errors import ClosedError, Terminated
from ..models.protocol import Logs
from ..models.result_order import arranged
from ..models.training_lock import hold_training_lock
from ..reporting.history import History, remember
from .evaluate_loop import EvaluateLoop, check_end, ended_early_text, lacking_text, results_of
from .options import FitOptions
from .saves import Saves
from .step_runner import StepRunner
from .together import check_call


class FitLoop:
    """Trains: epochs of steps, each with its validation."""

    def __init__(
        self,
        runner: StepRunner,  # in the mode "train"
        saves: Saves,
        history: History,
        options: FitOptions,
        validation: EvaluateLoop | None,  # what follows epochs
    ) -> None:
        self.context = runner.context
        self._runner = runner
        self._saves = saves
        self._history = history
        self._options = options
        self._epoch = options.initial_epoch
        self._validation = validation
        # Thread rule 12: where one object is training and validation data, nobody reads ahead
        # across the border between the two.
        other = None if validation is None else validation.runner.prefetcher.source
        self._ahead = other is None or other.identity is not runner.prefetcher.source.identity
        self._trained = 0  # steps, in all epochs
        self._granted = False  # the first epoch's batches, by the building of the model

    def run_alone(self) -> History:
        """Train; the history, complete or not."""
        with hold_training_lock(self.context.model), self.context.keras_version.trained():
            try:
                with self.context.meeting():
                    return self._train_or_stop()
            except BaseException as error:
                self.context.failure = error
                raise
            finally:
                self._runner.prefetcher.leave()
                remember(self._history)  # after those of calls within this one

    def _train_or_stop(self) -> History:
        host = self.context.host
        try:
            try:
                return self._train()
            except ClosedError:  # of what makes batches: R has stopped that
                host.termination.check()
                raise
        except Terminated as error:
            host.call(partial(self._saves.terminate, error))
            raise

    def _train(self) -> History:
        context, epochs = self.context, self._options.epochs
        if context.agreement.several:
            check_call(context.agreement, self._described())
            self._saves.share(context.agreement)
        logs: Logs | None = None
        last: Logs = {}
        expected = self._saves.resumed or self._epoch
        self._granted = self._build(self._saves.begins(expected))
        context.host.call(self._begin)
        self._epoch = context.keras_version.first_epoch(self._epoch, self._runner.count)
        if self._granted and self._epoch != expected:
            self._granted = not self._runner.prefetcher.reopen()
        self._start()
        for epoch in range(self._epoch, epochs):
            logs = self._run_epoch(epoch)
            last = logs or last
            if logs is None or context.model.stop_training:
                break
        self._history.incomplete = logs is None and self._epoch < epochs
        context.agreement.leave()
        context.conclude()
        context.shut()
        context.host.call(lambda: self._end(last))
        context.host.termination.check()
        return self._history

    def _described(self) -> dict[str, Any]:
        """What has to be the same in all processes, by the names of the arguments."""
        options, validation = self._options, self._validation
        freq = options.validation_freq
        often = map(int, freq if isinstance(freq, Collection) else [freq])
        return {
            "the call": "fit_generator()",
            "the number of steps of an epoch": self._runner.count,
            "the `seed` of the shared source": self._runner.prefetcher.source.shared_seed,
            "`epochs`": options.epochs,
            "`initial_epoch`": options.initial_epoch,
            "the presence of `validation_data`": validation is not None,
            "the number of steps of a validation": validation and validation.runner.count,
            "`validation_freq`": sorted(often),
            "the presence of a Checkpoint": self._saves.present,
        }

    def _build(self, epoch: int) -> bool:
        """Build a model that is not built from the first batch, which is then trained on."""
        if self.context.model.built or self._epoch >= self._options.epochs:
            return False
        self._grant(epoch)
        self._runner.calls.prime()
        return True

    def _begin(self) -> Iterator[Any]:
        self.context.keras_version.begin("train")
        yield from self.context.callbacks.run("on_train_begin", {})
        self._saves.watch(self.context.host.termination)

    def _grant(self, epoch: int, times: int = 1) -> None:
        passes = self._options.passes
        resumes = self._saves.resumed is not None or self._epoch != self._options.initial_epoch
        goes_on, start = not (self._options.numbered or resumes), self._saves.start(epoch)
        self._runner.grant(
            restart=passes,
            wrap=not passes,
            epoch=epoch,
            times=times,
            start=start,
            goes_on=goes_on,
        )

    def _start(self) -> None:
        """Start the feeders: only now, since a callback may have set the first epoch."""
        told = self._saves.told_at_start(self._options.epochs)
        if told is not None:
            self.context.progress.tell(told)
        first = self._saves.begins(self._epoch)
        epochs = self._options.epochs - first
        if self._ahead and epochs > 0:
            granted = int(self._granted)
            # Thread rule 5 (exact fetches): so many epochs are granted, and not one batch more.
            self._grant(first + granted, epochs - granted)
        for prefetcher in self.context.prefetchers:
            prefetcher.start()

    def _run_epoch(self, epoch: int) -> Logs | None:
        """Train one epoch and validate; its logs, `None` where the generator ended in it."""
        context, within = self.context, self._saves.begin_epoch(epoch)
        validation = self._validation if self._options.validates(epoch) else None
        context.progress.begin_epoch(epoch, self._runner.count, within.steps)
        context.host.call(lambda: self._begin_epoch(epoch, within))
        self._let_fetch(epoch, validation, within)
        self._runner.calls.common.place = f"epoch {epoch + 1}"
        trained = within.trained or self._train_epoch(epoch, within)
        if trained is None:
            return None
        logs, order, done = dict(trained[0]), list(trained[1]), trained[2]
        if validation is not None:
            self._saves.trained(trained)
            if self._saves.is_due():
                context.host.call(self._saves.keep)
            if not self._ahead:
                self._runner.prefetcher.conclude()
                validation.grant(epoch)
            validation.runner.calls.common.place = f"the validation of epoch {epoch + 1}"
            context.progress.begin_validation(validation.runner.count)
            logs.update({f"val_{name}": value for name, value in validation.run().items()})
            order += [f"val_{name}" for name in validation.order]
        logs = context.keras_version.logs(logs)
        self._history.order = list(dict.fromkeys([*self._history.order, *order]))
        context.progress.end(done, arranged(logs, order))
        context.host.call(lambda: context.callbacks.run("on_epoch_end", epoch, logs))
        self._saves.ended()
        self._stopped(epoch)  # by a hook of one process, or more
        return dict(logs)

    def _stopped(self, epoch: int) -> bool:
        """Whether callbacks have stopped the training, in this process or in another one."""
        model, place = self.context.model, f"the end of epoch {epoch + 1}"
        stopped = bool(model.stop_training)
        if self.context.agreement.any(place, flag=stopped) and not stopped:
            model.stop_training = stopped = True
        return stopped

    def _train_epoch(self, epoch: int, within: Within) -> Trained | None:
        """Do the steps of an epoch; `None` where the generator ended in it."""
        context = self.context
        if within.sums:
            self._runner.calls.restore = self._saves.restored()
        done, outputs = self._runner.run(done=within.steps)
        count = self._runner.count
        self._trained += done - within.steps
        stopped = self._stopped(epoch)
        if done < (1 if count is None else count) and not stopped:
            self._end_early(epoch, done)
            return None
        self._history.broken_off = stopped and (count is None or done < count)
        logs, order = context.host.call(lambda: results_of(context.keras_version, outputs))
        return logs, order, done

    def _let_fetch(self, epoch: int, validation: EvaluateLoop | None, within: Within) -> None:
        prefetcher, count = self._runner.prefetcher, self._runner.count
        if not self._ahead:
            if self._validation is not None:  # which may be that of the last epoch
                self._validation.runner.prefetcher.conclude()
            if not (self._granted or within.trained):
                self._grant(epoch)
            self._granted = False
            return
        # Thread rule 7 (service in order): training's fetches come first up to here.
        begun, used = prefetcher.schedule.begun, prefetcher.used
        left = None if count is None else 0 if within.trained else count - within.steps
        prefetcher.urgent_until = begun if left is None else used + left
        if validation is not None:  # thread rule 5: a validation is granted in its epoch only
            validation.grant(epoch)

    def _begin_epoch(self, epoch: int, within: Within) -> Iterator[Any]:
        self.context.model.reset_metrics()
        yield from self.context.callbacks.run("on_epoch_begin", epoch, {})
        if within.trained is None:
            yield from self._runner.begin(within.steps)

    def _end_early(self, epoch: int, came: int) -> None:
        runner, epochs = self._runner, self._options.epochs
        name, count = runner.prefetcher.setup.argument, runner.count
        check_end(runner, self._trained, True, "train on")
        text = f"`{name}` gave nothing for epoch {epoch + 1} of {epochs}."
        if count is not None:
            wanted = count * (epochs - self._epoch) - self._saves.within(self._epoch).steps
            early = ended_early_text(name, wanted, self._trained)
            text = f"{early[:-1]} (epoch {epoch + 1}: {came} of {count})."
        text = lacking_text(text, runner)
        self.context.notices.early[name] = text

    def _end(self, logs: Logs) -> Iterator[Any]:
        model = self.context.model
        finalize = getattr(model.optimizer, "finalize_variable_values", None)
        if finalize is not None and self._options.epochs > 0:
            finalize(model.trainable_weights)
        self._saves.conclude()
        yield from self.context.callbacks.run("on_train_end", logs)
