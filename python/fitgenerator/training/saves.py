"""What a checkpoint keeps within an epoch, and how a training goes on there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..agreement.agreement import Agreement
from ..checkpoint.checkpoint import Checkpoint
from ..checkpoint.within import Trained, Within
from ..errors import ArgumentError, CheckpointWarning, Terminated
from ..host.termination import Termination
from ..prefetch.prefetcher import Prefetcher
from ..sources.source import Spot
from .run_context import Notices

_EPOCHS_ONLY = (
    "The checkpoint is written after epochs only, and not within them: `{}` gives batches that "
    "have no places, and cannot go on in the midst of an epoch. batch_sequence(), an indexed "
    "source and flows can, but for flow_from_chunks() and flow_from_query()."
)
_ON_SIGNAL = "needs the main thread, where signals arrive: make the call there, or leave it out."
_NO_PLACES = (
    "`path`: the file was written within epoch {}, and the source of the batches, `{}`, cannot go "
    "on there. Give the source that it was written with, or remove the file to begin anew."
)
_FEWER_STEPS = (
    "`path`: the file was written after {} steps of an epoch, which has {} steps in this call. "
    "Give the `steps_per_epoch` that it was written with, or remove the file to begin anew."
)


class Saves:
    """The files of one call, where it has a checkpoint; without one, nothing happens here.

    `is_due`, `begins`, `within` and `start` are for the training loop; what keeps, for the calling
    thread.
    """

    def __init__(
        self, checkpoint: Checkpoint | None, prefetcher: Prefetcher, steps: int | None
    ) -> None:
        self.resumed: int | None = None  # the first epoch, as far as that is known now
        self._checkpoint = checkpoint
        self._prefetcher = prefetcher
        self._steps = steps
        self._epoch: int | None = None  # that runs
        self._begun = Within()  # how it began
        self._before = 0  # batches that were used before it
        self._trained: Trained | None = None  # its training is over
        self._file_epoch, self._file = -1, Within()
        if checkpoint is not None:
            self._file_epoch, self._file = checkpoint.stand()
            self._check(steps)
            checkpoint.call.used = lambda: prefetcher.used
            checkpoint.call.between = self._between

    @property
    def present(self) -> bool:
        """Whether there is a checkpoint."""
        return self._checkpoint is not None

    def share(self, agreement: Agreement) -> None:
        """Let all processes go on from the file of process 0."""
        if self._checkpoint is None:
            return
        if agreement.index == 0:
            agreement.spread(self._checkpoint.content())
            return
        self._checkpoint.receive(agreement.spread(b""))
        self._file_epoch, self._file = self._checkpoint.stand()
        self._check(self._steps)
        self.resumed = self._file_epoch

    def _check(self, steps: int | None) -> None:
        """Refuse a file within an epoch that the call cannot go on with."""
        file, name = self._file, self._prefetcher.setup.argument
        if file.sums and not self._by_place:
            text = _NO_PLACES.format(self._file_epoch + 1, name)
            raise ArgumentError(text, argument="path")
        if file.sums and steps is not None and file.steps >= steps:
            raise ArgumentError(_FEWER_STEPS.format(file.steps, steps), argument="path")

    @property
    def _by_place(self) -> bool:
        return self._prefetcher.source.by_place

    @property
    def _seeded(self) -> bool:
        """Whether the number of an epoch says where it begins."""
        return self._prefetcher.source.train is not None

    def warn(self, notices: Notices) -> None:
        """Note, before the first step, that files within epochs cannot be had."""
        checkpoint = self._checkpoint
        if checkpoint is None or not checkpoint.within_epochs:
            return
        if checkpoint.on_signal and threading.current_thread() is not threading.main_thread():
            raise ArgumentError.of("on_signal", _ON_SIGNAL)
        if not self._by_place:
            text = _EPOCHS_ONLY.format(self._prefetcher.setup.argument)
            notices.first.append((text, CheckpointWarning))

    # -- going on -------------------------------------------------------------------------------

    def within(self, epoch: int) -> Within:
        """How an epoch begins."""
        return self._file if epoch == self._file_epoch else Within()

    def begins(self, epoch: int) -> int:
        """The first epoch from this one on that has steps to do."""
        return epoch + (self.within(epoch).logs is not None)

    def start(self, epoch: int) -> tuple[int, Spot | None]:
        """Where the batches of an epoch begin: how many of them are done, and the next one."""
        if self._file.logs is None:
            file = self.within(epoch)
            return file.steps, file.spot
        return 0, None if epoch != self._file_epoch + 1 or self._seeded else self._file.spot

    def begin_epoch(self, epoch: int) -> Within:
        """An epoch begins."""
        self._epoch, self._begun = epoch, self.within(epoch)
        self._before, self._trained = self._prefetcher.used, None
        return self._begun

    def told_at_start(self, epochs: int) -> str | None:
        """Where the training goes on, of so many epochs, for the user; `None` where it begins."""
        if self._checkpoint is None or self.resumed is None:
            return None
        path, epoch, file = self._checkpoint.path, self._file_epoch, self._file
        if epoch <= 0 and file.steps == 0:
            return None
        if epoch >= epochs:
            return f"All {epochs} epochs are in {path}: nothing is left to train."
        if file.logs is not None:
            return f"Going on with the validation of epoch {epoch + 1}, from {path}."
        after = f"after step {file.steps} of" if file.steps else "with"
        return f"Going on {after} epoch {epoch + 1}, from {path}."

    def restored(self) -> Callable[[], None] | None:
        """What gives the metrics, once they exist, what they had added up."""
        return None if self._checkpoint is None else self._checkpoint.restore_metrics

    def watch(self, termination: Termination) -> None:
        """Note SIGTERM from now on, where that was asked for; on the calling thread."""
        if self._checkpoint is not None and self._checkpoint.on_signal:
            termination.watch()

    # -- keeping --------------------------------------------------------------------------------

    def is_due(self) -> bool:
        """Whether a file is due, between two calls of steps.

        Raises what the writing of the last one has raised.
        """
        checkpoint = self._checkpoint
        if checkpoint is None or not checkpoint.beside:
            return False
        checkpoint.call.writer.check()
        return self._can_keep and checkpoint.call.due.is_due(self._prefetcher.used)

    def told(self) -> list[Any] | None:
        """What the other processes are told: whether a file can be had, is due, and the place."""
        if self._checkpoint is None or not self._checkpoint.beside:
            return None
        spot = self._spot() if self._by_place else None
        begun = self._prefetcher.used > self._before  # else it is as the last file, or the epoch's
        return [self._can_keep, self.is_due() and begun, spot and list(spot)]

    def trained(self, trained: Trained) -> None:
        """The training of the epoch is over; its validation begins."""
        self._trained = trained

    def keep(self) -> None:
        """Write a file within the epoch, beside the training."""
        assert self._checkpoint is not None
        assert self._epoch is not None
        self._checkpoint.keep(self._epoch, self._stand(), beside=True)

    def ended(self) -> None:
        """The epoch is over."""
        self._epoch = None

    def conclude(self) -> None:
        """All is written, or the error of the writing is raised."""
        if self._checkpoint is not None:
            self._checkpoint.call.writer.wait()

    def terminate(self, error: Terminated) -> None:
        """SIGTERM has come: write what has been done since the last file."""
        checkpoint, epoch = self._checkpoint, self._epoch
        if checkpoint is None or not checkpoint.on_signal:
            return
        checkpoint.call.writer.wait()
        new = checkpoint.call.due.steps(self._prefetcher.used) > 0
        if epoch is not None and new and self._can_keep:
            stand = self._stand()
            checkpoint.keep(epoch, stand, beside=False)
            where = f"after step {stand.steps} of epoch {epoch + 1}"
            text = f"SIGTERM came: the training was stopped {where}, and is kept in"
        else:
            text = "SIGTERM came: the training was stopped. What is kept of it is in"
        error.args = (f"{text} {checkpoint.path}.",)

    @property
    def _can_keep(self) -> bool:
        """Whether the place of the next batch is known: not where one was left out before it."""
        schedule = self._prefetcher.schedule
        return self._by_place and not (schedule.left_out or schedule.empty)

    def _stand(self) -> Within:
        """Where the epoch stands."""
        if self._trained is not None:
            logs, order, steps = self._trained
            return Within(steps, self._between().spot, dict(logs), list(order))
        steps = self._begun.steps + self._prefetcher.used - self._before
        return Within(steps, self._spot())

    def _between(self) -> Within:
        """Where the next epoch begins, if its number alone does not say so."""
        spot = None if self._seeded else self._spot()
        return Within(0, None if spot is None else (0, spot[1]))

    def _spot(self) -> Spot | None:
        """The place of the batch after those that were used."""
        used = self._prefetcher.used
        return self._prefetcher.schedule.reader.spot(used) if used else self._file.spot
