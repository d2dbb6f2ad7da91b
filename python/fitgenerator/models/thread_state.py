"""The caller's scopes and Keras's thread-local state, carried to our threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ..backends.protocol import Backend


def capture_scope(backend: Backend) -> Callable[[], AbstractContextManager[None]]:
    """The caller's scopes of the backend and Keras's thread-local state, for our threads.

    Thread rule 10 (the caller's state holds on our threads): a new thread starts without it.
    """
    from keras.src.backend.common import global_state

    scope_of_backend = backend.scope()
    state = _copied(vars(global_state.GLOBAL_STATE_TRACKER))
    settings = dict(vars(global_state.GLOBAL_SETTINGS_TRACKER))

    @contextmanager
    def scope() -> Iterator[None]:
        vars(global_state.GLOBAL_STATE_TRACKER).update(_copied(state))
        vars(global_state.GLOBAL_SETTINGS_TRACKER).update(settings)
        with scope_of_backend():
            yield

    return scope


def _copied(state: dict[str, Any]) -> dict[str, Any]:
    """With lists of its own: each thread puts the scopes that it enters, such as names, on them."""
    return {key: list(value) if type(value) is list else value for key, value in state.items()}
