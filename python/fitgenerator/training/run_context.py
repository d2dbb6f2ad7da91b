"""What every loop works with, from the start of a call to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from ..errors import AbandonedThreadWarning, EndedEarlyWarning, Warned
from ..host.interface import Host
from ..models.keras_versions import Keras3
from ..prefetch.pacing import Pace
from ..prefetch.prefetcher import GRACE, Feed
from ..reporting.meter import Meter
from ..reporting.progress import Progress
from ..steps.compiled_steps import Steps
from .callbacks import Callbacks


@dataclass
class Course:
    """What every loop works with.

    Attributes:
        model: The Keras model.
        keras_version: How it is driven.
        steps: Its compiled steps.
        host: The hand-over to the calling thread.
        callbacks: The user's callbacks.
        progress: What the user sees.
        meter: Where the time goes.
        feeds: Every feed of the call.
        warnings: What ended early, for the end of the call.
        doubts: What else the caller is to be warned of then: text and class.
        scope: Makes the caller's context on a thread of ours.
        jit_compile: Whether loops are compiled by XLA: "auto", True or False.
        pace: When the calling thread may make a batch beside hooks.
        stuck: Names of threads that did not end.
    """

    model: Any
    keras_version: Keras3
    steps: Steps
    host: Host
    callbacks: Callbacks
    progress: Progress
    meter: Meter
    feeds: list[Feed]
    scope: Callable[[], AbstractContextManager[Any]]
    jit_compile: Any = "auto"
    pace: Pace = field(default_factory=Pace)
    warnings: list[str] = field(default_factory=list)
    doubts: list[Warned] = field(default_factory=list)
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

    def all_warnings(self) -> list[Warned]:
        """What the caller has to be warned of."""
        ended: list[Warned] = [(text, EndedEarlyWarning) for text in self.warnings]
        if self.stuck:
            text = (
                f"A generator did not return within {GRACE:g} seconds after the end; its thread "
                f"({', '.join(self.stuck)}) was cut off and left behind."
            )
            ended.append((text, AbandonedThreadWarning))
        told = [warning for feed in self.feeds for warning in feed.source.take_warnings()]
        return [*self.doubts, *told, *ended]
