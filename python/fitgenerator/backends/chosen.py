"""The backend that Keras runs on. Its module is loaded when it is first asked for."""

from __future__ import annotations

import keras

from ..errors import ArgumentError
from ..messages import Message
from .protocol import Backend

_ASKED_FOR: dict[str, Backend] = {}


def running() -> Backend:
    """The backend of Keras 3 in this process; an `ArgumentError` where it is not supported."""
    return backend_named(keras.config.backend())


def is_tracing() -> bool:
    """Whether this thread is tracing a function of a backend that was asked for."""
    return any(backend.is_tracing() for backend in tuple(_ASKED_FOR.values()))


def backend_named(name: str) -> Backend:
    """The backend of that name; an `ArgumentError` where it is not supported."""
    known = _ASKED_FOR.get(name)
    return known or _ASKED_FOR.setdefault(name, _loaded(name))


def _loaded(name: str) -> Backend:
    if name == "tensorflow":
        from .tensorflow.tensors import TensorFlow

        return TensorFlow()
    if name == "jax":
        from .jax.tensors import Jax

        return Jax()
    if name == "torch":
        from .torch.tensors import Torch

        return Torch()
    text = "The Keras backend must be {needed}, not {backend!r}: {use tensorflow}."
    raise ArgumentError(Message(text, needed="'tensorflow', 'jax' or 'torch'", backend=name))
