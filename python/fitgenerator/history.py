"""The history of a call: Keras's own, with where the time went and whether all of it came."""

from __future__ import annotations

import keras

from .pipeline import Pipeline


class History(keras.callbacks.History):
    """A `keras.callbacks.History`.

    Attributes:
        history: Metric name to one number per finished epoch.
        epoch: Numbers of the finished epochs, from 0.
        params: `verbose`, `epochs` and `steps` of the call.
        pipeline: Where the time went.
        validation_freq: After which epochs there was a validation, as it was asked for.
        broken_off: A callback stopped the last epoch before all of its steps were done.
        incomplete: The generator ended, or the call failed, before all epochs were trained.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.pipeline = Pipeline()
        self.validation_freq: int | list[int] = 1
        self.broken_off = False
        self.incomplete = True


_last: History | None = None


def last_history() -> History | None:
    """The history of the last `fit_generator` call, `None` before any.

    After an error or an interrupt it holds the epochs that were finished.
    """
    return _last


def remember(history: History) -> None:
    """Make `history` the last one."""
    global _last  # noqa: PLW0603 - one per session is what `last_history` means
    _last = history
