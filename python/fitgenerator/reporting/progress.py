"""What the user sees while it runs, and how often: a bar that is overwritten, else lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ..models.protocol import Logs
from .meter import PATIENCE
from .progress_bar import Bar, figures_of, summary

# Least time between two writes, in seconds, where a terminal does not say otherwise.
INTERVAL = 0.1
# After how many seconds a wait for a batch is a line of its own, where there is no bar.
_LINE_PATIENCE = 30.0


class _Output:
    """Shows bars and lines, with at least `interval` seconds between two bars.

    Lines that follow each other quickly are held back, unless they are to come `at_once`.
    """

    def __init__(
        self, show: Callable[[str | Bar], None], has_bar: bool, interval: float, at_once: bool
    ) -> None:
        self.has_bar = has_bar
        self._show = show
        self._interval = interval
        self._at_once = at_once
        self._last = float("-inf")  # when something was shown
        self.lines: list[str] = []  # that are held back

    def is_time(self, interval: float = 0.0) -> bool:
        """Whether something may be shown again."""
        return time.perf_counter() - self._last >= max(interval, self._interval)

    def draw(self, bar: Bar) -> None:
        """Show the lines that were held back, else the bar: one write, not two."""
        if self.lines:
            self.flush()
        elif self.has_bar:
            self._last = time.perf_counter()
            self._show(bar)

    def say(self, line: str) -> None:
        """Show a line, soon."""
        self.lines.append(line + "\n")
        if self._at_once or self.is_time():
            self.flush()

    def flush(self) -> None:
        """Show what was held back."""
        if self.lines:
            text, self.lines = "".join(self.lines), []
            self._last = time.perf_counter()
            self._show(text)


class _Pace:
    """How quickly the steps of a round follow each other."""

    def __init__(self, before: int = 0) -> None:  # so many steps were done in an earlier call
        self._begun = time.perf_counter()
        self._first, self._since = 0, 0.0  # steps done when the first ones had ended, and when
        self.done = self._before = before

    def step(self, done: int) -> None:
        """So many steps are done."""
        self.done = done
        if self._first == 0:
            # What comes before the first step, tracing above all, is not the pace of the others.
            self._first, self._since = done, time.perf_counter()

    def figures(self, total: int | None) -> tuple[float, float | None]:
        """Seconds a step, and seconds until all are done, as far as that is known."""
        now, later = time.perf_counter(), self.done - self._first
        if not later:
            return (now - self._begun) / (self.done - self._before), None
        pace = (now - self._since) / later
        return pace, None if total is None else pace * (total - self.done)


class Progress:
    """Progress of one call. For the training loop.

    With `verbose` 0 nothing is shown, with 1 a bar where there is an `interval`; else, and with 2,
    a line per epoch.
    """

    def __init__(
        self,
        show: Callable[[str | Bar], None],  # a `Bar` instead of the one before, or lines of text
        *,
        verbose: int,
        interval: float | None,  # least seconds between two bars; `None`: none can be overwritten
        epochs: int = 0,  # the number of the last epoch
        at_once: bool = True,  # no lines are held back: callbacks may print after them
    ) -> None:
        has_bar = verbose == 1 and interval is not None
        self._output = _Output(show, has_bar, interval or INTERVAL, at_once)
        self._says = verbose > 0
        self._epochs = epochs
        self._begun = time.perf_counter()
        self._title, self._before = "", 0  # steps of the round that an earlier call has done
        self._pace = _Pace()
        self._bar = Bar("", 0, None)  # the last one, without what is waited for
        self._told = False  # the wait that lasts has had its line

    def tell(self, line: str) -> None:
        """Show a line."""
        if self._says:
            self._output.say(line)

    def begin(self, title: str = "", total: int | None = None, done: int = 0) -> None:
        """An epoch, or an evaluation, begins."""
        self._begun = time.perf_counter()
        self._title, self._before = title, done
        self._begin_round(Bar(title, done, total))

    def begin_epoch(self, epoch: int, total: int | None = None, done: int = 0) -> None:
        """The epoch with number `epoch`, from 0, begins; so many of its steps are done."""
        self.begin(f"Epoch {epoch + 1}/{self._epochs}", total, done)

    def begin_validation(self, total: int | None = None) -> None:
        """The validation of the epoch begins."""
        self._begin_round(Bar(f"{self._title} - validation", 0, total))

    def _begin_round(self, bar: Bar) -> None:
        self._pace, self._bar = _Pace(bar.done), bar
        if self._output.is_time():
            self._output.draw(bar)

    def step(self, done: int, total: int | None, logs: Callable[[], Logs]) -> None:
        """`done` steps of `total` are finished; `logs` is only called when something is shown."""
        if not self._says:
            return
        self._pace.step(done)
        if not self._output.is_time():
            return
        if self._output.has_bar and not self._output.lines:
            figures = tuple(figures_of(logs()))
            self._bar = Bar(self._bar.title, done, total, *self._pace.figures(total), figures)
        self._output.draw(self._bar)

    def waits(self, name: str, seconds: float) -> None:
        """The model has been waiting for a batch of `name` for so many seconds."""
        if self._output.lines and self._output.is_time():
            self._output.flush()
        self._told = self._told and seconds > _LINE_PATIENCE
        text = f"waiting for `{name}` ({seconds:.0f} s)"
        if self._output.has_bar:
            if seconds > PATIENCE and self._output.is_time(1.0):
                self._output.draw(replace(self._bar, done=self._pace.done, left=None, waiting=text))
        elif self._says and seconds > _LINE_PATIENCE and not self._told:
            self._told = True
            self._output.say(text)

    def end(self, done: int, logs: Logs) -> None:
        """The epoch, or the evaluation, is finished."""
        if self._says:
            seconds = time.perf_counter() - self._begun
            self._output.say(summary(self._title, done, seconds, logs, self._before))

    def close(self) -> None:
        """Show what was held back."""
        self._output.flush()
