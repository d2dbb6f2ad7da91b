"""Where progress is shown from Python: a terminal, a notebook, a log. For the calling thread."""

from __future__ import annotations

import os
import shutil
import sys

from .progress import INTERVAL
from .progress_bar import Bar

# A notebook wraps lines by itself, and still overwrites them.
_NOTEBOOK_WIDTH = 500


def bar_interval() -> float | None:
    """Least seconds between two bars; `None` where a line cannot be overwritten."""
    if in_notebook():
        return INTERVAL
    simple = os.environ.get("TERM") == "dumb" or os.environ.get("INSIDE_EMACS")
    overwrites = _is_open() and getattr(sys.stdout, "isatty", bool)() and not simple
    return INTERVAL if overwrites else None


def _is_open() -> bool:
    """Whether there is an output: a program without a console has none."""
    return sys.stdout is not None and not getattr(sys.stdout, "closed", False)


def in_notebook() -> bool:
    """Jupyter's front ends obey carriage returns, though its streams are no terminals."""
    return type(sys.stdout).__module__.startswith("ipykernel.")


def _width() -> int:
    """The longest line that does not wrap, in characters."""
    return _NOTEBOOK_WIDTH if in_notebook() else shutil.get_terminal_size().columns - 1


def _shows_lines() -> bool:
    """Whether standard output has the characters that a bar is drawn with."""
    try:
        "━─".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


class Screen:
    """Standard output, whatever it is at the moment."""

    def __init__(self) -> None:
        self._covered = 0  # characters of the bar that is shown

    def show(self, thing: str | Bar) -> None:
        """Overwrite the bar with the next, or print lines in its place."""
        if isinstance(thing, Bar):
            text = thing.text(_width(), unicode=_shows_lines())
            self._write("\r" + text.ljust(self._covered))
            self._covered = len(text)
        else:
            first, end, rest = thing.partition("\n")
            over = "\r" + first.ljust(self._covered) if self._covered else first
            self._covered = 0
            self._write(over + end + rest)

    def close(self) -> None:
        """Leave the line of a bar that broke off."""
        if self._covered:
            self._covered = 0
            self._write("\n")

    @staticmethod
    def _write(text: str) -> None:
        if _is_open():
            sys.stdout.write(text)
            sys.stdout.flush()
