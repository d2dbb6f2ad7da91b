"""Models that cannot be run here are refused, before anything is pulled."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..errors import ArgumentError
from .keras_versions import Keras3


def check_model(keras_version: Keras3, mode: str, *, foreign: bool) -> Keras3:
    """The same model, unless it cannot be run here in a mode: "train", "test" or "predict".

    Raises:
        ArgumentError: The backend is not supported, the model is not compiled, or its strategy
            is not supported, not the one whose scope this is, or one that traces on threads of its
            own while the model holds R code (`foreign`).
        SetupError: The process is a fork in which the backend cannot run.
    """
    backend = keras_version.backend
    backend.check_process()
    if (why := backend.unsupported(keras_version.model)) is not None:
        raise ArgumentError(f"The model cannot be run: {why}.")
    if mode != "predict" and not keras_version.compiled:
        raise ArgumentError("The model must be compiled: call its compile() first.")
    own, strategy = keras_version.strategy, keras_version.entered_strategy
    if strategy is not None and strategy is not own and strategy.num_replicas_in_sync > 1:
        raise ArgumentError(
            f"This is the scope of a {type(strategy).__name__} of {strategy.num_replicas_in_sync} "
            "replicas, but the model was not made in it. Make and compile the model in that scope, "
            "or leave the scope."
        )
    replicas = keras_version.replicas  # an error where they are not served
    if replicas is not None and replicas.cluster is not None:
        _check_for_processes(keras_version)
    if foreign and (replicas is not None or backend.traces_on_threads(strategy)):
        raise ArgumentError(
            "The model has R code in it and was made under a MirroredStrategy, which traces on "
            "threads of its own, where R cannot run. Make it outside that scope."
        )
    return keras_version


def is_of_keras(function: Any) -> bool:
    """Whether a function, or what a `tf.function` was made of, is from Keras itself."""
    function = function.func if isinstance(function, partial) else function
    module = getattr(getattr(function, "python_function", function), "__module__", None)
    return str(module).partition(".")[0] in ("keras", "tf_keras")


def check_function(function: Any, mode: str) -> None:
    """Refuse a function of the model's own in place of the one that Keras makes of its step."""
    if not is_of_keras(function):
        raise ArgumentError(
            f"The model has a `{mode}_function` of its own, which is not called here: write what "
            f"it does into the model's `{mode}_step`."
        )


def _check_for_processes(keras_version: Keras3) -> None:
    """Refuse what several processes cannot do together."""
    if keras_version.model.run_eagerly:
        raise ArgumentError(
            "The model was made for several processes, which run compiled steps only. Compile it "
            "without `run_eagerly`."
        )
