"""The caller's scopes and Keras's thread-local state, on our threads; what cannot be run there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from ..errors import ArgumentError
from .keras_versions import Keras2, Keras3


def check_model(dialect: Keras3, *, training: bool, foreign: bool) -> None:
    """Refuse models that cannot be run here, before anything is pulled.

    Raises:
        ArgumentError: The backend is not TensorFlow, the model is not compiled, or it belongs to a
            strategy of several replicas (each would get the whole batch), or of one replica that
            traces on a thread of its own while the model holds foreign code.
    """
    if keras.config.backend() != "tensorflow" and not isinstance(dialect, Keras2):
        raise ArgumentError(
            f"The Keras backend must be 'tensorflow', not {keras.config.backend()!r}: set "
            "KERAS_BACKEND=tensorflow before Keras is imported."
        )
    if training and not dialect.compiled:
        raise ArgumentError("The model must be compiled: call its compile() first.")
    strategy = dialect.model.distribute_strategy
    if strategy.num_replicas_in_sync > 1:
        raise ArgumentError(
            f"The model was made for {strategy.num_replicas_in_sync} replicas "
            f"({type(strategy).__name__}); only one is supported. Make it outside that scope."
        )
    if foreign and isinstance(strategy, tf.distribute.MirroredStrategy):
        raise ArgumentError(
            "The model has R code in it and was made under a MirroredStrategy, which traces on "
            "threads of its own, where R cannot run. Make it outside that scope."
        )


def capture_scope() -> Callable[[], AbstractContextManager[None]]:
    """The caller's device and strategy scopes and Keras's thread-local state, for our threads."""
    from keras.src.backend.common import global_state
    from tensorflow.python.eager import context

    device = context.context().device_name
    strategy = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
    state = _copied(vars(global_state.GLOBAL_STATE_TRACKER))
    settings = dict(vars(global_state.GLOBAL_SETTINGS_TRACKER))

    @contextmanager
    def scope() -> Iterator[None]:
        vars(global_state.GLOBAL_STATE_TRACKER).update(_copied(state))
        vars(global_state.GLOBAL_SETTINGS_TRACKER).update(settings)
        with ExitStack() as stack:
            if strategy is not None:
                stack.enter_context(strategy.scope())
            if device:
                stack.enter_context(tf.device(device))
            yield

    return scope


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """With lists of its own: each thread puts the scopes that it enters, such as names, on them."""
    return {key: list(value) if type(value) is list else value for key, value in state.items()}
