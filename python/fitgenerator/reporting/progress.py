"""What the user sees while it runs, and how often: a bar that is overwritten, else lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .meter import PATIENCE
from .progress_bar import Bar, figures_of, summary

# Least time between two writes, in seconds, where a terminal does not say otherwise.
INTERVAL = 0.1
# After how many seconds a wait for a batch is a line of its own, where there is no bar.
_LINE_PATIENCE = 30.0


class Progress:
    """Progress of one call. For the training loop.

    Args:
        show: Takes what is to be shown: a `Bar` instead of the one before, or lines of text.
        verbose: 0 nothing; 1 a bar where there is an `interval`, else, and for 2, a line per epoch.
        interval: Least seconds between two bars; `None`: a bar cannot be overwritten.
        epochs: The number of the last epoch; 0 where there are no epochs.
        at_once: Lines come at once, because what callbacks print comes behind them. Otherwise
            lines that follow each other quickly are shown together.
    """

    def __init__(
        self,
        show: Callable[[str | Bar], None],
        *,
        verbose: int,
        interval: float | None,
        epochs: int = 0,
        at_once: bool = True,
    ) -> None:
        self._show = show
        self._says = verbose > 0
        self._bar = verbose == 1 and interval is not None
        self._interval = interval or INTERVAL
        self._epochs = epochs
        self._at_once = at_once
        self._begun = self._round_begun = self._stepped = time.perf_counter()
        self._last = float("-inf")  # when something was shown
        self._title = ""
        self._done = 0  # steps
        self._first = 0  # those that were done when the first ones had ended
        self._shown = Bar("", 0, None)  # last, without what is waited for
        self._lines: list[str] = []  # that are held back
        self._told = False  # the wait that lasts has had its line

    def begin(self, title: str = "", total: int | None = None) -> None:
        """An epoch, or an evaluation, begins."""
        self._begun = time.perf_counter()
        self._title = title
        self._begin_round(Bar(title, 0, total))

    def begin_epoch(self, epoch: int, total: int | None = None) -> None:
        """The epoch with number `epoch`, from 0, begins."""
        self.begin(f"Epoch {epoch + 1}/{self._epochs}", total)

    def begin_validation(self, total: int | None = None) -> None:
        """The validation of the epoch begins."""
        self._begin_round(Bar(f"{self._title} - validation", 0, total))

    def _begin_round(self, bar: Bar) -> None:
        self._done, self._first, self._shown = 0, 0, bar
        self._round_begun = time.perf_counter()
        if self._is_time():
            self._draw(bar)

    def step(self, done: int, total: int | None, logs: Callable[[], dict[str, Any]]) -> None:
        """`done` steps of `total` are finished; `logs` is only called when something is shown."""
        if not self._says:
            return
        now, self._done = time.perf_counter(), done
        if self._first == 0:
            # What comes before the first step, tracing above all, is not the pace of the others.
            self._first, self._stepped = done, now
        if now - self._last < self._interval:
            return
        if self._bar and not self._lines:
            self._shown = self._bar_of(done, total, now, logs())
        self._draw(self._shown)

    def _bar_of(self, done: int, total: int | None, now: float, logs: dict[str, Any]) -> Bar:
        later = done - self._first
        if later:
            pace = (now - self._stepped) / later
            left = None if total is None else pace * (total - done)
        else:
            pace, left = (now - self._round_begun) / done, None
        return Bar(self._shown.title, done, total, pace, left, tuple(figures_of(logs)))

    def waits(self, name: str, seconds: float) -> None:
        """The model has been waiting for a batch of `name` for so many seconds."""
        if self._lines and self._is_time():
            self._flush()
        self._told = self._told and seconds > _LINE_PATIENCE
        text = f"waiting for `{name}` ({seconds:.0f} s)"
        if self._bar:
            if seconds > PATIENCE and self._is_time(1.0):
                self._draw(replace(self._shown, done=self._done, left=None, waiting=text))
        elif self._says and seconds > _LINE_PATIENCE and not self._told:
            self._told = True
            self._say(text)

    def end(self, done: int, logs: dict[str, Any]) -> None:
        """The epoch, or the evaluation, is finished."""
        if self._says:
            self._say(summary(self._title, done, time.perf_counter() - self._begun, logs))

    def close(self) -> None:
        """Show what was held back."""
        self._flush()

    def _is_time(self, interval: float = 0.0) -> bool:
        return time.perf_counter() - self._last >= max(interval, self._interval)

    def _draw(self, bar: Bar) -> None:
        """Show the lines that were held back, else the bar: one write, not two."""
        if self._lines:
            self._flush()
        elif self._bar:
            self._last = time.perf_counter()
            self._show(bar)

    def _say(self, line: str) -> None:
        self._lines.append(line + "\n")
        if self._at_once or self._is_time():
            self._flush()

    def _flush(self) -> None:
        if self._lines:
            text, self._lines = "".join(self._lines), []
            self._last = time.perf_counter()
            self._show(text)
