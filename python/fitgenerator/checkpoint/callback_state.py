"""What Keras's callbacks remember, for a training that goes on elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..models.keras_versions import classes
from ..models.protocol import Array, KerasModel
from .model_state import like, type_of, unfit
from .note import stored_as

_REMEMBERED = {
    "callbacks.EarlyStopping": ("wait", "stopped_epoch", "best", "best_epoch"),
    "callbacks.ReduceLROnPlateau": ("wait", "cooldown_counter", "best"),
    "callbacks.ModelCheckpoint": (
        *("best", "_batches_seen_since_last_saving", "_last_batch_seen"),
    ),
    # Whether the model has the averages, and the optimizer's averages the weights of the training.
    "callbacks.SwapEMAWeights": ("_ema_weights_in_model",),
}


def _watching(callbacks: Iterable[Any]) -> Iterator[tuple[Any, list[Any], tuple[str, ...]]]:
    """The callbacks that remember something, how each is told from others, and what it is."""
    for callback in callbacks:
        for kind, names in _REMEMBERED.items():
            if isinstance(callback, classes(kind)):
                watched = str(getattr(callback, "monitor", ""))
                yield callback, [type(callback).__name__, watched], names


def described(callbacks: Iterable[Any]) -> list[dict[str, Any]]:
    """What the file says of them, for JSON."""
    return [
        {
            "who": who,
            "state": {
                name: int(value) if isinstance(value, bool) else value
                for name in names
                if (value := getattr(callback, name, None)) is not None or name == "best"
            },
            "weights": len(getattr(callback, "best_weights", None) or ()),
        }
        for callback, who, names in _watching(callbacks)
    ]


def arrays(callbacks: Iterable[Any]) -> Iterator[tuple[str, Array]]:
    """Names for the file, and values: the best weights of those that keep them."""
    for place, (callback, _, _) in enumerate(_watching(callbacks)):
        for number, weights in enumerate(getattr(callback, "best_weights", None) or ()):
            yield f"callbacks/{place}/{number}", np.asarray(weights)


def restored(
    callbacks: Iterable[Any], saved: list[dict[str, Any]], kept: Mapping[str, Array], path: Path
) -> list[tuple[Any, str, Any]]:
    """Callback, attribute and value of all that was saved; nothing is assigned.

    It is for the callbacks of the same class that watch the same metric.

    Raises:
        ArgumentError: The best weights in the file at `path` are not those of the model.
    """
    left = dict(enumerate(saved))
    found: list[tuple[Any, str, Any]] = []
    for callback, who, names in _watching(callbacks):
        place = next((i for i, entry in left.items() if entry["who"] == who), None)
        if place is None:
            continue
        state = left.pop(place)["state"]
        found += [(callback, name, state[name]) for name in names if name in state]
        if getattr(callback, "restore_best_weights", False):
            best = _weights(callback.model, kept, f"callbacks/{place}/")
            if best is None:
                raise unfit(path, f"the best weights that it holds for {who[0]} are others")
            found.append((callback, "best_weights", best or None))
    return found


def _weights(model: KerasModel, kept: Mapping[str, Array], prefix: str) -> list[Array] | None:
    """The weights under a prefix, which may be none at all; `None` if the model has others."""
    found = [name for name in kept if name.startswith(prefix)]
    named = {f"{prefix}{number}": variable for number, variable in enumerate(model.weights)}
    if found and set(found) != set(named):
        return None
    pairs = [(named[name], kept[name]) for name in named if found]
    same = ((a.shape, a.dtype) == (tuple(v.shape), stored_as(type_of(v))) for v, a in pairs)
    return [like(v, a) for v, a in pairs] if all(same) else None


def stopped(callbacks: Iterable[Any], epoch: int) -> bool:
    """Whether one of them ended the training after `epoch` epochs, and would again."""
    return any(
        isinstance(callback, classes("callbacks.EarlyStopping"))
        and 0 < callback.stopped_epoch == epoch - 1
        and callback.wait >= callback.patience
        for callback in callbacks
    )
