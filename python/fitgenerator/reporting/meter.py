"""Counts where the time of a call goes."""

from __future__ import annotations

import threading
import time

from .pipeline import Pipeline
from .timeline import Place, Span, Timeline

# How long a wait for a batch is nothing to speak of, in seconds.
PATIENCE = 3.0


class Meter:
    """Fills in the figures of one call, its `pipeline`, which can be read while they change."""

    def __init__(self, max_queue_size: int) -> None:
        self._begun = time.perf_counter()
        self.timeline = Timeline(self._begun)
        self.pipeline = Pipeline(max_queue_size, _timeline=self.timeline)
        self._lock = threading.Lock()
        self._last: Place | None = None  # the last batch that was used
        self._resting_since: float | None = None  # the host has no batch of the generator to make

    def add(self, stage: str, amount: float) -> None:
        """Add `amount` to the figure `stage`; from any thread."""
        with self._lock:
            setattr(self.pipeline, stage, getattr(self.pipeline, stage) + amount)

    def made(self, place: Place, came: Span, begun: float, waited: float = 0.0) -> None:
        """A batch came, after its source `waited` for room, and was prepared on this thread."""
        converted = begun, time.perf_counter(), threading.get_ident()
        figures = self.pipeline
        ahead = place[0] == "generator" and figures.max_queue_size > 0
        with self._lock:
            figures.generator_waited += waited if ahead else 0.0
            figures.generator += came[1] - came[0]
            figures.conversion += converted[1] - converted[0]
            figures.batches += 1
            if isinstance(came[2], str):
                worked = figures.workers.get(came[2], 0.0)
                figures.workers[came[2]] = worked + came[1] - came[0]
        self.timeline.made(place, came, converted)

    def rests(self, name: str, *, resting: bool) -> None:
        """The host has no batch of a source to make, or has one again. For the calling thread."""
        if name == "generator" and resting != (self._resting_since is not None):
            now, since = time.perf_counter(), self._resting_since
            self._resting_since = now if resting else None
            self.add("generator_waited", 0.0 if since is None else now - since)

    def ran(self, first: Place, steps: int, span: Span, *, xla: bool) -> None:
        """A call ran so many steps, from the batch `first` on. For the training loop."""
        figures = self.pipeline
        with self._lock:
            figures.step += span[1] - span[0]
            figures.steps += steps
            figures.calls += 1
            figures.xla_steps += steps if xla else 0
        self._last = (first[0], first[1] + steps - 1)
        self.timeline.ran(first, steps, span)

    def fell_back(self, missed: str, why: str) -> None:
        """Steps could not run in a loop, or with XLA; of each kind, the first reason is kept."""
        told = self.pipeline.fallback
        if told is None:
            self.pipeline.fallback = f"{missed}: {why}"
        elif f"{missed}: " not in told:
            self.pipeline.fallback = f"{told}; no {missed}: {why}"

    def called_back(self, span: Span) -> None:
        """Callbacks were called; from the calling thread, while the training loop waits."""
        self.add("callbacks", span[1] - span[0])
        if self._last is not None:
            self.timeline.saw(self._last, "callbacks", span)

    def waits(self, name: str, seconds: float) -> None:
        """The model has been waiting for a batch of `name` for so many seconds."""
        figures = self.pipeline
        figures.longest_wait = max(figures.longest_wait, seconds)
        figures._waited = seconds
        if seconds > PATIENCE:
            figures.waiting = name

    def took(self, ready: int, begun: float, place: Place) -> None:
        """A batch was taken, when so many were ready; the model waited for the one at `place`."""
        figures, ended = self.pipeline, time.perf_counter()
        seconds, span = ended - begun, (begun, ended, threading.get_ident())
        figures.longest_wait = max(figures.longest_wait, seconds)
        figures.waiting, figures._waited = None, 0.0
        figures._takes += 1
        ready = min(ready, figures.max_queue_size)  # one more may be ready, beyond the queue
        figures.queue_fill += (ready - figures.queue_fill) / figures._takes
        self.add("model_waited", seconds)
        self.timeline.saw(place, "wait", span)

    def finish(self) -> None:
        """Fix the wall time, and what is left of it."""
        figures = self.pipeline
        figures.wall = time.perf_counter() - self._begun
        known = figures.model_waited + figures.step + figures.callbacks
        figures.other = max(0.0, figures.wall - known)
