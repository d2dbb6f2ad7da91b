"""R functions that reticulate has wrapped for Python: how to tell them and who holds them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import keras

_FIRST_CALL = 10.0
_SLICE = 0.005


def is_r_function(thing: Any) -> bool:
    """Whether `thing` is reticulate's wrapper of an R function."""
    return getattr(thing, "__module__", None) == "rpytools.call"


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


def call_beside(function: Callable[[], Any]) -> None:
    """Have a background thread call an R function, while R's thread, which calls this, waits.

    At the first such call of a process reticulate (1.41 and later) imports a module inside a C++
    initializer. Two threads whose first calls meet there wait for each other for ever: one for
    Python's lock, the other, which holds it, for the initializer. After one call any may meet.
    """
    thread = threading.Thread(target=function, name="fitgenerator-first-call", daemon=True)
    thread.start()
    given_up = time.monotonic() + _FIRST_CALL
    while thread.is_alive() and time.monotonic() < given_up:
        thread.join(_SLICE)  # between two slices Python runs here what threads ask R's thread for
