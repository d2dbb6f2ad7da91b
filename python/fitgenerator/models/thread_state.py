"""The caller's scopes and Keras's thread-local state, carried to our threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import tensorflow as tf


def capture_scope() -> Callable[[], AbstractContextManager[None]]:
    """The caller's device and strategy scopes and Keras's thread-local state, for our threads.

    Thread rule 10 (the caller's state holds on our threads): a new thread starts without it.
    """
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


def is_tracing() -> bool:
    """Whether this thread is making a graph, in which a tensor is a symbol."""
    return not tf.executing_eagerly()
