"""Whether a model holds functions or classes that were made in R."""

from __future__ import annotations

from typing import Any

import keras

from ...r_functions import is_r_function


def holds_r_code(model: Any) -> bool:
    """Whether the model's loss, metrics or layers are functions or classes made in R."""
    try:
        layers = list(model._flatten_layers())
    except AttributeError:
        layers = []
    parts = [getattr(model, "loss", None), *layers]
    own = getattr(model, "__dict__", {})  # what is no model is refused later, in words
    metrics = own.get("_compile_metrics")
    if metrics is None:  # Keras 2
        metrics = getattr(own.get("compiled_metrics"), "_user_metrics", None)
    parts.append(metrics)
    parts += list(getattr(model, "metrics", []) or [])
    return any(_is_r(part) for top in parts for part in keras.tree.flatten(top))


def _is_r(thing: Any) -> bool:
    candidates = [thing, getattr(thing, "fn", None), getattr(thing, "function", None)]
    candidates += [getattr(type(thing), name, None) for name in ("call", "update_state")]
    return any(map(is_r_function, candidates))
