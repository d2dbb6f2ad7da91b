"""A bounded queue of batches, filled in the background, in order, that closes cleanly.

`Prefetcher` is what both kinds share; `by_threads` and `by_request` differ in who reads the source.
"""

from __future__ import annotations

import queue
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

from ..batches.prepared import Batch
from ..errors import ClosedError, ErrorContext, GeneratorTimeoutError, locate
from ..host.interface import Host
from ..host.joined_threads import GRACE, JoinedThreads
from ..host.signal_safe_queue import SLICE, ClosableQueue
from ..reporting.meter import Meter
from ..reporting.progress import Progress
from ..sources.on_request import ContinuingReader
from ..sources.source import Source, is_dataset
from .fetch import Fetch
from .reordering import Reordering
from .schedule import Schedule


@dataclass(frozen=True)
class Setup:
    """What a prefetcher is set up with."""

    capacity: int  # batches that may wait; 0 is lock-step: each is fetched when it is taken
    name: str  # which of the call's sources it reads: "generator" or "validation_data"
    argument: str  # what the caller gave the source as, for messages
    host: Host
    meter: Meter
    scope: Callable[[], AbstractContextManager[None]]  # the context of our threads
    progress: Progress  # shows long waits
    trains: bool = False  # the next training goes on after its batches
    workers: int = 1  # threads that read the source, where it can be read by several
    timeout: float | None = None  # seconds to wait for one batch


