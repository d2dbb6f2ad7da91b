"""How a `keras.utils.PyDataset` says that it wants to be read."""

from __future__ import annotations

from typing import Any

import keras

from ..errors import FormerArgumentWarning
from ..messages import READ_BY_THREADS


def settings_of(given: object) -> dict[str, Any]:
    """The fields of a `Source` that a data set decides on, if the call does not."""
    if not isinstance(given, keras.utils.PyDataset):
        return {}
    settings: dict[str, Any] = {
        "workers": max(1, _asked(given, "workers", 1)),
        "max_queue_size": _asked(given, "max_queue_size", 10) or 10,
    }
    if _asked(given, "use_multiprocessing", False):
        text = f"`use_multiprocessing` of a data set has no effect: {READ_BY_THREADS}."
        settings["warns"] = ((text, FormerArgumentWarning),)
    return settings


def _asked(given: object, name: str, default: Any) -> Any:
    """A setting; `default` for a class that does not call `super().__init__()`."""
    kept = f"_{name}" in vars(given)
    own = getattr(type(given), name, None) is not getattr(keras.utils.PyDataset, name, None)
    return getattr(given, name) if kept or own else default
