"""Workers in processes of ours that make batches: who makes which, and what is made again.

A thread that wants a batch waits for a worker that is free, asks it, and waits for the reply. A
worker that dies is replaced, and its batch is asked for again: it follows from its place alone.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from ..errors import ClosedError, WorkerError
from . import broken_pipes
from .listener import Listener
from .process import Launch, Process
from .wire import Asked, LostError, Reply, Stream

# How long a worker that is interrupted may take to say where it stands, in seconds; and an idle one
# that is let go of, to end by itself.
_ANSWER = 1.0
_GOODBYE = 0.1


class Address(NamedTuple):
    """Where workers dial: `port` 0 is one that is free."""

    host: str
    port: int


@dataclass(eq=False)
class Worker:
    """A place in the pool, and the process that has it now."""

    number: int  # from 1
    process: Process
    token: bytes = b""
    connection: socket.socket | None = None  # once it has dialled in
    asked: Asked | None = None  # what it makes now
    lost: bool = False  # its process is over, or will be

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"worker {self.number} (process {self.process.pid})"


@dataclass
class _Deaths:
    """When it is too much."""

    most: int  # without a batch in between
    row: int = 0
    by_batch: Counter[tuple[int, int]] = field(default_factory=Counter)


class Pool:
    """`count` workers for one call; `fetch` is for any thread, and so is `close`."""

    def __init__(self, count: int, launch: Launch, address: Address, scratch: str) -> None:
        self.count = count
        self.redone = 0  # batches that were made again
        self._launch = launch
        self._address = address
        self._scratch = scratch  # where the workers have a folder for their temporary files
        self._folder = ""
        self._listener: Listener | None = None
        self._changed = threading.Condition()
        self._workers: list[Worker] = []
        self._past: list[Process] = []  # that were replaced
        self._free: list[Worker] = []
        self._waiting: list[tuple[int, int]] = []  # rank and turn of those who want a worker
        self._turn = 0
        self._deaths = _Deaths(count + 1)
        self._failure: str | None = None
        self._closed = False
        self._stands = ""  # where a worker that was interrupted stood

    def start(self) -> None:
        """Start the workers; they are waited for where a batch is wanted.

        Raises:
            WorkerError: They cannot be reached.
        """
        try:
            self._listener = Listener(*self._address)
        except OSError as error:
            raise WorkerError(
                f"Workers cannot dial {self._address.host}, port {self._address.port} (the options "
                f"fitgenerator.host and fitgenerator.port): {os.strerror(error.errno or 0)}."
            ) from error
        self._folder = tempfile.mkdtemp(prefix="workers", dir=self._scratch)
        environment = {**self._launch.environment, "TMPDIR": self._folder}
        self._launch = replace(self._launch, environment=environment)
        self._listener.start()
        with self._changed:
            self._workers = [self._started(number + 1) for number in range(self.count)]

    def _started(self, number: int) -> Worker:
        worker = Worker(number, Process(self._launch, str(number), lambda: self._ended(worker)))
        assert self._listener is not None
        worker.token = self._listener.expect(partial(self._connected, worker))
        address = [_reached(self._address.host), str(self._listener.port), worker.token.hex()]
        worker.process.start(address)
        return worker

    def _connected(self, worker: Worker, connection: socket.socket, process: int) -> None:
        with self._changed:
            worker.connection = connection
            if self._closed or worker.lost:
                connection.close()
                return
            self._free.append(worker)
            self._changed.notify_all()

    # -- one batch ----------------------------------------------------------------------------

    def fetch(self, asked: Asked) -> Reply:
        """What came of one batch; sources of a lower number come first.

        Raises:
            ClosedError: The call is over.
            WorkerError: Too many workers have died.
        """
        while True:
            worker = self._take(asked)
            try:
                return self._ask(worker, asked)
            except LostError as error:
                self._bury(worker, asked, error)

    def _take(self, asked: Asked) -> Worker:
        with self._changed:
            self._turn += 1
            mine = (asked.source, self._turn)
            self._waiting.append(mine)
            try:
                self._changed.wait_for(
                    lambda: self._over() or (self._free and min(self._waiting) == mine)
                )
                self._check()
                worker = self._free.pop(0)
            finally:
                self._waiting.remove(mine)
                self._changed.notify_all()
            worker.asked = asked
            return worker

    def _over(self) -> bool:
        return self._closed or self._failure is not None

    def _check(self) -> None:
        if self._closed:
            raise ClosedError
        if self._failure is not None:
            raise WorkerError(self._failure)

    def _ask(self, worker: Worker, asked: Asked) -> Reply:
        assert worker.connection is not None
        broken_pipes.block()
        try:
            worker.connection.sendall(asked.packed())
        except OSError as error:
            raise LostError(str(error)) from error
        reply = Stream(worker.connection).reply()
        with self._changed:
            if reply.stands is not None:
                self._stands = f"{worker.name}:\n{reply.stands}"
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed)  # the call fails: this took too long
            if self._closed:
                raise ClosedError
            worker.asked, self._deaths.row = None, 0
            self._free.append(worker)
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
                self._count(worker, asked)
                self._replace(worker, error)
            self._changed.notify_all()
            if asked is not None:
                self._check()
                if self._deaths.by_batch[asked[:2]] > 1:
                    raise WorkerError(
                        f"Batch {asked.number} has ended two worker processes: the last one "
                        f"{_fate(worker.process, error)}"
                    )
                self.redone += 1

    def _count(self, worker: Worker, asked: Asked | None) -> None:
        """Count a death."""
        assert self._listener is not None
        self._listener.forget(worker.token)
        if worker.connection is not None:
            worker.connection.close()
        if worker in self._free:
            self._free.remove(worker)
        self._deaths.row += 1
        if asked is not None:
            self._deaths.by_batch[asked[:2]] += 1

    def _replace(self, worker: Worker, error: LostError | None) -> None:
        """Start another worker in the place of one that has died, if there were not too many."""
        if self._deaths.row >= self._deaths.most:
            what = f"{self._deaths.row} worker processes have ended without a batch in between"
            if worker.connection is None:
                what = "The worker processes do not start"
            self._failure = f"{what}: the last one {_fate(worker.process, error)}"
            return
        self._past = [each for each in self._past if not each.over.is_set()] + [worker.process]
        self._workers[worker.number - 1] = self._started(worker.number)

    # -- ends ---------------------------------------------------------------------------------

    def where(self, source: int) -> str:
        """Where the worker stands that makes the first batch that is waited for; it is ended."""
        with self._changed:
            busy = [each for each in self._workers if each.asked and each.asked.source == source]
            worker = min(busy, key=lambda each: each.asked or (), default=None)
            if worker is None:
                return ""
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
        if self._listener is not None:
            self._listener.close()

    def end(self) -> None:
        """After `close`, leave no process, thread, socket or file; for one thread, again."""
        self.close()
        deadline = time.monotonic() + _GOODBYE
        for worker in self._workers:
            worker.process.over.wait(max(0.0, deadline - time.monotonic()))
        for process in [*self._past, *(worker.process for worker in self._workers)]:
            process.kill()
            process.join()
        if self._listener is not None:
            self._listener.join()
        for worker in self._workers:
            if worker.connection is not None:
                worker.connection.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _reached(host: str) -> str:
    """Where a process of this machine dials that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _fate(process: Process, error: LostError | None) -> str:
    """How a worker's process ended, in words."""
    fate = process.fate if process.over.is_set() else f"is no good ({error})"
    return f"{fate}.\nIt wrote: {process.wrote}" if process.wrote else f"{fate}."
