"""Crash and resume: a callback that keeps the training in one file and goes on from it."""

from __future__ import annotations

import os
from itertools import chain
from typing import Any

import keras

from ..arguments import file_path
from ..errors import ArgumentError
from ..models.protocol import Logs
from ..reporting.history import History
from . import archive, callback_state, model_state


class Checkpoint(keras.callbacks.Callback):
    """Keeps the training in one file after every epoch, and goes on from it.

    Call `fit_generator` with the same arguments again, in a new process and with a new model, and
    the training goes on after the last epoch that was finished: with its weights, the state of the
    optimizer and of the model's random layers, and with the history so far, which the call's own
    continues. However the process ended, the file is complete: it is written next to the old one
    and renamed. Where there is no file, the training begins with its first epoch.

    The file stays when the training is over. A call with the same `epochs` then trains nothing, and
    gives the trained model and the full history; one with more goes on. An epoch that a callback
    stopped before its last step is not kept. Remove the file to begin anew; only one training at a
    time can use it.

    What `EarlyStopping`, `ReduceLROnPlateau` and `ModelCheckpoint` remember is kept as well. Other
    callbacks begin anew, and so do the random numbers of Python, NumPy and `tf.random`. The
    callback works in `fit_generator` alone, and wherever it stands in `callbacks`, the others come
    first.

    Keras's own `BackupAndRestore` can be given instead. It keeps neither the history nor the state
    of random layers, and writes weights and epoch into two files, over the old ones: a process that
    is killed while it writes leaves a file that cannot be read, or the weights of one epoch with
    the number of another. `initial_epoch` resumes by hand; if there is a checkpoint, that counts.

    A training that was resumed equals one that was never disturbed, to the last digit, if both get
    the same batches; XLA (`jit_compile`) may change last digits. Nobody can rewind a generator. So
    make the order of the batches a function of a seed and the number of the epoch, and begin with
    `epoch`, which the file knows before the call; validation data that carries on, likewise.
    `flow_from_data`, its kin and `batch_sequence` do so by themselves, with a `seed`. A source that
    is read from its first batch in each epoch, always in one order, needs nothing.

    Args:
        path: The file; its folder is made where it does not exist. The usual ending is `.npz`,
            which is what the file is: arrays and a JSON entry, without pickled objects.

    Raises:
        ValueError: `path` exists and is no checkpoint. At the begin of the training: it does not
            fit the model, or cannot be written.

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

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self.path = file_path(path, "path")
        self.others: list[Any] = []  # the callbacks of the call, in which the engine puts us last
        archive.read_note(self.path)

    @property
    def epoch(self) -> int:
        """Number of epochs that the file holds: that of the epoch to begin with, counted from 0.

        0 where there is no file.
        """
        note = archive.read_note(self.path)
        return 0 if note is None else int(note["epoch"])

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Go on from the file, where there is one."""
        history = self._history()
        archive.prepare(self.path)
        saved = archive.read(self.path)
        if saved is None:
            return
        note, arrays = saved
        # Everything is checked before anything is assigned.
        variables = model_state.restored(self.model, note["parts"], arrays, self.path)
        states = callback_state.restored(self.others, note["callbacks"], arrays, self.path)
        for variable, value in variables:
            variable.assign(value)
        for callback, attribute, value in states:
            setattr(callback, attribute, value)
        history.epoch = list(note["history"]["epoch"])
        history.history = dict(note["history"]["metrics"])
        epoch = int(note["epoch"])
        if callback_state.stopped(self.others, epoch):
            epoch = max(epoch, self.params["epochs"])
        self.model._initial_epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the file, unless the epoch was stopped before its end: it will be trained again."""
        history = self._history()
        if history.broken_off:
            return
        parts = model_state.parts_of(self.model) + model_state.seeds()
        note = {
            "epoch": epoch + 1,
            "history": {"epoch": history.epoch, "metrics": history.history},
            "parts": [part.described() for part in parts],
            "callbacks": callback_state.described(self.others),
        }
        arrays = chain(*(part.arrays() for part in parts), callback_state.arrays(self.others))
        archive.write(self.path, note, arrays)

    def _history(self) -> History:
        history = getattr(self.model, "history", None)
        if not isinstance(history, History):
            text = "Checkpoint works in fit_generator(); Keras's own fit() has BackupAndRestore."
            raise ArgumentError(text)
        return history
