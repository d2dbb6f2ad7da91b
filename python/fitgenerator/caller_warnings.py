"""Warnings that point at the user's line, however deep in here they are made."""

from __future__ import annotations

import sys
import warnings

_PACKAGE = __name__.partition(".")[0]


def warn(text: str, kind: type[UserWarning]) -> None:
    """Warn where this package was called."""
    level, frame = 1, sys._getframe()
    while frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE and frame.f_back:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, kind, stacklevel=level)
