"""A bounded queue of batches, filled in the background, in order, that closes cleanly.

A feed is granted *rounds*: an epoch's batches, a validation's. It pulls exactly what was granted.
Slots bound its lead: one is taken before each pull and given back, by `begin`, when the step that
uses the batch begins. Both queues are `SimpleQueue`s, whose operations an interrupt cannot tear.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from .errors import ClosedError, GeneratorTimeoutError, add_note
from .host import Host
from .pipeline import Pipeline
from .sources import Claim, Source

# How long a wait on the calling thread lasts before it looks for an interrupt, in seconds.
SLICE = 0.05
# How long a generator in foreign code may take to return when the call ends, in seconds.
GRACE = 5.0


class _End:
    def __repr__(self) -> str:
        return "END"


END = _End()  # the round is over: its source has no more batches
_CLOSE = None  # wakes a thread that waits on a queue of a closed feed


Prepare = Callable[[Any], Any]
Item = Any


@dataclass(frozen=True)
class Round:
    """Batches that may be pulled: `count` of them, or all of one pass where it is `None`.

    `prepare`, where given, takes the place of the feed's own.
    """

    count: int | None
    fresh: bool = False
    wrap: bool = False
    prepare: Prepare | None = None


@dataclass(frozen=True)
class _Failure:
    error: BaseException


class Feed:
    """One source's batches, pulled and prepared ahead of their use.

    Args:
        source: Where the batches come from.
        prepare: Makes what the model's step needs of a raw batch; runs on the feeder.
        capacity: Batches that may wait in the queue; 0 pulls each batch when it is taken.
        name: The argument that the source was given as, for messages.
        host: The hand-over to the calling thread.
        meter: Where the times are counted.
        scope: Makes the context that our threads run in.
        workers: Threads that read the source, where it can be read by several.
        timeout: Seconds to wait for one batch, `None` for ever.
    """

    def __init__(
        self,
        source: Source,
        prepare: Prepare,
        *,
        capacity: int,
        name: str,
        host: Host,
        meter: Pipeline,
        scope: Callable[[], AbstractContextManager[Any]],
        workers: int = 1,
        timeout: float | None = None,
    ) -> None:
        self.source = source
        self.name = name
        self.capacity = capacity
        self.taken = 0  # batches whose step has begun
        self.drawn = 0  # pulls begun
        self.made = 0  # pulls ended
        self.quota = 0  # pulls after which nothing is more urgent than another source
        self.waiting = False  # the feeder has nothing that it may pull now
        self._prepare = prepare
        self._host = host
        self._meter = meter
        self._scope = scope
        self._timeout = timeout
        self._count = min(workers, max(1, capacity)) if source.parallel else 1
        self.reader = source.open(host)
        self._claiming = threading.Lock()  # held while a round is waited for
        self._counting = threading.Lock()
        self._failed = False
        self._prepare_now = prepare  # the current round's
        self._round: Round | None = None
        self._left: int | None = 0
        self._rounds: queue.SimpleQueue[Round | None] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[bool | None] = queue.SimpleQueue()
        self._items: queue.SimpleQueue[tuple[int, Item] | None] = queue.SimpleQueue()
        self._early: dict[int, Item] = {}
        self._next = 0
        self._sequence = 0
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._exited: queue.SimpleQueue[threading.Thread] = queue.SimpleQueue()
        for _ in range(capacity + 1):
            self._room.put(True)

    # -- the training loop's side ---------------------------------------------------------------

    def grant(self, round_: Round, times: int = 1) -> None:
        """Allow `times` more rounds to be pulled."""
        for _ in range(times):
            self._rounds.put(round_)

    def yields_to(self, other: Feed) -> None:
        """Have pulls on the calling thread served only while `other` needs none."""
        self.reader.may_pull = lambda: (
            other.capacity == 0 or other.waiting or other.made >= other.quota
        )

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
            self._room.get()
            self._pull()
        item = self._receive(time.perf_counter())
        if isinstance(item, _Failure):
            raise item.error
        self._early[self._next] = item
        return item

    def take(self) -> Any:
        """The next batch, or `END`; raises what the generator raised in its place.

        Raises:
            GeneratorTimeoutError: None came within `timeout` seconds.
            ClosedError: The feed was closed.
        """
        item = self._early.pop(self._next, None)
        if item is None:
            begun = time.perf_counter()
            item = self._receive(begun)
            self._meter.add("model_waited", time.perf_counter() - begun)
        self._next += 1
        if isinstance(item, _Failure):
            raise item.error
        if item is END and self.capacity:
            self._room.put(True)
        return item

    def _receive(self, begun: float) -> Item:
        self._meter.saw_queue(self._items.qsize() + len(self._early))
        while True:
            self._host.check()
            if self._closed:
                raise ClosedError
            if self.capacity == 0 and self._items.empty():
                self._pull_in_step()
            try:
                entry = self._items.get(timeout=SLICE)
            except queue.Empty:
                self._check_timeout(begun)
                continue
            if entry is None:
                raise ClosedError
            sequence, item = entry
            if sequence == self._next:
                return item
            self._early[sequence] = item

    def _pull_in_step(self) -> None:
        if self.source.hosted:  # asks the calling thread by itself
            self._pull()
        else:
            self._host.call(self._pull)

    def _check_timeout(self, begun: float) -> None:
        if self._timeout is not None and time.perf_counter() - begun > self._timeout:
            raise GeneratorTimeoutError(
                f"`{self.name}` gave no batch {self._next + 1} within {self._timeout:g} seconds "
                "(`timeout`)."
            )

    def begin(self) -> None:
        """A step that uses one batch begins: its slot is free."""
        self.taken += 1
        if self.capacity:
            self._room.put(True)

    def shut(self) -> None:
        """Let nobody wait on this feed any more; any thread may call it, more than once."""
        self._closed = True
        self._items.put(_CLOSE)
        for _ in range(self._count):
            self._room.put(_CLOSE)
            self._rounds.put(_CLOSE)

    def join(self, deadline: float) -> list[str]:
        """Wait until the feeders have ended; the names of those that have not by `deadline`.

        `shut` comes first. Thread.join is not used for the wait: an interrupt in it makes Python
        3.11 take a living thread for a stopped one. A feeder that asks the calling thread always
        gets an answer, so it is waited for however long the calling thread takes.
        """
        while self._threads:
            try:
                thread = self._exited.get(timeout=SLICE)
            except queue.Empty:
                if time.perf_counter() > deadline and not self.source.hosted:
                    self._drop_items()
                    return sorted(t.name for t in self._threads)
                continue
            self._threads.remove(thread)  # at once: an interrupted join is called again
            thread.join()
        self._drop_items()
        return []

    def _drop_items(self) -> None:
        """Let go of what was pulled and not used: an error's traceback may keep this feed."""
        self._early.clear()
        while not self._items.empty():
            self._items.get()

    # -- the feeders' side ----------------------------------------------------------------------

    def _work(self) -> None:
        try:
            with self._scope():
                while self._take_room() and self._pull():
                    pass
        finally:
            self._rest()  # also after a failure: another source may be served now
            self._exited.put(threading.current_thread())

    def _take_room(self) -> bool:
        try:
            return self._room.get_nowait() is not _CLOSE
        except queue.Empty:
            pass
        begun = time.perf_counter()
        self._rest()
        room = self._room.get()
        if self.name == "generator":
            self._meter.add("generator_waited", time.perf_counter() - begun)
        return room is not _CLOSE

    def _rest(self) -> None:
        self.waiting = True
        self._host.wake()

    def _pull(self) -> bool:
        """Pull one batch and queue it; False where no more will be pulled."""
        with self._claiming:
            claim = self._claim()
            if claim is None:
                return False
            sequence, number, prepare = self._sequence, self.drawn, self._prepare_now
            self._sequence += 1
        item = self._fetch(claim, number, prepare)
        self._items.put((sequence, item))
        return not isinstance(item, _Failure)

    def _claim(self) -> Claim | None:
        try:
            if self._closed or self._failed or not self._next_round():
                return None
            self.waiting = False
            claim = self.reader.claim()
        except StopIteration:
            self._end_round()
            return lambda: END
        except BaseException as error:  # a source's own hook failed
            failure = _Failure(error)
            return lambda: failure
        self.drawn += 1
        if self._left is not None:
            self._left -= 1
        return claim

    def _end_round(self) -> None:
        """The source has ended: a counted round takes what was granted behind it along."""
        self._left = 0
        if self._round is None or self._round.count is None:
            return
        while not self._rounds.empty():
            if self._rounds.get() is _CLOSE:
                self._rounds.put(_CLOSE)
                return

    def _next_round(self) -> bool:
        while self._left == 0:
            if self._rounds.empty():
                self._rest()
            round_ = self._rounds.get()
            if round_ is None:
                return False
            self._round, self._left = round_, round_.count
            self._prepare_now = round_.prepare or self._prepare
            self.reader.begin(fresh=round_.fresh, wrap=round_.wrap)
        return True

    def _count_made(self) -> None:
        with self._counting:
            self.made += 1
            complete = self.made == self.quota
        if complete:
            self._host.wake()

    def _fetch(self, claim: Claim, number: int, prepare: Prepare) -> Item:
        begun = time.perf_counter()
        try:
            with self._host.user_code():
                raw = claim()
            if raw is END or isinstance(raw, _Failure):
                return raw
        except StopIteration:
            self._end_round()
            return END
        except BaseException as error:
            return self._fail(error, number)
        spent = time.perf_counter() - begun
        self._count_made()
        self._meter.add("generator", spent if self.reader.spent is None else self.reader.spent)
        self._meter.add("batches", 1)
        try:
            with self._meter.timed("conversion"):
                return prepare(raw)
        except BaseException as error:
            return self._fail(error, number)

    def _fail(self, error: BaseException, number: int) -> _Failure:
        self._failed = True  # other readers of this source stop too
        if not isinstance(error, ClosedError):
            add_note(error, f"While batch {number} of `{self.name}` was made.")
        return _Failure(error)
