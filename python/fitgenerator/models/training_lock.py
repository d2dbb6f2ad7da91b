"""A model is trained by one call at a time.

Two would share its metrics, its `stop_training` and its history, and each would read the other's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ArgumentError
from .protocol import KerasModel

_lock = threading.Lock()
_trained: set[int] = set()  # ids of models, which live as long as their training


def refuse_trained(model: KerasModel) -> None:
    """Raise an `ArgumentError` for a model that another call is training."""
    if id(model) in _trained:
        raise ArgumentError(
            "The model is being trained by another call of fit_generator(), which has not ended: a "
            "model is trained by one call at a time. Train another model here, or wait."
        )


@contextmanager
def hold_training_lock(model: KerasModel) -> Iterator[None]:
    """Context manager: the model is being trained, unless `refuse_trained` refuses."""
    with _lock:
        refuse_trained(model)
        _trained.add(id(model))
    try:
        yield
    finally:
        _trained.discard(id(model))
