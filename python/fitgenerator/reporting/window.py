"""What a pipeline did lately: its figures of the last seconds, or since they were looked at."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from .pipeline import Pipeline

_SUMS = (
    *("generator", "conversion", "step", "model_waited", "generator_waited", "callbacks"),
    *("batches", "redone", "steps", "calls", "xla_steps"),
)


@dataclass(frozen=True)
class Sample:
    """The figures of a pipeline at one moment."""

    at: float  # by `time.perf_counter()`
    sums: dict[str, float]
    workers: dict[str, float]
    takes: int
    fill: float  # the sum of all fills of the queue

    @classmethod
    def of(cls, pipeline: Pipeline) -> Sample:
        """The figures of now; from any thread."""
        sums = {name: getattr(pipeline, name) for name in _SUMS}
        sums["model_waited"] += pipeline._waited  # the wait that lasts
        takes = pipeline._takes
        workers = dict(pipeline.workers)
        return cls(time.perf_counter(), sums, workers, takes, pipeline.queue_fill * takes)


def between(begin: Sample, end: Sample, pipeline: Pipeline) -> Pipeline:
    """What happened between two moments, as a pipeline of its own."""
    sums = {name: max(0, end.sums[name] - begin.sums[name]) for name in _SUMS}
    known = sums["model_waited"] + sums["step"] + sums["callbacks"]
    # A step that took longer than this counts where it ended.
    wall = max(end.at - begin.at, known)
    takes = end.takes - begin.takes
    return Pipeline(
        max_queue_size=pipeline.max_queue_size,
        wall=wall,
        other=wall - known,
        workers={name: end.workers[name] - begin.workers.get(name, 0.0) for name in end.workers},
        _remedy=pipeline._remedy,
        queue_fill=max(0.0, end.fill - begin.fill) / takes if takes > 0 else 0.0,
        **sums,  # type: ignore[arg-type]
    )


class Window:
    """The last seconds of a pipeline; for one thread."""

    def __init__(self, pipeline: Pipeline, seconds: float) -> None:
        self._pipeline = pipeline
        self._seconds = seconds
        self._samples = deque([Sample.of(pipeline)])

    def look(self) -> None:
        """Take the figures of now, and forget what is too old.

        Where no step has ended in so many seconds, the window is longer: it holds one.
        """
        now = Sample.of(self._pipeline)
        self._samples.append(now)
        while len(self._samples) > 2:
            second = self._samples[1]
            enough = now.at - second.at >= self._seconds
            if not enough or second.sums["steps"] == now.sums["steps"]:
                break
            self._samples.popleft()

    def recent(self) -> Pipeline:
        """What happened in the window."""
        return between(self._samples[0], self._samples[-1], self._pipeline)
