"""What every loop works with, from the start of a call to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..agreement.agreement import Agreement
from ..checkpoint.checkpoint import Checkpoint
from ..errors import (
    AbandonedThreadWarning,
    CheckpointWarning,
    EndedEarlyWarning,
    Terminated,
    Warned,
)
from ..host.current_host import take_warnings
from ..host.interface import Host
from ..host.joined_threads import GRACE
from ..host.pacing import Pacing
from ..live.attended import Attended
from ..models.keras_versions import Keras3
from ..prefetch.prefetcher import Prefetcher
from ..reporting.meter import Meter
from ..reporting.progress import Progress
from .callbacks import Callbacks

# The same where the process is to end.
SHORT_GRACE = 0.5


@dataclass
class Notices:
    """What the caller has to be warned of at the end of the call."""

    first: list[Warned] = field(default_factory=list)  # before the first step
    early: dict[str, str] = field(default_factory=dict)  # what ended early, by its argument
    others: list[Warned] = field(default_factory=list)  # everything else: text and class
    stuck: list[str] = field(default_factory=list)  # names of threads that did not end


@dataclass
class RunContext:
    """What every loop works with."""

    keras_version: Keras3  # how the model is driven
    jit_compile: str | bool  # whether XLA compiles loops: "auto", True or False
    host: Host  # the hand-over to the calling thread
    callbacks: Callbacks
    progress: Progress  # what the user sees
    meter: Meter  # where the time goes
    scope: Callable[[], AbstractContextManager[None]]  # around what a thread of ours does
    prefetchers: list[Prefetcher] = field(default_factory=list)  # that of the training first
    pacing: Pacing = field(default_factory=Pacing)
    notices: Notices = field(default_factory=Notices)
    failure: BaseException | None = None  # what ended the training
    agreement: Agreement = field(default_factory=Agreement)  # with other processes

    @property
    def model(self) -> Any:
        """The Keras model."""
        return self.keras_version.model

    def shared(self) -> AbstractContextManager[None]:
        """Context manager: others may run the model, as a generator that predicts does."""
        return self.keras_version.backend.shared(self.model)

    @contextmanager
    def meeting(self) -> Iterator[None]:
        """Context manager: the loop runs together with those of the other processes."""
        with self.agreement.told():
            self.agreement.join(self.host.check, self.shut)
            yield

    def conclude(self) -> None:
        """The loop is over: wait until every source knows of the passes that have ended."""
        for prefetcher in self.prefetchers:
            prefetcher.conclude()

    def shut(self) -> None:
        """Stop every prefetcher; any thread may call it, more than once."""
        self.agreement.shut()
        for prefetcher in self.prefetchers:
            prefetcher.shut()

    def close(self) -> None:
        """Stop every prefetcher and wait for its threads, which have `GRACE` seconds to end."""
        self.shut()
        # Thread rule 11: nothing survives the call; what has not ended by then is told of.
        ends = isinstance(self.failure, Terminated)  # the process, too
        grace = SHORT_GRACE if ends else GRACE
        deadline = time.perf_counter() + grace
        joined = [prefetcher.join(deadline, grace) for prefetcher in self.prefetchers]
        self.notices.stuck = [name for names in joined for name in names if not ends]
        self.agreement.close()
        self.progress.close()
        waited, self.host.waited = self.host.waited, 0.0
        self.meter.add("model_waited", waited)
        self.meter.finish()
        for callback in self.callbacks.all:
            if isinstance(callback, Attended):
                self.notices.others += callback.close(self.meter.pipeline, self.failure)
        self.failure = None  # its traceback holds everything
        self.model._initial_epoch = None  # BackupAndRestore set it; a later `fit` must not obey

    def release(self) -> None:
        """Let go of what the call holds; for the calling thread, where its last code may run."""
        self.host.termination.restore()
        for callback in self.callbacks.all:
            if isinstance(callback, Checkpoint) and (text := callback.close()) is not None:
                self.notices.others.append((text, CheckpointWarning))
        for prefetcher in self.prefetchers:
            self.notices.others += prefetcher.source.warns
            prefetcher.release()
        self.notices.others += take_warnings(self.host)

    def all_warnings(self) -> list[Warned]:
        """What the caller has to be warned of."""
        notices = self.notices
        ended: list[Warned] = [(text, EndedEarlyWarning) for text in notices.early.values()]
        if notices.stuck:
            text = (
                f"A generator did not return within {GRACE:g} seconds after the end; its "
                f"thread ({', '.join(notices.stuck)}) was cut off and left behind."
            )
            ended.append((text, AbandonedThreadWarning))
        return [*notices.others, *ended]
