"""What the user sees while it runs: a bar where output can be overwritten, else a line an epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .pipeline import PATIENCE

# Least time between two writes of the bar, in seconds.
_INTERVAL = 0.1
_BAR_WIDTH = 20
# After how many seconds a wait for a batch is a line of its own, where there is no bar.
_LINE_PATIENCE = 30.0


class Progress:
    """Progress of one call.

    Args:
        write: Takes the text to show; a bar's text begins with a carriage return.
        verbose: 0 nothing; 1 a bar where `in_place`, else a line per epoch; 2 a line per epoch.
        in_place: Whether text can be overwritten (an interactive terminal).
        epochs: The number of the last epoch; 0 where there are no epochs.
    """

    def __init__(
        self, write: Callable[[str], None], *, verbose: int, in_place: bool, epochs: int = 0
    ) -> None:
        self._write = write
        self._lines = verbose > 0
        self._bar = verbose == 1 and in_place
        self._epochs = epochs
        self._begun = self._last = time.perf_counter()
        self._title = ""
        self._width = 0
        self._shown = ""  # the bar, without what is waited for
        self._told = False  # the wait that lasts has had its line

    def begin(self, title: str = "") -> None:
        """An epoch, or an evaluation, begins."""
        self._title, self._shown = title, ""
        self._begun = time.perf_counter()
        self._last = 0.0

    def begin_epoch(self, epoch: int) -> None:
        """The epoch with number `epoch`, from 0, begins."""
        self.begin(f"Epoch {epoch + 1}/{self._epochs}")

    def step(self, done: int, total: int | None, logs: Callable[[], dict[str, Any]]) -> None:
        """`done` steps of `total` are finished; `logs` is only called when something is shown."""
        if not self._bar:
            return
        now = time.perf_counter()
        if now - self._last < _INTERVAL:
            return
        self._last = now
        self._shown = self._line(_bar(done, total), done, now, logs())
        self._overwrite(self._shown)

    def waits(self, name: str, seconds: float) -> None:
        """The model has been waiting for a batch of `name` for so many seconds."""
        self._told = self._told and seconds > _LINE_PATIENCE
        text = f"waiting for `{name}` ({seconds:.0f} s)"
        if self._bar:
            now = time.perf_counter()
            if seconds > PATIENCE and now - self._last >= 1.0:
                self._last = now
                self._overwrite(" - ".join(p for p in (self._shown or self._title, text) if p))
        elif self._lines and seconds > _LINE_PATIENCE and not self._told:
            self._told = True
            self._write(text + "\n")

    def end(self, done: int, logs: dict[str, Any]) -> None:
        """The epoch, or the evaluation, is finished."""
        if not self._lines:
            return
        text = self._line(f"{done}/{done}", done, time.perf_counter(), logs)
        if self._bar:
            self._overwrite(text)
            self._write("\n")
            self._width = 0
        else:
            self._write(text + "\n")

    def close(self) -> None:
        """Leave the line of an unfinished bar."""
        if self._width:
            self._write("\n")
            self._width = 0

    def _line(self, steps: str, done: int, now: float, logs: dict[str, Any]) -> str:
        spent = now - self._begun
        pace = spent / max(1, done)
        parts = [p for p in (self._title, steps) if p]
        parts.append(f"{spent:.1f}s {_per_step(pace)}")
        parts += [f"{name}: {_figure(value)}" for name, value in logs.items()]
        return " - ".join(parts)

    def _overwrite(self, text: str) -> None:
        self._write("\r" + text.ljust(self._width))
        self._width = len(text)


def _bar(done: int, total: int | None) -> str:
    if not total:
        return f"{done}/?"
    filled = int(_BAR_WIDTH * done / total)
    return f"{done}/{total} [{'=' * filled}{'.' * (_BAR_WIDTH - filled)}]"


def _per_step(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f}s/step"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms/step"
    return f"{seconds * 1e6:.0f}us/step"


def _figure(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{value:.4e}"
