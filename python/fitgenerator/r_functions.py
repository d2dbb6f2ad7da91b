"""R functions that reticulate has wrapped for Python: how to tell them and who holds them."""

from __future__ import annotations

from typing import Any


def is_r_function(thing: Any) -> bool:
    """Whether `thing` is reticulate's wrapper of an R function."""
    return getattr(thing, "__module__", None) == "rpytools.call"
