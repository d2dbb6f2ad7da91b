"""Ctrl-C while R hosts under rpy2: a flag for us, and R's own for R."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

from ...host.interrupts import Deferred, Handler, send
from .embedded_r import rinterface
from .r_lock import deaf_on, interrupt_r, spare_r

if TYPE_CHECKING:
    from typing_extensions import Self


_INTERVAL = 1.0  # seconds, the watchdog's
_DEAF = 0.05  # seconds after which R code that runs would have taken an interrupt


class Interrupts(Deferred):
    """Takes Ctrl-C as a flag for us, and as R's own for R.

    Rule 2, no jump crosses a foreign frame: where it raised inside rpy2's callbacks,
    `KeyboardInterrupt` would be printed and lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._sent = False  # an interrupt that is not the user's
        self._sent_at = -_INTERVAL
        self._thread = threading.get_ident()

    def send(self) -> None:
        """Interrupt R's thread, as Ctrl-C does; no `KeyboardInterrupt` comes of it."""
        self._sent, self._sent_at = True, time.perf_counter()
        interrupt_r()
        send(self._thread)

    def insist(self) -> None:
        """Interrupt R's thread where it goes on waiting: it looked before it was told."""
        told = deaf_on(self._thread)
        while told is not None:
            time.sleep(_DEAF)
            if deaf_on(self._thread) is not told or not hasattr(signal, "pthread_kill"):
                return
            self._sent_at = time.perf_counter()
            send(self._thread)

    @property
    def just_sent(self) -> bool:
        """Whether a signal that comes now is one of ours, of which there is one a second."""
        return time.perf_counter() < self._sent_at + _INTERVAL

    def recall(self) -> None:
        """Take back the interrupt that was sent; harmless where it has arrived."""
        self._sent = False
        spare_r()

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self._sent:
            self._sent = False
        else:
            super()._take(number, frame)

    def __enter__(self) -> Self:
        super().__enter__()
        self._stack.enter_context(_watcher(self))
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.close()
        spare_r()
        super().__exit__(*raised)

    def _takes_over(self, handler: Handler | int | None) -> bool:
        return True

    def _deliver(self, frame: FrameType | None = None) -> None:
        """Raise the interrupt, or leave it to a handler that the user has installed."""
        handler = self._handlers.replaced
        if not callable(handler) or super()._takes_over(handler):
            super()._deliver()
        else:
            self.pending = False
            handler(signal.SIGINT, frame)

    def check_error(self, error: BaseException) -> None:
        """Raise the interrupt behind an error, if one came: by its flag, or as R tells of it.

        R's own handler, which it installs while it sleeps, sets no flag: R then gives an error
        without text.
        """
        silent = isinstance(error, rinterface.embedded.RRuntimeError) and not str(error).strip()
        self.pending = self.pending or silent
        self.check()


@contextmanager
def _watcher(interrupts: Interrupts) -> Iterator[None]:
    """Interrupt R at once when SIGINT comes, also while the main thread is inside R.

    Python's own handlers only run when the main thread is back in Python; but the signal's number
    is written to the wake-up descriptor at once, and R runs without Python's lock.
    """
    inlet, outlet = os.pipe()
    if hasattr(os, "set_blocking"):  # not on Windows before Python 3.12
        os.set_blocking(outlet, False)

    def watch() -> None:
        while (byte := os.read(inlet, 1)) != b"":
            # Of one that was sent, R knows: here, it may come when the function is over.
            if byte[0] == signal.SIGINT and not interrupts.just_sent:
                interrupt_r()
                interrupts.insist()

    thread = threading.Thread(target=watch, name="fitgenerator-watcher", daemon=True)
    thread.start()
    before = signal.set_wakeup_fd(outlet, warn_on_full_buffer=False)
    try:
        yield
    finally:  # rule 11: neither the thread nor the descriptors survive the call
        signal.set_wakeup_fd(before)
        os.close(outlet)
        thread.join()
        os.close(inlet)
