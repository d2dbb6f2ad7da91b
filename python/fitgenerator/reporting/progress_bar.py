"""How a moment of a round looks in a line: a bar that is overwritten, and what stays at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..models.protocol import Logs, Metric

# Characters of a bar, where there is room, and where there is little.
_WIDE, _NARROW = 20, 10


@dataclass(frozen=True)
class Bar:
    """How far a round is."""

    title: str  # what it is: "Epoch 1/5", or nothing
    done: int  # steps that are finished
    total: int | None  # steps that there will be, `None` where that is not known
    pace: float | None = None  # seconds a step, `None` before the first
    left: float | None = None  # seconds until the end, about, `None` where that is not known
    figures: tuple[str, ...] = ()  # the metrics so far, each as a text
    waiting: str = ""  # what the model waits for, or nothing

    def text(self, width: int, *, unicode: bool) -> str:
        """In one line of at most `width` characters; what matters least is left out first."""
        for parts in self._parts(unicode):
            text = " - ".join(part for part in parts if part)
            if len(text) <= width:
                return text
        return text[: max(0, width)]

    def _parts(self, unicode: bool) -> Iterator[list[str]]:
        steps = f"{self.done}/{'?' if self.total is None else self.total}"
        pace, eta = per_step(self.pace), self.eta
        figures = list(self.figures)

        def line(bar: int, *rest: str) -> list[str]:
            drawn = f"{steps} {self._drawn(bar, unicode)}" if bar and self.total else steps
            return [self.title, drawn, *rest, self.waiting]

        yield line(_WIDE, pace, eta, *figures)
        while True:
            yield line(_NARROW, pace, eta, *figures)
            if len(figures) < 2:
                break
            figures.pop()
        yield line(0, pace, eta, *figures)
        yield line(0, pace, eta)
        yield line(0, eta)
        yield line(0)
        yield [steps, self.waiting]

    def _drawn(self, width: int, unicode: bool) -> str:
        full, empty = ("━", "─") if unicode else ("=", ".")
        filled = int(width * min(1.0, self.done / (self.total or 1)))
        bar = full * filled + empty * (width - filled)
        return bar if unicode else f"[{bar}]"

    @property
    def eta(self) -> str:
        """How long it will take yet, or nothing."""
        if self.left is None:
            return ""
        minutes, seconds = divmod(round(self.left), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"ETA {hours}:{minutes:02}:{seconds:02}"
        return f"ETA {minutes}:{seconds:02}" if minutes else f"ETA {seconds}s"


def summary(title: str, done: int, seconds: float, logs: Logs, before: int = 0) -> str:
    """The line of a round that is finished, of which an earlier call did the steps `before`."""
    parts = [f"{done}/{done}", f"{seconds:.1f}s {per_step(seconds / max(1, done - before))}"]
    return " - ".join([*([title] if title else []), *parts, *figures_of(logs)])


def figures_of(logs: Logs) -> list[str]:
    """Each metric with its name."""
    return [f"{name}: {_figure(value)}" for name, value in logs.items()]


def _figure(value: Metric) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{value:.4e}"


def per_step(seconds: float | None) -> str:
    """A pace."""
    if seconds is None:
        return ""
    if seconds >= 1:
        return f"{seconds:.1f}s/step"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms/step"
    return f"{seconds * 1e6:.0f}us/step"
