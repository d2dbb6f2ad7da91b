"""What Keras's callbacks that watch a metric remember, for a training that goes on elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ..models.keras_versions import classes
from ..models.protocol import Array, KerasModel
from .model_state import like

_REMEMBERED = {
    "callbacks.EarlyStopping": ("wait", "stopped_epoch", "best", "best_epoch"),
    "callbacks.ReduceLROnPlateau": ("wait", "cooldown_counter", "best"),
    "callbacks.ModelCheckpoint": ("best",),
}


def _watching(callbacks: Iterable[Any]) -> Iterator[tuple[Any, list[Any], tuple[str, ...]]]:
    """The callbacks that remember something, how each is told from others, and what it is."""
    for callback in callbacks:
        for kind, names in _REMEMBERED.items():
            if isinstance(callback, classes(kind)):
                yield callback, [type(callback).__name__, str(callback.monitor)], names


def described(callbacks: Iterable[Any]) -> list[dict[str, Any]]:
    """What the file says of them, for JSON."""
    return [
        {"who": who, "state": {name: getattr(callback, name, None) for name in names}}
        for callback, who, names in _watching(callbacks)
    ]


def arrays(callbacks: Iterable[Any]) -> Iterator[tuple[str, Array]]:
    """Names for the file, and values: the best weights of those that keep them."""
    for place, (callback, _, _) in enumerate(_watching(callbacks)):
        for number, weights in enumerate(getattr(callback, "best_weights", None) or ()):
            yield f"callbacks/{place}/{number}", np.asarray(weights)


def restore(
    callbacks: Iterable[Any], saved: list[dict[str, Any]], kept: Mapping[str, Array]
) -> None:
    """Give what was saved to the callbacks of the same class that watch the same metric."""
    left = dict(enumerate(saved))
    for callback, who, _ in _watching(callbacks):
        place = next((i for i, entry in left.items() if entry["who"] == who), None)
        if place is None:
            continue
        for name, value in left.pop(place)["state"].items():
            setattr(callback, name, value)
        if getattr(callback, "restore_best_weights", False):
            callback.best_weights = _weights(callback.model, kept, f"callbacks/{place}/")


def _weights(model: KerasModel, kept: Mapping[str, Array], prefix: str) -> list[Array] | None:
    names = (f"{prefix}{number}" for number in range(len(model.weights)))
    found = [kept[name] for name in names if name in kept]
    return [like(v, array) for v, array in zip(model.weights, found, strict=False)] or None


def stopped(callbacks: Iterable[Any], epoch: int) -> bool:
    """Whether one of them ended the training after `epoch` epochs, and would again."""
    return any(
        isinstance(callback, classes("callbacks.EarlyStopping"))
        and 0 < callback.stopped_epoch == epoch - 1
        and callback.wait >= callback.patience
        for callback in callbacks
    )
