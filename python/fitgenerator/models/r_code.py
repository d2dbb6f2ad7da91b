"""Whether a model holds R code."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import keras

from ..r_functions import is_bridged_function, is_r_function


def holds_r_code(model: Any) -> bool:
    """Whether the model's loss, metrics or layers are functions or classes made in R."""
    parts = [getattr(model, "loss", None), *(getattr(model, "metrics", []) or [])]
    with suppress(AttributeError):
        parts += list(model._flatten_layers())
    own = getattr(model, "__dict__", {})  # what is no model is refused later, in words
    metrics = own.get("_compile_metrics")
    if metrics is None:  # Keras 2
        metrics = getattr(own.get("compiled_metrics"), "_user_metrics", None)
    parts.append(metrics)
    return any(_is_r(part) for top in parts for part in keras.tree.flatten(top))


def _is_r(thing: Any) -> bool:
    candidates = [thing, getattr(thing, "fn", None), getattr(thing, "function", None)]
    candidates += [getattr(type(thing), name, None) for name in ("call", "update_state")]
    return any(is_r_function(each) or is_bridged_function(each) for each in candidates)
