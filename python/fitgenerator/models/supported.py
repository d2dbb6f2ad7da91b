"""Models that cannot be run here are refused, before anything is pulled."""

from __future__ import annotations

from ..errors import ArgumentError
from .keras_versions import Keras3


def check_model(keras_version: Keras3, mode: str, *, foreign: bool) -> Keras3:
    """The same model, unless it cannot be run here in a mode: "train", "test" or "predict".

    Raises:
        ArgumentError: The backend is not supported, the model is not compiled, or it belongs to a
            strategy of several replicas (each would get the whole batch), or of one replica that
            traces on a thread of its own while the model holds R code (`foreign`).
        SetupError: The process is a fork in which the backend cannot run.
    """
    backend = keras_version.backend
    backend.check_process()
    if (why := backend.unsupported(keras_version.model)) is not None:
        raise ArgumentError(f"The model cannot be run: {why}.")
    if mode != "predict" and not keras_version.compiled:
        raise ArgumentError("The model must be compiled: call its compile() first.")
    strategy = keras_version.entered_strategy
    if strategy is None:
        return keras_version
    if strategy.num_replicas_in_sync > 1:
        raise ArgumentError(
            f"The model was made for {strategy.num_replicas_in_sync} replicas "
            f"({type(strategy).__name__}); only one is supported. Make it outside that scope."
        )
    if foreign and backend.traces_on_threads(strategy):
        raise ArgumentError(
            "The model has R code in it and was made under a MirroredStrategy, which traces on "
            "threads of its own, where R cannot run. Make it outside that scope."
        )
    return keras_version
