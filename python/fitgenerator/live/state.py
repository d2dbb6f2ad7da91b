"""What the page shows, as plain values: the metrics, and what the pipeline does."""

from __future__ import annotations

import getpass
import json
import math
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..models.result_order import arranged
from ..reporting.history import History
from ..reporting.plot_history import Epochs, Series, panels_of
from ..reporting.plot_pipeline import bars_of, lanes_of
from ..reporting.window import Window

# How many seconds the shares and rates are of.
SECONDS = 10.0
# Steps that the lanes show, and points that a line has at most while the training runs.
_STEPS, _POINTS = 24, 2000
# A wait that is shorter is not worth a line, in seconds.
_NOTABLE = 0.5
_LONGEST = 600  # characters of an error's text


@dataclass
class Course:
    """How far the training has come; its hooks change it, on the calling thread."""

    model: str
    epochs: int
    steps: int | None  # of one epoch, where they are known
    phase: str = "starting"
    epoch: int = 0  # that runs, from 1
    error: str = ""
    begun: float = field(default_factory=time.perf_counter)
    before: int = 0  # steps of the pipeline before this epoch
    done: int | None = None  # steps of this epoch, where its validation has begun


class State:
    """The state of one training; read by the thread that publishes it."""

    def __init__(self, history: History, course: Course) -> None:
        self.course = course
        self.history = history
        self._window = Window(history.pipeline, SECONDS)

    def look(self) -> None:
        """Take the figures of now: about twice a second."""
        self._window.look()

    @property
    def measured(self) -> tuple[int, ...]:
        """Changes where the metrics did."""
        values = list(self.history.history.values())
        return (len(self.history.epoch), *map(len, values))

    def metrics(self, *, whole: bool = False) -> str:
        """The values of the metrics, as JSON; unless `whole`, some of very many are left out."""
        history = self.history
        values = {name: list(each) for name, each in list(history.history.items())}
        shown = arranged(values, history.order)
        epochs = Epochs(shown, list(history.epoch), history.validation_freq)
        panels = panels_of(epochs, None, False)
        parts = [
            {
                "name": name,
                "series": [_series(series, whole) for series in panel],
                "notes": [series.note for series in panel if series.note],
            }
            for name, panel in panels.items()
        ]
        return _json({"panels": parts})

    def pipeline(self, *, ended: bool = False, plain: Callable[[str], str] = str) -> str:
        """How far the training is and what the pipeline does, as JSON; `plain` rewrites texts."""
        course, figures = self.course, self.history.pipeline
        seconds = figures.wall or time.perf_counter() - course.begun
        recent = figures if ended else self._window.recent()
        wall = recent.wall or 1.0
        done = figures.steps - course.before if course.done is None else course.done
        waited = figures._waited if figures._waited > _NOTABLE and not ended else 0.0
        return _json(
            {
                **{"model": course.model, "phase": course.phase, "error": plain(course.error)},
                **{"epoch": course.epoch, "epochs": course.epochs, "steps": course.steps},
                **{"done": done, "seconds": seconds, "ended": ended, "of": recent.wall},
                "shares": {
                    name: getattr(recent, name) / wall
                    for name in ("model_waited", "step", "callbacks", "other")
                },
                "verdict": recent.verdict,
                **{"queue": recent.queue_fill, "size": figures.max_queue_size},
                **{"steps_rate": recent.steps / wall, "batches_rate": recent.batches / wall},
                "working": {n: getattr(recent, n) / wall for n in ("generator", "conversion")},
                "workers": len(figures.workers),
                "room": recent.generator_waited / wall,
                **{"all_steps": figures.steps, "all_batches": figures.batches},
                **{"redone": figures.redone, "longest": figures.longest_wait},
                **{"fallback": plain(figures.fallback or ""), "waited": waited},
                "waiting": figures.waiting or "",
                **self._lanes(),
            }
        )

    def _lanes(self) -> dict[str, Any]:
        """What the threads did in the last steps."""
        bars = bars_of(self.history.pipeline.timeline, _STEPS)
        lanes = lanes_of(bar.event for bar in bars)
        rows = [
            [
                *(lanes.index(bar.event.lane), bar.event.what, round(bar.left, 5)),
                *(round(bar.right, 5), round(bar.low, 3), round(bar.high, 3), bar.label),
            ]
            for bar in bars
        ]
        return {"lanes": lanes, "bars": rows}


def _series(series: Series, whole: bool) -> dict[str, Any]:
    every = 1 if whole else -(-len(series.epochs) // _POINTS) or 1
    # The last one is always there.
    epochs, values = series.epochs[::-1][::every][::-1], series.values[::-1][::every][::-1]
    numbers = [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
    return {"data": series.data, "epochs": epochs, "values": numbers}


def _json(value: dict[str, Any]) -> str:
    """In one line, with nothing that could end a script that holds it."""
    text = json.dumps(_rounded(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def error_text(error: BaseException) -> str:
    """What is shown of an error."""
    text = str(error)
    ours = type(error).__module__.startswith("fitgenerator")
    shown = text if ours and text else f"{type(error).__name__}: {text}".removesuffix(": ")
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]} ..."


def without_places(text: str) -> str:
    """A text without the names of folders and of the user, for a page that others may read."""
    for folder in (Path.home(), Path.cwd(), Path(tempfile.gettempdir())):
        text = text.replace(f"{folder}/", "/").replace(f"{folder}\\", "\\")
        text = text.replace(str(folder), "...")
    text = re.sub(r"(?<![^\s'\"(=:,\[])(?:[A-Za-z]:)?[/\\](?:[^\s'\"<>|*?:/\\]+[/\\])*", "", text)
    return re.sub(rf"\b{re.escape(_user())}\b", "...", text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # nobody has such a number
        return Path.home().name
