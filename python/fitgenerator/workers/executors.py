"""Python functions that an executor of the user's runs: in other processes, on other machines."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import suppress
from typing import Any

from ..arguments import Unchecked
from ..errors import ArgumentError, ArgumentTypeError, ClosedError, WorkerError
from ..messages import describe, reason
from .makers import made_by
from .telling import Telling, Told

# How often an executor that breaks is made again, in one call.
REPLACED_AT_MOST = 3
# Rule 2: a wait ends, in seconds, because in lock-step it is one of the calling thread.
_SLICE = 0.05

# An executor, or a function that makes one.
Given = Executor | Callable[[], Executor]


def check_executor(given: Unchecked, argument: str = "executor") -> None:
    """Raise an `ArgumentTypeError` unless `given` is an executor, or a function that makes one."""
    if isinstance(given, Executor) or (callable(given) and not hasattr(given, "get_executor")):
        return
    advice = ": pass client.get_executor()" if hasattr(given, "get_executor") else ""
    rule = "must be a concurrent.futures.Executor or a function that makes one"
    raise ArgumentTypeError.of(argument, f"{rule}, not {describe(given)}{advice}.")


class Executions:
    """Runs functions in an executor, for one call; any thread may call its methods.

    Nothing of the user's is shut down. An executor that `given` has made ends by itself once nobody
    refers to it any more: `close` lets go of it.
    """

    def __init__(self, given: Given) -> None:
        self._make = None if isinstance(given, Executor) else given
        self._executor: Executor | None = given if isinstance(given, Executor) else _made(given)
        self.redone = 0  # batches that were made again
        self._workers: dict[Hashable, int] = {}  # their numbers, from 1
        self._replaced = 0  # times
        self._lock = threading.Lock()  # held while another executor takes the place of a broken one
        self._running: set[Future[Any]] = set()
        self._closing: Future[None] = Future()  # whoever waits for a result, waits for this, too

    @property
    def size(self) -> int:
        """How many functions the executor is asked for at a time, by how many it runs.

        Dask is asked for twice as many: what a worker has made is on its way for some milliseconds
        before the next one can be asked for, and the worker does that one meanwhile.
        """
        count = getattr(self._executor, "_max_workers", None)
        client = getattr(self._executor, "_client", None)  # of Dask
        if count is None and client is not None:
            with suppress(Exception):
                count = 2 * sum(client.nthreads().values())
        return max(1, count if isinstance(count, int) else os.cpu_count() or 1)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """What the function returns; raises what it raises.

        Raises:
            ClosedError: The call is over.
            WorkerError: The executor is broken, and cannot be made again.
        """
        while True:
            with self._lock:
                executor, number = self._executor, self._replaced
            if executor is None or self._closing.done():
                raise ClosedError
            try:
                future = executor.submit(Telling(function), *args)
            except (BrokenExecutor, RuntimeError) as error:  # it is broken, or was shut down
                self._replace(number, error)
                continue
            try:
                return self._told(Told(*self._result(future)))
            except (BrokenExecutor, CancelledError) as error:
                self._replace(number, error)

    def _result(self, future: Future[Any]) -> Any:
        self._running.add(future)
        try:
            while not wait([future, self._closing], _SLICE, FIRST_COMPLETED).done:
                pass
        finally:
            self._running.discard(future)
            future.cancel()  # where it still waits, because the call is over
        if self._closing.done():
            raise ClosedError
        return future.result()

    def _told(self, told: Told) -> Any:
        with self._lock:
            number = self._workers.setdefault(told.who, len(self._workers) + 1)
        made_by(number, time.perf_counter() - told.seconds)
        return told.value

    def _replace(self, number: int, error: BaseException) -> None:
        """Have another executor in the place of the broken one, the one of that number."""
        with self._lock:
            if self._closing.done():
                raise ClosedError
            self.redone += 1
            if self._replaced > number:  # by another thread
                return
            if self._make is None:
                raise WorkerError(
                    f"The `executor` is broken or shut down ({reason(error)}). Give a function "
                    "that makes one, and a broken one is made again: "
                    "executor=lambda: ProcessPoolExecutor(4)."
                ) from error
            if self._replaced == REPLACED_AT_MOST:
                raise WorkerError(
                    f"The `executor` has broken {REPLACED_AT_MOST + 1} times, the last time in "
                    f"one of the batches that are being made now ({reason(error)}). Call the "
                    "function in this process to see why."
                ) from error
            self._executor = _made(self._make)
            self._replaced += 1

    def close(self) -> None:
        """Let nobody wait for a result any more, and withdraw what has not begun; once or more."""
        with suppress(Exception):  # it is over already
            self._closing.set_result(None)
        for future in tuple(self._running):
            future.cancel()
        self._executor = None


def _made(make: Callable[[], Unchecked]) -> Executor:
    executor = make()
    if not isinstance(executor, Executor):
        rule = "as a function must return a concurrent.futures.Executor"
        raise ArgumentError.of("executor", f"{rule}, not {describe(executor)}.")
    return executor
