"""Crash and resume: a callback that keeps the training in one file and goes on from it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import keras

from .. import arguments
from ..arguments import file_path
from ..errors import ArgumentError
from ..messages import reason
from ..models.protocol import Array, Logs
from ..reporting.history import History
from . import archive, callback_state, model_state
from .call import Call
from .within import Due, Within

_NOT_WRITTEN = "The last file of the checkpoint, {}, could not be written: {}."


class Checkpoint(keras.callbacks.Callback):
    """Keeps the training in one file, and goes on from it.

    Call `fit_generator` with the same arguments again, in a new process and with a new model, and
    the training goes on after the last file: with its weights, the state of the optimizer and of
    the model's random layers, and with the history so far, which the call's own continues. However
    the process ended, the file is complete: it is written next to the old one and renamed. Where
    there is no file, the training begins with its first epoch.

    A file is written after every epoch. With `every` or `seconds`, it is also written within an
    epoch, between two calls of steps, and holds the sums of the metrics and the place of the next
    batch, too. The state is copied then, and written while the training goes on; an error of the
    writing is the call's error at the next step. That needs a source whose batches have a place: a
    flow of fitgenerator, `batch_sequence`, a `PyDataset`, a list of batches, or another object with
    `__getitem__` and `__len__`. For all others, files are written after epochs only, which a
    `CheckpointWarning` says before the first step.

    The file stays when the training is over. A call with the same `epochs` then trains nothing, and
    gives the trained model and the full history; one with more goes on. So does a training that
    another callback than `EarlyStopping` has stopped. An epoch that a callback stopped before its
    last step is not kept as a whole. Remove the file to begin anew. Another
    training that would use the file at the same time is refused; the file `path` + `.lock` is for
    that, and means nothing where no training runs.

    What `EarlyStopping`, `ReduceLROnPlateau`, `ModelCheckpoint` and `SwapEMAWeights` remember is
    kept as well. Other callbacks begin anew, and so do the random numbers of Python, NumPy,
    `tf.random` and PyTorch (of an unseeded `Dropout` there). The callback works in `fit_generator`
    alone, and wherever it stands in `callbacks`, the others come first.

    Keras's own `BackupAndRestore` can be given instead. It keeps neither the history nor the state
    of random layers, and writes weights and epoch into two files, over the old ones: a process that
    is killed while it writes leaves a file that cannot be read, or the weights of one epoch with
    the number of another. `initial_epoch` resumes by hand; if there is a checkpoint, that counts.

    A training that was resumed equals one that was never disturbed, to the last digit, if both get
    the same batches; XLA (`jit_compile`) may change last digits. Nobody can rewind a generator. So
    make the order of the batches a function of a seed and the number of the epoch, and begin with
    `epoch`, which the file knows before the call; validation data that carries on, likewise.
    `flow_from_data`, its kin and `batch_sequence` do so by themselves, with a `seed`. A source that
    is read from its first batch in each epoch, always in one order, needs nothing. An indexed
    source of your own begins as it was when the epoch `epoch` began: within an epoch, it is told by
    `on_epoch_end` of the passes that have ended in it, and read from the place of the next batch.

    Args:
        path: The file; its folder is made where it does not exist. The usual ending is `.npz`,
            which is what the file is: arrays and a JSON entry, without pickled objects.
        every: Write also when so many steps, or more, have been done since the last file.
        seconds: Write also when so many seconds have passed since the last file. With both, what
            comes first.
        on_signal: Whether SIGTERM, by which Slurm, `docker stop` and the owners of borrowed
            machines end a process, stops the training: as soon as the call of steps that runs has
            ended, the file is written, and `Terminated` is raised, which ends a script with the
            status 143. A second SIGTERM acts as it would have without this. The call must be made
            on the main thread.

    Raises:
        ValueError: `path` exists and is no checkpoint. At the begin of the training: it does not
            fit the model, cannot be written, or is used by another training.

    Example:
        A generator, which begins with the epoch that it is given::

            import fitgenerator, keras, numpy as np

            def new_model():
                model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
                model.compile("adam", "mse")
                return model

            x = np.random.default_rng(0).normal(size=(320, 2)).astype("float32")
            y = x @ np.array([[1.0], [-1.0]], "float32")

            def batches(epoch, seed=1):
                while True:
                    order = np.random.default_rng([seed, epoch]).permutation(len(x))
                    for rows in np.split(order, 10):
                        yield x[rows], y[rows]
                    epoch += 1

            saved = fitgenerator.Checkpoint("training.npz")
            history = fitgenerator.fit_generator(
                new_model(), batches(saved.epoch), 10, epochs=20, callbacks=[saved]
            )

        An indexed source, which is told when a pass over it, here an epoch, is over::

            class Batches(keras.utils.PyDataset):
                def __init__(self, epoch, seed=1):
                    super().__init__()
                    self.epoch, self.seed = epoch, seed
                    self.shuffle()

                def shuffle(self):
                    order = np.random.default_rng([self.seed, self.epoch]).permutation(len(x))
                    self.rows = np.split(order, 10)

                def __len__(self):
                    return 10

                def __getitem__(self, index):
                    return x[self.rows[index]], y[self.rows[index]]

                def on_epoch_end(self):
                    self.epoch += 1
                    self.shuffle()

            saved = fitgenerator.Checkpoint("indexed.npz")
            history = fitgenerator.fit_generator(
                new_model(), Batches(saved.epoch), epochs=20, callbacks=[saved]
            )
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        every: int | None = None,
        seconds: float | None = None,
        on_signal: bool = False,
    ) -> None:
        super().__init__()
        self.path = file_path(path, "path")
        self.every = None if every is None else arguments.whole(every, "every", 1)
        self.seconds = arguments.seconds(seconds, "seconds")
        self.on_signal = arguments.flag(on_signal, "on_signal")
        self.call = Call()
        archive.read_note(self.path)

    @property
    def within_epochs(self) -> bool:
        """Whether files are wanted within epochs, too."""
        return self.on_signal or self.beside

    @property
    def beside(self) -> bool:
        """Whether files are written beside the training."""
        return self.every is not None or self.seconds is not None

    @property
    def epoch(self) -> int:
        """Number of epochs that the file holds: that of the epoch to begin with, counted from 0.

        0 where there is no file.
        """
        note = archive.read_note(self.path)
        return 0 if note is None else int(note["epoch"])

    def content(self) -> bytes:
        """The file as it is, for processes that have none; empty where there is no file."""
        return self.path.read_bytes() if self.path.exists() else b""

    def receive(self, content: bytes) -> None:
        """Go on from the file of another process, which writes it; this one writes nothing."""
        handle, name = tempfile.mkstemp(suffix=self.path.suffix)
        self.call.copy = Path(name)
        with open(handle, "wb") as file:
            file.write(content)
        if not content:
            self.call.copy.unlink()

    def stand(self) -> tuple[int, Within]:
        """The epoch to begin with, and how much of it is done, by the file; the call counts on it.

        Once more it is read when nobody else can change it.
        """
        note = archive.read_note(self.call.copy or self.path)
        self.call.stand = _stand(note)
        if self.call.copy is None:  # the random numbers of R are each process's own
            self.call.streams.kept = note and note.get("streams")
        return self.call.stand

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Go on from the file, where there is one."""
        call, history = self.call, self._history()
        if call.copy is None:
            archive.prepare(self.path, call.locked(self.path))
        saved = archive.read(call.copy or self.path)
        if _stand(saved and saved[0]) != call.stand:
            rule = "was changed by another training since this call began: {path}. Call again."
            raise ArgumentError.of("path", rule, path=str(self.path))
        call.due = Due(self.every, self.seconds)
        if saved is None:
            return
        call.saved, note = saved, saved[0]
        self._restore()
        history.epoch = list(note["history"]["epoch"])
        history.history = dict(note["history"]["metrics"])
        epoch = int(note["epoch"])
        if not Within.of(note).begun and callback_state.stopped(call.others, epoch):
            epoch = max(epoch, self.params["epochs"])
        self.model._initial_epoch = epoch
        if not Within.of(note).begun:
            call.saved = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Go on within the epoch, where the file is of one: others have just begun it again."""
        saved = self.call.saved
        if saved is not None and epoch == saved[0]["epoch"]:
            self._restore()
            if saved[0].get("metrics") is None:
                self.call.saved = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the file, unless the epoch was stopped before its end: it will be trained again."""
        if not self._history().broken_off:
            self.keep(epoch + 1, self.call.between(), beside=self.beside)

    def restore_metrics(self) -> None:
        """Give the metrics, which the first trace of a step has made, what they had added up."""
        saved, self.call.saved = self.call.saved, None
        if saved is not None:
            described, arrays = saved[0]["metrics"], saved[1]
            values = model_state.restored_metrics(self.model, described, arrays, self.path)
            for variable, value in values:
                variable.assign(value)

    def keep(self, epoch: int, within: Within, *, beside: bool) -> None:
        """Write the file of a training that stands within epoch `epoch`, or at its begin.

        The file is written `beside` the training, which goes on once its state is copied.
        """
        call, history = self.call, self._history()
        if call.copy is not None:
            if within.sums:  # reading them is a collective, in which every process takes part
                _ = [*model_state.metrics_of(self.model).arrays()]
            return
        call.writer.wait()
        parts = model_state.parts_of(self.model) + model_state.seeds()
        metrics = model_state.metrics_of(self.model) if within.sums else None
        note = {
            "epoch": epoch,
            "history": {"epoch": history.epoch, "metrics": history.history},
            "parts": [part.described() for part in parts],
            "callbacks": callback_state.described(call.others),
            "within": within.described(),
            "metrics": metrics and metrics.described(),
            "streams": call.streams.states(),
        }
        kept = parts if metrics is None else [*parts, metrics]
        arrays = chain(*(part.arrays() for part in kept), callback_state.arrays(call.others))
        if beside:
            note, copies = archive.copied(note), [(name, _own(array)) for name, array in arrays]
            call.writer.start(lambda: archive.write(self.path, note, copies))
        else:
            archive.write(self.path, note, arrays)
        call.due.written(call.used())

    def close(self) -> str | None:
        """The call is over: wait for the file, and let others use it. It can be repeated.

        The warning for a file that could not be written, where another error has ended the call.
        """
        error = self.call.close()
        self.call = Call()
        return None if error is None else _NOT_WRITTEN.format(self.path, reason(error))

    def _restore(self) -> None:
        """Give the model and the callbacks what the file has of them: all of it, or nothing."""
        assert self.call.saved is not None
        note, arrays = self.call.saved
        variables = model_state.restored(self.model, note["parts"], arrays, self.path)
        states = callback_state.restored(self.call.others, note["callbacks"], arrays, self.path)
        for variable, value in variables:
            variable.assign(value)
        for callback, attribute, value in states:
            setattr(callback, attribute, value)
        if note.get("streams") and self.call.copy is None:
            self.call.streams.restore(note["streams"])

    def _history(self) -> History:
        history = getattr(self.model, "history", None)
        if not isinstance(history, History):
            text = "Checkpoint works in fit_generator(); Keras's own fit() has BackupAndRestore."
            raise ArgumentError(text)
        return history


def _stand(note: Mapping[str, Any] | None) -> tuple[int, Within]:
    """What the JSON entry of a file says of where the training stands."""
    return (0, Within()) if note is None else (int(note["epoch"]), Within.of(note))


def _own(array: Array) -> Array:
    """`array`, with values that nobody else changes."""
    return array if array.flags.owndata else array.copy()
