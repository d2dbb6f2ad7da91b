"""Methods of ours that a derived class has replaced, or that an object has been assigned."""

from __future__ import annotations


def replaced(given: object, base: type, *methods: str) -> bool:
    """Whether one of these methods of an object is not the one that the class `base` has."""
    return any(
        getattr(getattr(given, method), "__func__", None) is not getattr(base, method)
        for method in methods
    )
