"""What sources and image flows ask of rpy2: the `Bridge` that `api` registers."""

from __future__ import annotations

from .functions import is_function, source
from .image_functions import image_function
from .sequence import sequence

__all__ = ["image_function", "is_function", "owns", "sequence", "source"]


def owns(thing: object) -> bool:
    """Whether `thing` is a value of R."""
    return type(thing).__module__.startswith("rpy2.")
