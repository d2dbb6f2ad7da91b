"""Workers in processes of ours that make batches: who makes which, and what is made again.

A thread that wants a batch waits for a worker that is free, asks it, and waits for the reply. A
worker that dies is replaced, and its batch is asked for again: it follows from its place alone.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from ..errors import ClosedError, WorkerError
from . import broken_pipes
from .makers import made_by
from .process import LentProcess, Process
from .site import Door
from .wire import Asked, LostError, Reply, Stream

# How long a worker that is interrupted may take to say where it stands, in seconds; and an idle one
# that is let go of, to end by itself.
_ANSWER = 1.0
_GOODBYE = 0.1


@dataclass(eq=False)
class Worker:
    """A place in the pool, and the process that has it now."""

    number: int  # from 1
    process: Process | LentProcess = field(init=False)
    token: bytes = b""
    connection: socket.socket | None = None  # once it has dialled in
    asked: Asked | None = None  # what it makes now
    lost: bool = False  # its process is over, or will be

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"worker {self.number} (process {self.process.pid})"

    @property
    def lent(self) -> bool:
        """Whether its process is not ours."""
        return isinstance(self.process, LentProcess)


@dataclass
class Turns:
    """Who gets the next worker that is free: a source of a lower number, else who came first."""

    free: list[Worker] = field(default_factory=list)
    waiting: list[tuple[int, int]] = field(default_factory=list)  # source, and turn
    _last: int = 0

    def take(
        self,
        source: int,
        changed: threading.Condition,
        over: Callable[[], bool],
        seconds: float | None,
    ) -> Worker | None:
        """Wait for a worker, with the lock of `changed` held; `None`: late, or all is `over`."""
        self._last += 1
        mine = (source, self._last)
        self.waiting.append(mine)
        try:
            there = changed.wait_for(
                lambda: over() or (self.free and min(self.waiting) == mine), seconds
            )
            return self.free.pop(0) if there and not over() else None
        finally:
            self.waiting.remove(mine)
            changed.notify_all()


@dataclass
class Deaths:
    """Workers that have died, and when these were too many: `failure` says how."""

    most: int | None  # without a batch in between; `None`: they are not replaced
    row: int = 0
    by_batch: Counter[tuple[int, int]] = field(default_factory=Counter)
    failure: str | None = None

    def add(self, worker: Worker, asked: Asked | None, error: LostError | None) -> None:
        """Count one, which made the batch `asked`."""
        self.row += 1
        if asked is not None:
            self.by_batch[asked[:2]] += 1
        too_many = self.most is not None and self.row >= self.most
        if self.failure is None and too_many:  # later ones are its consequences
            what = f"{self.row} worker processes have ended without a batch in between"
            if worker.connection is None:
                what = "The worker processes do not start"
            self.failure = f"{what}: the last one {_fate(worker.process, error)}"


class Pool:
    """`count` workers for one call; `fetch` is for any thread, and so is `close`."""

    def __init__(self, count: int, site: Door) -> None:
        self.count = count
        self.redone: Counter[int] = Counter()  # batches that were made again, by source
        self._site = site
        self._changed = threading.Condition()
        self._workers: list[Worker] = []
        self._past: list[Process | LentProcess] = []  # that were replaced
        self._turns = Turns()
        self._deaths = Deaths(count + 1 if site.patience is None else None)
        self._closed = False
        self._stands = ""  # where a worker that was interrupted stood

    def start(self) -> None:
        """Start the workers; they are waited for where a batch is wanted.

        Those of the user's are started elsewhere: each must `invite` one.

        Raises:
            WorkerError: They cannot be reached.
        """
        self._site.open()
        if self._site.patience is None:
            with self._changed:
                self._workers = [self._started(number + 1) for number in range(self.count)]

    def invite(self) -> str:
        """The token of one more worker, which somebody else starts."""
        with self._changed:
            self._workers.append(self._started(len(self._workers) + 1))
            return self._workers[-1].token.hex()

    def _started(self, number: int) -> Worker:
        worker = Worker(number)
        worker.process, worker.token = self._site.start(
            str(number), partial(self._connected, worker), lambda: self._ended(worker)
        )
        return worker

    def _connected(self, worker: Worker, connection: socket.socket, process: int) -> None:
        with self._changed:
            worker.connection = connection
            if self._closed or worker.lost:
                connection.close()
                return
            self._turns.free.append(worker)
            self._changed.notify_all()

    # -- one batch ----------------------------------------------------------------------------

    def fetch(self, asked: Asked) -> Reply:
        """What came of one batch; sources of a lower number come first.

        Raises:
            ClosedError: The call is over.
            WorkerError: Too many workers have died.
        """
        while True:
            with self._changed:
                patience = self._site.patience
                if patience is not None and self._has_live():
                    patience = None
                worker = self._turns.take(asked.source, self._changed, self._over, patience)
                self._check()
                if worker is None:
                    self._miss()
                    continue
                worker.asked = asked
            try:
                return self._ask(worker, asked)
            except LostError as error:
                self._bury(worker, asked, error)

    def _has_live(self) -> bool:
        return any(each.connection is not None and not each.lost for each in self._workers)

    def _miss(self) -> None:
        """No worker has come in time."""
        if not self._has_live():
            self._deaths.failure = no_answer(self._site)
            self._changed.notify_all()

    def _over(self) -> bool:
        return self._closed or self._deaths.failure is not None

    def _check(self) -> None:
        if self._closed:
            raise ClosedError
        if self._deaths.failure is not None:
            raise WorkerError(self._deaths.failure)

    def _ask(self, worker: Worker, asked: Asked) -> Reply:
        assert worker.connection is not None
        begun = time.perf_counter()
        broken_pipes.block()
        try:
            worker.connection.sendall(asked.packed())
        except OSError as error:
            raise LostError(str(error)) from error
        reply = Stream(worker.connection).reply()
        made_by(worker.number, begun)
        with self._changed:
            if reply.stands is not None:
                self._stands = f"{worker.name}:\n{reply.stands}"
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed)  # the call fails: this took too long
            if self._closed:
                raise ClosedError
            worker.asked, self._deaths.row = None, 0
            self._turns.free.append(worker)
            self._changed.notify_all()
        return reply

    # -- workers that die ---------------------------------------------------------------------

    def _ended(self, worker: Worker) -> None:
        """A process has ended, which nobody may have noticed: on its thread."""
        with self._changed:
            idle = worker.asked is None
        if idle:
            self._bury(worker, None, None)

    def _bury(self, worker: Worker, asked: Asked | None, error: LostError | None) -> None:
        """Replace a worker whose process is over, or is no good; `asked` for what it had."""
        if error is not None:  # by itself, it may need a moment to die
            worker.process.over.wait(_ANSWER)
        worker.process.kill()
        with self._changed:
            if not self._closed and not worker.lost:
                worker.lost = True
                self._deaths.add(worker, asked, error)
                self._replace(worker)
            self._changed.notify_all()
            if asked is None:
                return
            self._check()
            if self._deaths.by_batch[asked[:2]] > 1:
                what = f"Batch {asked.number}" if asked.image is None else "An image"
                raise WorkerError(
                    f"{what} has ended two worker processes: the last one "
                    f"{_fate(worker.process, error)}"
                )
            self.redone[asked.source] += 1

    def _replace(self, worker: Worker) -> None:
        """Start another worker in the place of one that has died, if there were not too many.

        One of the user's is done without.
        """
        self._site.forget(worker.token)
        if worker.connection is not None:
            worker.connection.close()
        if worker in self._turns.free:
            self._turns.free.remove(worker)
        if worker.lent:
            if all(each.lost for each in self._workers):
                count = len(self._workers)
                self._deaths.failure = (
                    f"None of {count} workers is left: the last one, {worker.name}, "
                    f"{_fate(worker.process, None)}"
                )
        elif self._deaths.failure is None:
            self._past = [each for each in self._past if not each.over.is_set()] + [worker.process]
            self._workers[worker.number - 1] = self._started(worker.number)

    # -- ends ---------------------------------------------------------------------------------

    def where(self, source: int) -> str:
        """Where the worker stands that makes the first batch that is waited for; it is ended."""
        with self._changed:
            busy = [each for each in self._workers if each.asked and each.asked.source == source]
            worker = min(busy, key=lambda each: each.asked[:2] if each.asked else (), default=None)
            if worker is None:
                return ""
            if worker.lent:
                return f"{worker.name}, which is yours and is not stopped"
            worker.process.interrupt()
            self._changed.wait_for(lambda: bool(self._stands) or self._over(), _ANSWER)
            return self._stands or f"{worker.name}, which does not answer"

    def close(self) -> None:
        """Let nobody wait for a batch any more: `ClosedError`, now and later."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
            for worker in self._workers:
                if worker.connection is None or worker.asked is not None:
                    worker.process.kill()
                if worker.connection is not None:
                    with suppress(OSError):  # wakes whoever waits for its reply
                        worker.connection.shutdown(socket.SHUT_RDWR)
        self._site.close()

    def end(self) -> None:
        """After `close`, leave no process, thread, socket or file; for one thread, again."""
        self.close()
        deadline = time.monotonic() + _GOODBYE
        for worker in self._workers:
            worker.process.over.wait(max(0.0, deadline - time.monotonic()))
        for process in [*self._past, *(worker.process for worker in self._workers)]:
            process.kill()
            process.join()
        for worker in self._workers:
            if worker.connection is not None:
                worker.connection.close()
        self._site.leave()


def no_answer(door: Door) -> str:
    """What it means that no worker of the user's has come."""
    return (
        f"No worker has answered within {door.patience:g} seconds (the option "
        f"fitgenerator.patience): they must be idle, and reach {door.at.host}, port {door.at.port} "
        "(the options fitgenerator.host and fitgenerator.port)."
    )


def _fate(process: Process | LentProcess, error: LostError | None) -> str:
    """How a worker's process ended, in words."""
    fate = process.fate if process.over.is_set() else f"is no good ({error})"
    return f"{fate}.\nIt wrote: {process.wrote}" if process.wrote else f"{fate}."
