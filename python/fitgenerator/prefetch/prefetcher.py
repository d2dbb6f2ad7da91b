"""A bounded queue of batches, filled in the background, in order, that closes cleanly.

A feed is granted *rounds*: an epoch's batches, a validation's. It pulls exactly what was granted.
`Feed` is the training loop's side; how batches come into it is `PulledFeed`'s and `AskedFeed`'s.
"""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ..batches.prepared import Batch
from ..errors import ClosedError, ErrorContext, GeneratorTimeoutError, locate
from ..host.interface import Host
from ..host.signal_safe_queue import Inbox
from ..reporting.meter import Meter
from ..reporting.progress import Progress
from ..reporting.timeline import Span
from ..sources.source import Source
from .reordering import Assembler
from .schedule import END, Claims, Failure, Prepare, Pull, Round
from .thread_stacks import stack_of

# How long a wait on the calling thread lasts before it looks for an interrupt, in seconds.
SLICE = 0.05
# How long a generator in foreign code may take to return when the call ends, in seconds.
GRACE = 5.0

__all__ = ["END", "GRACE", "SLICE", "Feed", "Prepare", "Round"]


class Feed(ABC):
    """One source's batches, pulled and prepared ahead of their use.

    Args:
        source: Where the batches come from.
        capacity: Batches that may wait in the queue; 0 pulls each batch when it is taken.
        name: Which of the call's sources it is: "generator" or "validation_data".
        host: The hand-over to the calling thread.
        meter: Where the times are counted.
        scope: Makes the context that our threads run in.
        workers: Threads that read the source, where it can be read by several.
        timeout: Seconds to wait for one batch, `None` for ever.
        progress: Shows long waits.
        argument: What the caller gave the source as, for messages; `name` where it is empty.
    """

    def __init__(
        self,
        source: Source,
        *,
        capacity: int,
        name: str,
        host: Host,
        meter: Meter,
        scope: Callable[[], AbstractContextManager[Any]],
        workers: int = 1,
        timeout: float | None = None,
        progress: Progress | None = None,
        argument: str = "",
    ) -> None:
        self.source = source
        self.name = name
        self.argument = argument or name
        self.capacity = capacity
        self.taken = 0  # batches whose step has begun
        self.made = 0  # pulls ended
        self.quota = 0  # pulls after which nothing is more urgent than another source
        self._host = host
        self._meter = meter
        self._scope = scope
        self._timeout = timeout
        self._progress = progress
        self._workers = min(workers, max(1, capacity)) if source.parallel else 1
        self._reader = source.open()
        self._claims = Claims(self._reader, capacity + 1, self._rest)
        self._assembler = Assembler()
        self._primed: Any = None
        self._taken = 0  # batches taken
        self._closed = False
        self._started = False
        self._threads: list[threading.Thread] = []
        self._exited = Inbox()  # of threads

    @property
    def drawn(self) -> int:
        """Pulls begun."""
        return self._claims.drawn

    # -- the training loop's side ---------------------------------------------------------------

    def grant(self, round_: Round, times: int = 1) -> None:
        """Allow `times` more rounds to be pulled, for epochs that follow one another."""
        self._claims.grant(round_, times)

    @property
    @abstractmethod
    def needs_pulls(self) -> bool:
        """Pulls for it come before those of another feed."""

    def start(self) -> None:
        """Start the feeder threads; at capacity 0 there are none."""
        if self.capacity == 0 or self._started:
            return
        self._started = True
        for _ in range(self._workers):
            self._spawn(self._work)

    def _spawn(self, work: Callable[[], Any]) -> None:
        """Start a thread that does `work`; to be called by one thread."""
        name = f"fitgenerator-feeder-{self.name}-{len(self._threads)}"
        thread = threading.Thread(target=self._run_thread, args=(work,), name=name, daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread left: there is nothing to join
            self._threads.remove(thread)
            raise

    def _reap(self, seconds: float = 0.0) -> bool:
        """Join a thread that has ended, where one does within so many seconds."""
        try:
            thread: threading.Thread = self._exited.get(seconds)
        except queue.Empty:
            return False
        self._threads.remove(thread)  # at once: an interrupted join is called again
        thread.join()
        return True

    def prime(self) -> Any:
        """Pull the first batch here, before the feeders run; it stays first in the queue."""
        if self.capacity:
            self._claims.take_room()
            self._pull_first()
        self._primed = self._receive(time.perf_counter())
        if isinstance(self._primed, Failure):
            raise self._primed.error
        return self._primed

    def take(self) -> Any:
        """What the next call takes, or `END`; raises what the generator raised in its place.

        Raises:
            GeneratorTimeoutError: None came within `timeout` seconds.
            ClosedError: The feed was closed.
        """
        call, self._primed = self._primed, None
        if call is None:
            begun = time.perf_counter()
            call = self._receive(begun)
            thread = threading.get_ident()
            span = (begun, time.perf_counter(), thread)
            self._meter.waited((self.name, self._taken + 1), span)
        if isinstance(call, Failure):
            raise call.error
        if call is END:
            if self.capacity:
                self._claims.free()
        else:
            self._taken += call.count if isinstance(call, Batch) else 1
        return call

    def _receive(self, begun: float) -> Any:
        self._meter.saw_queue(self._assembler.waiting)
        asked = False
        while True:
            self._host.check()
            if self._closed:
                raise ClosedError
            if self.capacity == 0 and self._assembler.waiting == 0 and not asked:
                asked = True
                self._pull_one()
            try:
                call = self._assembler.take(SLICE)
            except queue.Empty:
                self._keep_waiting(time.perf_counter() - begun)
                continue
            if call is None:
                raise ClosedError
            self._meter.came(time.perf_counter() - begun)
            return call

    def _keep_waiting(self, seconds: float) -> None:
        """No batch came so far: tell of it, or give up."""
        self._meter.waits(self.argument, seconds)
        if self._progress is not None:
            self._progress.waits(self.argument, seconds)
        if self._timeout is not None and seconds > self._timeout:
            self._give_up()

    def _give_up(self) -> None:
        """The generator takes too long. Raises, or makes sure that what is waited for comes."""
        raise self.timed_out(stack_of(self._threads))

    @property
    def _awaited(self) -> int:
        """The number of the batch that is waited for."""
        return self._taken + 1

    def timed_out(self, stack: str) -> GeneratorTimeoutError:
        """The error for a batch that takes too long; `stack` is where its generator stands."""
        text = (
            f"`{self.argument}` gave no batch {self._awaited} within {self._timeout:g} seconds "
            "(`timeout`)."
        )
        where = ErrorContext(self.argument, self._awaited, "made")
        return GeneratorTimeoutError.at(stack, text, where)

    def begin(self, batches: int = 1) -> None:
        """A call that uses so many batches begins: their slots are free."""
        self.taken += batches
        if self.capacity:
            self._claims.free(batches)

    def shut(self) -> None:
        """Let nobody wait on this feed any more; any thread may call it, more than once."""
        self._closed = True
        self._assembler.close()
        self._claims.close(self._workers)

    def join(self, deadline: float) -> list[str]:
        """Wait until the feeders have ended; the names of those that have not by `deadline`.

        `shut` comes first. Thread.join is not used for the wait: an interrupt in it makes Python
        3.11 take a living thread for a stopped one. A feeder that asks the calling thread always
        gets an answer, so it is waited for however long the calling thread takes.
        """
        while self._threads:
            if self._reap(SLICE):
                continue
            asks = self.source.hosted or self.source.asks
            if time.perf_counter() > deadline and not asks:
                self._assembler.clear()
                return sorted(t.name for t in self._threads)
        self._assembler.clear()
        return []

    # -- how batches come in --------------------------------------------------------------------

    @abstractmethod
    def _pull_one(self) -> None:
        """Have one batch pulled, for a slot that was taken; the loop waits for it."""

    @abstractmethod
    def _pull_first(self) -> None:
        """The same, before the threads run."""

    @abstractmethod
    def _work(self) -> None:
        """What a thread of this feed does."""

    @abstractmethod
    def _rest(self) -> None:
        """Nothing may be pulled for now."""

    def _run_thread(self, work: Callable[[], Any]) -> None:
        try:
            self._meter.enter()
            with self._scope():
                work()
        except BaseException as error:  # not the source's, which is in place of its batch
            self._assembler.fail(Failure(error))
        finally:
            self._rest()  # also after a failure: another source may be served now
            self._exited.put(threading.current_thread())

    def _hand_on(self, pull: Pull, item: Any) -> None:
        """Put a batch, or what came in its place, into the queue."""
        try:
            self._assembler.add(pull.ticket, item)
        except BaseException as error:  # too large to be put together
            self._assembler.fail(self._failed(error, pull))

    def _prepared(self, pull: Pull, raw: Any, came: Span) -> Any:
        """The batch of what was pulled in the span `came`, or the failure of making it."""
        begun = time.perf_counter()
        try:
            item = pull.prepare(raw)
            ticket = pull.ticket
            if isinstance(item, Batch) and ticket.grouping.alone(ticket.position, item):
                item = item.ready()  # here, where readers work side by side
            return item
        except BaseException as error:
            return self._failed(error, pull)
        finally:
            converted = (begun, time.perf_counter(), threading.get_ident())
            self._meter.made((self.name, pull.ticket.number), came, converted)

    def _failed(self, error: BaseException, pull: Pull) -> Failure:
        self._claims.stop()  # other readers of this source stop too
        locate(error, ErrorContext(self.argument, pull.ticket.number, "made"))
        return Failure(error)