class Prefetcher(ABC):
    """One source's batches, fetched and prepared ahead of their use, as far as was granted."""

    def __init__(self, source: Source, setup: Setup) -> None:
        self.source, self.function = source, source.function
        self.setup = setup
        self.used = 0  # batches whose step has begun
        self.forgotten = 0  # batches that no step has used
        self.urgent_until = 0  # so many batches come before those of another source
        reader = (source.train or source.open)() if setup.trains else source.open()
        self.schedule = Schedule(reader, self._rest, leaves_out=source.leaves_out)
        self._reordering = Reordering()
        self._queues: list[ClosableQueue[Any]] = [self._reordering.calls]
        self._primed: list[Batch | None] = []
        self._threads = JoinedThreads()
        self._spare = 0  # threads that fetch while as many others prepare a batch
        self._resting = False  # nothing may be fetched now
        self._due = 0.0  # a wait of so many seconds is not too long
        self._tells = False  # the source is being told that a pass has ended
        self._between = ErrorContext(setup.argument)  # where hooks are called that know of passes

    @property
    def is_urgent(self) -> bool:
        """Fetches for it come before those of another source."""
        behind = self._reordering.added < self.urgent_until
        return self.setup.capacity > 0 and behind and not self._resting

    def start(self) -> None:
        """Fetch ahead from now on; in lock-step there is nothing to start."""
        if self.setup.capacity:
            self._start_threads()
            # Thread rule 6: bounded lead. The batches in the queue, and one that is being fetched.
            self._permit(self.setup.capacity + 1 - len(self._primed))

    def prime(self) -> Batch | None:
        """Fetch the first call, and nothing else; `take` gives it again."""
        self._primed.append(self._receive(model_waits=False))
        return self._primed[0]

    def reopen(self) -> bool:
        """Forget the call of `prime`, where the training begins with another one; else False."""
        if self.source.train is None:
            return False
        self.schedule.reader.wait()
        self.schedule.reopen(self.source.train())
        self._reordering.added = self._reordering.taken = 0
        self.forgotten += len(self._primed)
        self._primed.clear()
        return True

    def take(self) -> Batch | None:
        """What the next call of the model takes, `None` where the source has ended.

        Raises what was raised in its place, a `GeneratorTimeoutError`, or, closed, `ClosedError`.
        """
        call = self._primed.pop() if self._primed else self._receive(model_waits=True)
        if call is None and self.setup.capacity:
            self._permit()
        return call

    def _receive(self, *, model_waits: bool) -> Batch | None:
        setup, begun = self.setup, time.perf_counter()
        waited, ready = setup.host.waited, self._reordering.added - self._reordering.taken
        setup.host.check()
        if setup.capacity == 0 or not model_waits:
            self._permit()
        while True:
            try:
                # Thread rule 2: a wait on the calling thread ends, so that interrupts are taken.
                call = self._reordering.take(SLICE)
                break
            except queue.Empty:
                self._keep_waiting(begun)
                setup.host.termination.check()
        setup.host.waited = waited  # in lock-step, a part of this wait
        setup.meter.took(ready, begun, (setup.name, self.used + 1))
        if isinstance(call, BaseException):
            raise call
        return call

    def _keep_waiting(self, begun: float) -> None:
        """Nothing came so far, since `begun`: tell of it, or give up; take an interrupt."""
        setup, waited = self.setup, time.perf_counter() - begun
        setup.meter.waits(setup.argument, waited)
        setup.progress.waits(setup.argument, waited)
        if setup.timeout is not None and waited > max(setup.timeout, self._due):
            setup.host.stop_late(self, self._threads.alive)
            self._due = waited + 1.0  # the error of the function that was stopped is on its way
        setup.host.check()

    def timed_out(self, stack: str) -> GeneratorTimeoutError:
        """The error for a batch that takes too long; `stack` is where its generator stands."""
        setup, batch = self.setup, None if self._tells else self._reordering.added + 1
        stack = stack if (where := self.schedule.reader.where()) is None else where
        return GeneratorTimeoutError.of_batch(setup.argument, batch, setup.timeout, stack)

    def begin(self, batches: int = 1) -> None:
        """A call of the model begins that uses so many batches."""
        self.used += batches
        if self.setup.capacity:
            # Thread rule 6: here, not when the batches leave the queue. The next fetch on the
            # calling thread would otherwise begin just before a hook needs that thread.
            self._permit(batches)

    def conclude(self) -> None:
        """No batch is taken now: wait until the source knows of the passes that have ended.

        Raises what came of that.
        """
        begun, self._tells = time.perf_counter(), True
        while not self._ended(SLICE):
            if self._reordering.calls.closed:
                raise ClosedError
            self._keep_waiting(begun)
        self._tells = False

    def _ended(self, seconds: float) -> bool:
        """Whether the source knows; waits for so long."""
        try:
            return self.schedule.reader.ended(seconds, self.used)
        except BaseException as error:
            locate(error, self._between)
            raise

    def leave(self) -> None:
        """The training is over: the next one goes on after the batches that were used."""
        self.schedule.reader.leave(self.used)

    def shut(self) -> None:
        """Let nobody wait on this prefetcher any more; any thread may call it, more than once."""
        for queue_ in self._queues:
            queue_.close()
        self.schedule.close()
        self.schedule.reader.close()

    def join(self, deadline: float, grace: float = GRACE) -> list[str]:
        """After `shut`, wait for the threads; the names of those that run on after `deadline`.

        A thread that asked the calling thread has so many seconds (`grace`) after the answer.
        """
        hosted, asked = self.source.hosted, self.setup.host.is_asked_by
        left = self._threads.join(deadline, grace, lambda: hosted or asked(self._threads.alive))
        self._reordering.clear()
        for queue_ in self._queues:
            queue_.clear()  # which holds batches, for as long as this object lives
        self.setup.meter.add("redone", self.schedule.reader.redone)
        if is_dataset(self.source.identity):
            # Its threads may ask the calling thread, which answers now, until its iterator is gone.
            self.schedule.reader = ContinuingReader()
        return left

    def release(self) -> None:
        """Let go of what the user gave, which must not live as long as a cycle of ours does."""
        self.source, self.function = Source(ContinuingReader, None), None
        self.schedule.reader = ContinuingReader()

    def _permit(self, count: int = 1) -> None:
        self.schedule.permit(count)
        self._permitted()

    @abstractmethod
    def _permitted(self) -> None:
        """More may be fetched than before."""

    @abstractmethod
    def _work(self) -> None:
        """What a thread does until the prefetcher is closed."""

    def _rest(self) -> None:
        """Nothing may be fetched for now: another source may be served."""
        self._resting = True
        self.setup.host.wake()

    def _start_threads(self) -> None:
        workers = self.setup.workers + self._spare
        count = min(workers, self.setup.capacity) if self.source.parallel else 1
        for number in range(len(self._threads.alive), max(1, count)):
            self._threads.start(f"fitgenerator-feeder-{self.setup.name}-{number}", self._run)

    def _run(self) -> None:
        try:
            with suppress(ClosedError), self.setup.scope():
                self._work()
        except BaseException as error:  # not the source's, which is in the place of its batch
            self._reordering.calls.put(error)
        finally:
            self._rest()

    def _finish(self, fetch: Fetch) -> None:
        """Prepare what was read, if anything was, hand it on, and settle the claim."""
        claim, setup = fetch.claim, self.setup
        if claim is not None and fetch.outcome is None and not fetch.left_out:
            self._prepare(fetch)
        failed = isinstance(fetch.outcome, BaseException)
        if setup.capacity:
            self._hand_on(fetch)
        if claim is not None and claim.settle is not None:
            with setup.host.user_code():
                claim.settle(failed)
        if not setup.capacity:  # last: in lock-step, nothing runs in parallel with the step
            self._hand_on(fetch)

    def _prepare(self, fetch: Fetch) -> None:
        begun, setup, size = time.perf_counter(), self.setup, fetch.turn.round.call_size
        try:
            fetch.outcome = size.batch(fetch.turn.round.prepare, fetch.raw, fetch.position)
        except BaseException as error:
            self._fail(fetch, error)
        fetch.raw = None
        setup.meter.made((setup.name, fetch.number), fetch.span, begun, fetch.waited)

    def _fail(self, fetch: Fetch, error: BaseException, at: ErrorContext | None = None) -> None:
        """Let the error, of the batch itself or of the context `at`, come in its place."""
        self.schedule.close()  # other threads that read this source stop too
        locate(error, at or ErrorContext(self.setup.argument, fetch.number, "made"))
        fetch.outcome = error

    def _hand_on(self, fetch: Fetch) -> None:
        try:
            self._reordering.add(fetch)
        except BaseException as error:  # too large to be put together
            self._fail(fetch, error)
            self._reordering.calls.put(error)
