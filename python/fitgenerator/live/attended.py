"""Callbacks that hold something which the end of the call has to close, however it ends."""

from __future__ import annotations

from abc import abstractmethod

import keras

from ..errors import ArgumentError, Warned
from ..reporting.history import History
from ..reporting.pipeline import Pipeline


class Attended(keras.callbacks.Callback):
    """A callback that the engine tells of the end of its call; Keras does so after no error."""

    @abstractmethod
    def close(self, pipeline: Pipeline, error: BaseException | None) -> list[Warned]:
        """The call of this pipeline is over; what the caller has to be warned of.

        It can be repeated. For the thread of the loop.

        Args:
            pipeline: The figures of the call.
            error: What ended it; `None` where it came to its end.
        """

    def _history(self) -> History:
        history = getattr(self.model, "history", None)
        if not isinstance(history, History):
            raise ArgumentError(f"{type(self).__name__} works in fit_generator(), not in fit().")
        return history
