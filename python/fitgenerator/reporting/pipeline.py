"""Where the time went: seconds per stage, what waited for what, and a verdict."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import ArgumentError
from .timeline import Event, Timeline

# Below this share of the wall time a wait is noise, not a bottleneck.
_NOTABLE = 0.05
# Workers that work less are not what limits: they start, or wait to be asked.
_BUSY = 0.7


@dataclass
class Pipeline:
    """Measurements of one call; times are in seconds, queue figures in batches.

    Attributes:
        generator: Time spent inside the generators (training and validation).
        conversion: Time spent checking batches and making tensors of them.
        step: Time spent in the model's compiled steps.
        model_waited: Time that the model waited for a batch.
        generator_waited: Time that the training generator waited for room in the queue before a
            batch; a wait that the end of the call cuts off is not counted.
        callbacks: Time spent in callbacks.
        other: What is left of the call: tracing, reading metrics, output. `model_waited`, `step`,
            `callbacks` and `other` follow each other, and add up to `wall`; the generator and
            conversion run in parallel.
        wall: Time of the whole call.
        queue_fill: Mean number of batches that were ready when the model asked for one.
        max_queue_size: The size of the queue, as asked for.
        batches: Batches drawn from the generators.
        redone: Batches that were made again, because the worker that made them has died.
        workers: Of each worker in another process that made batches, by its lane in the timeline,
            for how long it did; `generator` is their sum.
        steps: Steps executed, in training, validation and prediction.
        calls: Calls of compiled functions that they took.
        xla_steps: Those of the steps that ran in loops which XLA compiled.
        traces: Functions that were traced, or compiled, for them; on JAX, one for each number of
            rows.
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
    callbacks: float = 0.0
    other: float = 0.0
    wall: float = 0.0
    queue_fill: float = 0.0
    batches: int = 0
    redone: int = 0
    workers: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    calls: int = 0
    xla_steps: int = 0
    traces: int = 0
    longest_wait: float = 0.0
    waiting: str | None = None
    fallback: str | None = None
    _waited: float = field(default=0.0, repr=False)  # how long the model has waited for a batch now
    _takes: int = field(default=0, repr=False)  # how often it asked for one
    _remedy: str = field(default="", repr=False)  # for a generator that limits, in words
    _timeline: Timeline = field(default_factory=Timeline, repr=False, compare=False)

    @property
    def timeline(self) -> list[Event]:
        """What was done with each of the last 100 batches, when, and on which thread.

        A list of named tuples (`source`, `batch`, `what`, `begin`, `end`, `lane`), which
        `pandas.DataFrame` takes as it is.
        """
        return self._timeline.events()

    @property
    def verdict(self) -> str:
        """One line that names what limited the speed."""
        if self.waiting is not None:
            return f"waiting for `{self.waiting}`: no batch for {self._waited:.0f} s"
        if not self.steps or not self.wall:
            return "no step was run"
        waited, hooks = self.model_waited / self.wall, self.callbacks / self.wall
        if hooks > max(waited, _NOTABLE):
            text = f"callbacks took {hooks:.0%} of the time; the model waited {waited:.0%} of it"
            return f"{text} for the generator".replace("%", " %")
        if waited > _NOTABLE:
            text = f"the model waited {waited:.0%} of the time for the generator{self._blamed()}"
            return text.replace("%", " %")
        stepping = self.step / self.wall
        return (
            f"the generator kept up: the model waited {waited:.0%} of the time for it, "
            f"and computed {stepping:.0%}"
        ).replace("%", " %")

    def _blamed(self) -> str:
        """What is said of a generator that limits: how busy its workers were, and what may help."""
        if not self.workers:
            return f": {self._remedy} may help" if self._remedy else ""
        busy = sum(self.workers.values()) / len(self.workers) / self.wall
        more = ": more may help" if busy > _BUSY else ""
        return f" (`workers` = {len(self.workers)}, busy for {busy:.0%} of it){more}"

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
            ("generator waited for room", self.generator_waited),
            ("model waited for data", self.model_waited),
            ("in training steps", self.step),
            ("in callbacks", self.callbacks),
            ("in everything else", self.other),
            ("whole call", self.wall),
        ]
        lines = [f"  {name:<26}{seconds:>9.2f} s" for name, seconds in rows]
        counts = f"{self.batches} batches drawn, {self.steps} steps"
        ready = f"{self.queue_fill:.1f} of {self.max_queue_size} batches ready on average"
        made = [f"{self.redone} batches made again"] if self.redone else []
        told = [*self._workers(), *made, *self._calls()]
        return "\n".join([f"{counts}, {ready}", *lines, *told, self.verdict])

    def _workers(self) -> list[str]:
        """How busy each was, where there are some."""
        if not self.workers or not self.wall:
            return []
        seconds = self.workers.values()
        low, high = (f"{amount / self.wall:.0%}" for amount in (min(seconds), max(seconds)))
        busy = low if low == high else f"{low} to {high}"
        return [f"Workers: {len(seconds)}, busy for {busy} of the time".replace("%", " %")]

    def _calls(self) -> list[str]:
        """Said only where it is news: several steps in a call, or why not."""
        if self.calls == self.steps and self.fallback is None:
            return []
        text = f"{self.steps} steps in {self.calls} calls"
        if self.xla_steps:
            text += f", {self.xla_steps} of them compiled by XLA"
        return [text + (f" (no {self.fallback})" if self.fallback else "")]
