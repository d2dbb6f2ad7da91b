"""Threads of ours, which end with the call that started them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextvars import copy_context

import numpy as np

from .signal_safe_queue import SLICE, ClosableQueue

# How long a generator in foreign code may take to return when the call ends, in seconds.
GRACE = 5.0


class JoinedThreads:
    """Starts threads and joins them; both are done by one thread at a time."""

    def __init__(self) -> None:
        self.alive: list[threading.Thread] = []
        self._ended: ClosableQueue[threading.Thread] = ClosableQueue()

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Start a thread that does `work`, with the context variables of this one (rule 10)."""
        context = copy_context()
        errors, handler = np.geterr(), np.geterrcall()  # of the thread before NumPy 2

        def run() -> None:
            try:
                with np.errstate(call=handler, **errors):  # type: ignore[arg-type]  # `None` is one
                    work()
            finally:
                self._ended.put(threading.current_thread())

        thread = threading.Thread(target=context.run, args=(run,), name=name, daemon=True)
        self.alive.append(thread)
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread left: there is nothing to join
            self.alive.remove(thread)
            raise

    def join(
        self,
        deadline: float | None = None,
        grace: float = 0.0,
        asks: Callable[[], bool] = lambda: False,
    ) -> list[str]:
        """Wait until all threads have ended; the names of those that have not by `deadline`.

        While one of them `asks` the calling thread there is no deadline, and afterwards they have
        `grace` seconds. Thread rule 11: nothing survives the call, but a generator in foreign
        code. A thread that asks is not: it gets an answer, however long that takes. What it does
        next is not known.

        Thread rule 2: the wait is one in slices for what each thread does last. An interrupt in
        `Thread.join` makes Python 3.11 take a living thread for a stopped one. A call that was
        interrupted can be repeated.
        """
        while self.alive:
            try:
                thread = self._ended.get(SLICE)
            except queue.Empty:
                # One whose start was interrupted does not run.
                self.alive = [thread for thread in self.alive if thread.ident is not None]
                now = time.perf_counter()
                if asks():
                    deadline = None if deadline is None else max(deadline, now + grace)
                elif deadline is not None and now > deadline:
                    break
                continue
            self.alive.remove(thread)  # first: should the join be interrupted, it is not repeated
            thread.join()
        return sorted(thread.name for thread in self.alive)
