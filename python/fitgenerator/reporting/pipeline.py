"""Where the time went: seconds per stage, what waited for what, and a verdict."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import ArgumentError
from .timeline import Event, Place, Span, Timeline

# Below this share of the wall time a wait is noise, not a bottleneck.
_NOTABLE = 0.05
# How long a wait for a batch is nothing to speak of, in seconds.
PATIENCE = 3.0


@dataclass
class Pipeline:
    """Measurements of one call; times are in seconds, queue figures in batches.

    Attributes:
        generator: Time spent inside the generators (training and validation).
        conversion: Time spent checking batches and making tensors of them.
        step: Time spent in the model's compiled steps.
        model_waited: Time that the model waited for a batch.
        generator_waited: Time that the training generator waited for room in the queue.
        wall: Time of the whole call.
        queue_fill: Mean number of batches that were ready when the model asked for one.
        max_queue_size: The size of the queue, as asked for.
        batches: Batches pulled from the generators.
        steps: Steps executed, in training, validation and prediction.
        calls: Calls of compiled functions that they took.
        xla_steps: Those of the steps that ran in loops which XLA compiled.
        longest_wait: The longest time that the model waited for one batch.
        waiting: The source that the model waits for now, or waited for when the call was ended;
            `None` where it does not, or for less than 3 seconds.
        fallback: Why steps did not run in a loop, or not in one compiled by XLA, where they could
            not; `None` where nothing of that kind happened.
    """

    max_queue_size: int = 10
    generator: float = 0.0
    conversion: float = 0.0
    step: float = 0.0
    model_waited: float = 0.0
    generator_waited: float = 0.0
    wall: float = 0.0
    queue_fill: float = 0.0
    batches: int = 0
    steps: int = 0
    calls: int = 0
    xla_steps: int = 0
    longest_wait: float = 0.0
    waiting: str | None = None
    fallback: str | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _waited: float = field(default=0.0, repr=False)
    _takes: int = field(default=0, repr=False)
    _begun: float = field(default_factory=time.perf_counter, repr=False)
    _timeline: Timeline = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._timeline = Timeline(self._begun)

    @property
    def timeline(self) -> list[Event]:
        """What was done with each of the last 100 batches, when, and on which thread.

        A list of named tuples (`source`, `batch`, `what`, `begin`, `end`, `lane`), which
        `pandas.DataFrame` takes as it is.
        """
        return self._timeline.events()

    def add(self, stage: str, amount: float) -> None:
        """Add `amount` to the figure `stage`; from any thread."""
        with self._lock:
            setattr(self, stage, getattr(self, stage) + amount)

    def enter(self) -> None:
        """This thread, which is ours, has a lane of its own in the timeline."""
        self._timeline.enter()

    def made(self, place: Place, came: Span, converted: Span) -> None:
        """A batch came from its source and was prepared; from any thread."""
        with self._lock:
            self.generator += came[1] - came[0]
            self.conversion += converted[1] - converted[0]
            self.batches += 1
        self._timeline.made(place, came, converted)

    def ran(self, first: Place, steps: int, span: Span, *, xla: bool) -> None:
        """A call ran so many steps, from the batch `first` on. For the training loop."""
        with self._lock:
            self.step += span[1] - span[0]
            self.steps += steps
            self.calls += 1
            self.xla_steps += steps if xla else 0
        self._timeline.ran(first, steps, span)

    def waited(self, place: Place, span: Span) -> None:
        """The model waited for a batch. For the training loop."""
        self.add("model_waited", span[1] - span[0])
        self._timeline.saw(place, "wait", span)

    def called(self, place: Place, span: Span) -> None:
        """The hooks that follow a step were called; from any thread."""
        self._timeline.saw(place, "callbacks", span)

    def waits(self, name: str, seconds: float) -> None:
        """The model has been waiting for a batch of `name` for so many seconds."""
        self.longest_wait = max(self.longest_wait, seconds)
        if seconds > PATIENCE:
            self.waiting, self._waited = name, seconds

    def came(self, seconds: float) -> None:
        """The batch that was waited for has come, after so many seconds."""
        self.longest_wait = max(self.longest_wait, seconds)
        self.waiting = None

    def saw_queue(self, fill: int) -> None:
        """Take `fill` ready batches into the mean of `queue_fill`."""
        self._takes += 1
        fill = min(fill, self.max_queue_size)  # one more may be ready, beyond the queue
        self.queue_fill += (fill - self.queue_fill) / self._takes

    def finish(self) -> None:
        """Fix the wall time."""
        self.wall = time.perf_counter() - self._begun

    @property
    def verdict(self) -> str:
        """One line that names what limited the speed."""
        if self.waiting is not None:
            return f"waiting for `{self.waiting}`: no batch for {self._waited:.0f} s"
        if not self.steps or not self.wall:
            return "no step was run"
        waited = self.model_waited / self.wall
        if waited > _NOTABLE:
            return f"the model waited {waited:.0%} of the time for the generator".replace("%", " %")
        stepping = self.step / self.wall
        return (
            f"the generator kept up: the model waited {waited:.0%} of the time for it, "
            f"and computed {stepping:.0%}"
        ).replace("%", " %")

    def plot(self, kind: str = "stages", *, last: int = 30) -> Any:
        """Draw where the time went.

        Args:
            kind: "stages", a bar for each stage; or "timeline", the last steps thread by thread:
                when each batch was made, how long it lay in the queue, when the model used it.
            last: Steps that the timeline shows, at least 1; times are kept of the last 100 batches.

        Returns:
            The matplotlib axes; `axes.figure.savefig(path)` saves their figure.

        Raises:
            ArgumentError: `kind` or `last` is something else.
            SetupError: matplotlib is not installed.
        """
        from . import plot_pipeline

        if kind not in ("stages", "timeline"):
            raise ArgumentError.of("kind", f'must be "stages" or "timeline", not {kind!r:.60}.')
        if kind == "stages":
            return plot_pipeline.draw_stages(self.as_dict())
        return plot_pipeline.draw_timeline(self.timeline, last)

    def as_dict(self) -> dict[str, Any]:
        """The figures and the verdict, by name."""
        figures = {f.name: getattr(self, f.name) for f in fields(self) if f.name[0] != "_"}
        return {**figures, "verdict": self.verdict}

    def __str__(self) -> str:
        rows = [
            ("in the generator", self.generator),
            ("converting batches", self.conversion),
            ("in training steps", self.step),
            ("model waited for a batch", self.model_waited),
            ("generator waited for room", self.generator_waited),
            ("whole call", self.wall),
        ]
        lines = [f"  {name:<26}{seconds:>9.2f} s" for name, seconds in rows]
        return "\n".join(
            [
                f"{self.batches} batches pulled, {self.steps} steps, "
                f"{self.queue_fill:.1f} of {self.max_queue_size} batches ready on average",
                *lines,
                *self._calls(),
                self.verdict,
            ]
        )

    def _calls(self) -> list[str]:
        """Said only where it is news: several steps in a call, or why not."""
        if self.calls == self.steps and self.fallback is None:
            return []
        text = f"{self.steps} steps in {self.calls} calls"
        if self.xla_steps:
            text += f", {self.xla_steps} of them compiled by XLA"
        return [text + (f" (no {self.fallback})" if self.fallback else "")]
