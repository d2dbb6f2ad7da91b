"""The backend that Keras runs on. Its module is loaded when it is first asked for."""

from __future__ import annotations

from functools import cache

import keras

from ..errors import ArgumentError
from ..messages import Message
from .protocol import Backend

_ASKED_FOR: list[Backend] = []


def running() -> Backend:
    """The backend of Keras 3 in this process; an `ArgumentError` where it is not supported."""
    return backend_named(keras.config.backend())


def is_tracing() -> bool:
    """Whether this thread is tracing a function of a backend that was asked for."""
    return any(backend.is_tracing() for backend in _ASKED_FOR)


@cache
def backend_named(name: str) -> Backend:
    """The backend of that name; an `ArgumentError` where it is not supported."""
    if name == "tensorflow":
        from .tensorflow.tensors import TensorFlow

        _ASKED_FOR.append(TensorFlow())
    elif name == "jax":
        from .jax.tensors import Jax

        _ASKED_FOR.append(Jax())
    else:
        text = "The Keras backend must be {needed}, not {backend!r}: {use tensorflow}."
        needed = "'tensorflow' or 'jax'"
        raise ArgumentError(Message(text, needed=needed, backend=name))
    return _ASKED_FOR[-1]
