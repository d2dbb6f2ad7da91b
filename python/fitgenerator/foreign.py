"""R functions that reticulate has wrapped for Python: how to tell them and who holds them."""

from __future__ import annotations

from typing import Any

import keras


def is_r_function(thing: Any) -> bool:
    """Whether `thing` is reticulate's wrapper of an R function."""
    return getattr(thing, "__module__", None) == "rpytools.call"


def holds_r_code(model: Any) -> bool:
    """Whether the model's loss, metrics or layers are functions or classes made in R."""
    try:
        layers = list(model._flatten_layers())
    except AttributeError:
        layers = []
    parts = [getattr(model, "loss", None), getattr(model, "_compile_metrics", None), *layers]
    parts += list(getattr(model, "metrics", []) or [])
    return any(_is_r(part) for top in parts for part in keras.tree.flatten(top))


def _is_r(thing: Any) -> bool:
    candidates = [thing, getattr(thing, "fn", None), getattr(thing, "function", None)]
    candidates += [getattr(type(thing), name, None) for name in ("call", "update_state")]
    return any(map(is_r_function, candidates))
