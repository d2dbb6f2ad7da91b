"""What the loops have in common: the course of a call, and the running of one round of steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from .callbacks import Callbacks, plain_logs
from .errors import AbandonedThreadWarning, EndedEarlyWarning
from .feed import END, GRACE, Feed
from .host import Host
from .pipeline import Pipeline
from .progress import Progress
from .step import Batch, Steps, joined


@dataclass
class Course:
    """What every loop works with.

    Attributes:
        model: The Keras model.
        steps: Its compiled steps.
        host: The hand-over to the calling thread.
        callbacks: The user's callbacks.
        progress: What the user sees.
        meter: Where the time goes.
        feeds: Every feed of the call.
        warnings: What ended early, for the end of the call.
        scope: Makes the caller's context on a thread of ours.
        stuck: Names of threads that did not end.
    """

    model: Any
    steps: Steps
    host: Host
    callbacks: Callbacks
    progress: Progress
    meter: Pipeline
    feeds: list[Feed]
    scope: Callable[[], AbstractContextManager[Any]]
    warnings: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    def shut(self) -> None:
        """Stop every feed; any thread may call it, more than once."""
        for feed in self.feeds:
            feed.shut()

    def close(self) -> None:
        """Stop every feed and wait for its threads, for `GRACE` seconds at most."""
        self.shut()
        deadline = time.perf_counter() + GRACE
        self.stuck = [name for feed in self.feeds for name in feed.join(deadline)]
        self.progress.close()
        waited, self.host.waited = self.host.waited, 0.0
        self.meter.add("model_waited", waited)
        self.meter.finish()
        self.model._initial_epoch = None  # BackupAndRestore set it; a later `fit` must not obey

    def all_warnings(self) -> list[tuple[str, type[UserWarning]]]:
        """What the caller has to be warned of: text and class."""
        ended: list[tuple[str, type[UserWarning]]] = [(w, EndedEarlyWarning) for w in self.warnings]
        if self.stuck:
            text = (
                f"A generator did not return within {GRACE:g} seconds after the end; its thread "
                f"({', '.join(self.stuck)}) was cut off and left behind."
            )
            ended.append((text, AbandonedThreadWarning))
        return ended


class Rounds:
    """Runs the steps of one round: an epoch's, an evaluation's, a prediction's."""

    def __init__(self, course: Course, mode: str) -> None:
        self.course = course
        self._mode = mode
        self._execution = int(getattr(course.model, "steps_per_execution", 1) or 1)
        self._stop = {"train": "stop_training", "test": "stop_evaluating"}.get(
            mode, "stop_predicting"
        )
        self._hooked = course.callbacks.has_batch_hooks(mode)

    def begin(self) -> Iterator[Any]:
        """The begin hook of the round's first step; ends the job that begins the round.

        A hook before it may have compiled the model anew.
        """
        self.course.steps.renew()
        if self._hooked:
            yield from self.course.callbacks.run(f"on_{self._mode}_batch_begin", 0, {})

    def run(
        self, feed: Feed, count: int | None, keep: Callable[[list[Any]], None] | None = None
    ) -> tuple[int, Any]:
        """Run up to `count` steps; how many were run, and what the last one returned.

        As in Keras, hooks and stops come between groups of `steps_per_execution` steps.
        """
        course, group, done = self.course, [None], 0
        while count is None or done < count:
            size = self._execution if count is None else min(self._execution, count - done)
            ran = self._run_group(feed, size)
            if not ran:
                break
            group, done = ran, done + len(ran)
            if keep is not None:
                keep(group)
            if self._hooked:
                between = lambda: self._between(done, group, done == count)  # noqa: B023, E731
                stop = course.host.call(between)
            else:
                stop = self._stopped()
            if self._mode != "predict":
                course.progress.step(done, count, lambda: plain_logs(group[-1]))  # noqa: B023
            if stop or len(group) < size:
                break
        return done, group[-1]

    def _stopped(self) -> bool:
        return bool(getattr(self.course.model, self._stop))

    def _run_group(self, feed: Feed, size: int) -> list[Any]:
        outputs: list[Any] = []
        while len(outputs) < size:
            batch = feed.take()
            if batch is END:
                break
            outputs.append(self._execute(feed, batch))
            self.course.host.check()
        return outputs

    def _execute(self, feed: Feed, batch: Batch) -> Any:
        course, steps = self.course, self.course.steps
        if steps.eager:
            feed.begin()
            begun = time.perf_counter()
            run = lambda: steps.run_eagerly(self._mode, batch.pack())  # noqa: E731
            outputs = course.host.call(run)
        else:
            function = steps.find(self._mode, batch)
            if function is None:
                function = course.host.call(lambda: steps.trace(self._mode, batch))
            feed.begin()
            begun = time.perf_counter()
            outputs = function(*batch.leaves)
        course.meter.add("step", time.perf_counter() - begun)
        course.meter.add("steps", 1)
        return outputs

    def _between(self, done: int, group: list[Any], last: bool) -> Generator[Any, None, bool]:
        """The end hooks of one group and the begin hooks of the next: one hand-over.

        True where an end hook stops the round; what a begin hook stops, stops behind its group. A
        group that is not full counts as a full one in its number. Both are as in Keras.
        """
        course = self.course
        upto = -(-done // self._execution) * self._execution
        if self._mode == "predict":
            logs = {"outputs": group[0] if len(group) == 1 else joined(group)}
        else:
            logs = plain_logs(group[-1])
        yield from course.callbacks.run(f"on_{self._mode}_batch_end", upto - 1, logs)
        stop = self._stopped()
        if not (last or stop):
            yield from course.callbacks.run(f"on_{self._mode}_batch_begin", upto, {})
        return stop
