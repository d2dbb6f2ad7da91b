"""A bounded queue of batches, filled in the background, in order, that closes cleanly.

A feed is granted *rounds*: an epoch's batches, a validation's. It pulls exactly what was granted.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from .assembly import Assembler
from .claims import END, Claims, Failure, Prepare, Pull, Round
from .errors import ClosedError, GeneratorTimeoutError, add_note
from .host import Host, Line
from .inbox import Inbox
from .pace import Pace
from .pipeline import Pipeline
from .sources import Source
from .tensors import Batch

# How long a wait on the calling thread lasts before it looks for an interrupt, in seconds.
SLICE = 0.05
# How long a generator in foreign code may take to return when the call ends, in seconds.
GRACE = 5.0

__all__ = ["END", "GRACE", "SLICE", "Feed", "Prepare", "Round"]


class Feed:
    """One source's batches, pulled and prepared ahead of their use.

    Args:
        source: Where the batches come from.
        capacity: Batches that may wait in the queue; 0 pulls each batch when it is taken.
        name: The argument that the source was given as, for messages.
        host: The hand-over to the calling thread.
        meter: Where the times are counted.
        scope: Makes the context that our threads run in.
        pace: When the calling thread may make a batch.
        workers: Threads that read the source, where it can be read by several.
        timeout: Seconds to wait for one batch, `None` for ever.
    """

    def __init__(
        self,
        source: Source,
        *,
        capacity: int,
        name: str,
        host: Host,
        meter: Pipeline,
        scope: Callable[[], AbstractContextManager[Any]],
        pace: Pace | None = None,
        workers: int = 1,
        timeout: float | None = None,
    ) -> None:
        self.source = source
        self.name = name
        self.capacity = capacity
        self.taken = 0  # batches whose step has begun
        self.made = 0  # pulls ended
        self.quota = 0  # pulls after which nothing is more urgent than another source
        self.waiting = False  # the feeder has nothing that it may pull now
        self._host = host
        self._meter = meter
        self._scope = scope
        self._timeout = timeout
        self._count = min(workers, max(1, capacity)) if source.parallel else 1
        self._pace = pace or Pace()
        self._other: Feed | None = None
        self.reader = source.open(host)
        self.reader.when(self._may_pull, training=True)
        self._claims = Claims(self.reader, capacity + 1, self._rest)
        self._assembler = Assembler()
        self._primed: Any = None
        self._taken = 0  # batches taken
        self._counting = threading.Lock()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._exited = Inbox()  # of threads

    @property
    def drawn(self) -> int:
        """Pulls begun."""
        return self._claims.drawn

    # -- the training loop's side ---------------------------------------------------------------

    def grant(self, round_: Round, times: int = 1) -> None:
        """Allow `times` more rounds to be pulled."""
        for _ in range(times):
            self._claims.grant(round_)

    def yields_to(self, other: Feed) -> None:
        """Have pulls on the calling thread served only while `other` needs none."""
        self._other = other
        self.reader.when(self._may_pull, training=False)

    @property
    def needs_pulls(self) -> bool:
        """Pulls for it come before those of another feed."""
        return self.capacity > 0 and not (self.waiting or self.made >= self.quota)

    def _may_pull(self, line: Line) -> bool:
        other = self._other
        if other is not None and other.needs_pulls:
            return False
        return self._pace.allows(line.seconds, line.pulled - self.taken)

    def start(self) -> None:
        """Start the feeder threads; at capacity 0 there are none."""
        if self.capacity == 0 or self._threads:
            return
        for number in range(self._count):
            name = f"fitgenerator-feeder-{self.name}-{number}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
            try:
                thread.start()
            except RuntimeError:  # the machine has no thread left: there is nothing to join
                self._threads.remove(thread)
                raise

    def prime(self) -> Any:
        """Pull the first batch here, before the feeders run; it stays first in the queue."""
        if self.capacity:
            self._claims.take_room()
            self._pull_one()
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
            self._meter.add("model_waited", time.perf_counter() - begun)
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
        while True:
            self._host.check()
            if self._closed:
                raise ClosedError
            if self.capacity == 0 and self._assembler.waiting == 0:
                self._pull_in_step()
            try:
                call = self._assembler.take(SLICE)
            except queue.Empty:
                self._check_timeout(begun)
                continue
            if call is None:
                raise ClosedError
            return call

    def _pull_in_step(self) -> None:
        if self.source.hosted:  # asks the calling thread by itself
            self._pull_one()
        else:
            self._host.call(self._pull_one)

    def _check_timeout(self, begun: float) -> None:
        if self._timeout is not None and time.perf_counter() - begun > self._timeout:
            raise GeneratorTimeoutError(
                f"`{self.name}` gave no batch {self._taken + 1} within {self._timeout:g} seconds "
                "(`timeout`)."
            )

    def begin(self, batches: int = 1) -> None:
        """A call that uses so many batches begins: their slots are free."""
        self.taken += batches
        if self.capacity:
            self._claims.free(batches)

    def shut(self) -> None:
        """Let nobody wait on this feed any more; any thread may call it, more than once."""
        self._closed = True
        self._assembler.close()
        self._claims.close(self._count)

    def join(self, deadline: float) -> list[str]:
        """Wait until the feeders have ended; the names of those that have not by `deadline`.

        `shut` comes first. Thread.join is not used for the wait: an interrupt in it makes Python
        3.11 take a living thread for a stopped one. A feeder that asks the calling thread always
        gets an answer, so it is waited for however long the calling thread takes.
        """
        while self._threads:
            try:
                thread: threading.Thread = self._exited.get(SLICE)
            except queue.Empty:
                if time.perf_counter() > deadline and not self.source.hosted:
                    self._assembler.clear()
                    return sorted(t.name for t in self._threads)
                continue
            self._threads.remove(thread)  # at once: an interrupted join is called again
            thread.join()
        self._assembler.clear()
        return []

    # -- the feeders' side ----------------------------------------------------------------------

    def _work(self) -> None:
        claimed: deque[Pull] = deque()
        try:
            with self._scope():
                while self._claim_into(claimed) and self._finish(claimed.popleft(), claimed):
                    pass
        finally:
            self._rest()  # also after a failure: another source may be served now
            self._exited.put(threading.current_thread())

    def _claim_into(self, claimed: deque[Pull]) -> bool:
        """Claim the next pull; of what the calling thread makes, all that may be pulled now.

        Then it makes one while we convert another, and several in one go.
        """
        if not claimed:
            if not self._take_room():
                return False
            self.waiting = False
            pull = self._claims.next()
            if pull is None:
                return False
            claimed.append(pull)
        while self.source.hosted and (pull := self._claims.next_now()) is not None:
            claimed.append(pull)
        return True

    def _take_room(self) -> bool:
        begun = None

        def wait() -> None:
            nonlocal begun
            begun = time.perf_counter()
            self._rest()

        open_ = self._claims.take_room(wait)
        if begun is not None and self.name == "generator":
            self._meter.add("generator_waited", time.perf_counter() - begun)
        return open_

    def _rest(self) -> None:
        self.waiting = True
        self._host.wake()

    def _pull_one(self) -> None:
        pull = self._claims.next()
        if pull is not None:
            self._finish(pull, deque(), self._host.user_code)

    def _finish(
        self,
        pull: Pull,
        later: deque[Pull],
        around: Callable[[], AbstractContextManager[None]] | None = None,
    ) -> bool:
        """Fetch one batch, `around` it, and hand it on; False where no more will be pulled."""
        item = self._fetch(pull, around)
        if item is END or isinstance(item, Failure):
            self._claims.give_back(list(later))
            later.clear()
        try:
            self._assembler.add(pull.ticket, item)
        except BaseException as error:  # too large to be put together
            item = self._fail(error, pull)
            self._assembler.fail(item)
        return not isinstance(item, Failure)

    def _fetch(self, pull: Pull, around: Callable[[], AbstractContextManager[None]] | None) -> Any:
        begun = time.perf_counter()
        try:
            if around is None:
                raw = pull.fetch()
            else:
                with around():
                    raw = pull.fetch()
            if raw is END:
                return raw
            if isinstance(raw, Failure):
                self._claims.stop()
                return raw
        except StopIteration:
            self._claims.end_round()
            return END
        except BaseException as error:
            return self._fail(error, pull)
        now = time.perf_counter()
        self._count_made()
        spent = now - begun if self.reader.spent is None else self.reader.spent
        try:
            item = pull.prepare(raw)
            if pull.ticket.grouping.most == 1 and isinstance(item, Batch):
                item = item.ready()  # here, where readers work side by side
            return item
        except BaseException as error:
            return self._fail(error, pull)
        finally:
            self._meter.made(spent, time.perf_counter() - now)

    def _count_made(self) -> None:
        with self._counting:
            self.made += 1
            complete = self.made == self.quota
        if complete:
            self._host.wake()

    def _fail(self, error: BaseException, pull: Pull) -> Failure:
        self._claims.stop()  # other readers of this source stop too
        if not isinstance(error, ClosedError):
            add_note(error, f"While batch {pull.ticket.number} of `{self.name}` was made.")
        return Failure(error)
