"""R functions that a Python source calls on the thread that reads it, as requests to the host.

R that sleeps takes SIGINT with a handler of its own, which jumps to where R stands. The signal
comes to the main thread: if R stood on another one, the process would die. So while a call is
hosted, R runs on the main thread; a thread of ours that calls R asks for it, and waits.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial, wraps
from queue import Empty, SimpleQueue
from typing import Any

from ...host.current_host import host_here
from ...host.requests import Call
from ...host.switchboard import Switchboard
from .embedded_r import capi, openrlib, rinterface
from .interrupts import Interrupts, none_taken

# What rpy2 runs R code with; its functions of `robjects` convert values besides.
_ENTRANCES = (
    ("rpy2.rinterface", "SexpClosure", "__call__"),
    ("rpy2.rinterface", "SexpClosure", "rcall"),
    ("rpy2.rinterface", None, "parse"),
    ("rpy2.rinterface", None, "evalr_expr_with_visible"),
    ("rpy2.robjects.functions", "Function", "__call__"),
)
_active: list[ThreadCalls] = []  # of the calls that are hosted, the innermost last
_replaced: list[tuple[Any, str, Any]] = []  # rpy2's own functions, and where they belong
_dropped: SimpleQueue[Any] = SimpleQueue()  # values of R, and what releases each


class ThreadCalls:
    """While entered, the threads of one call ask its switchboard for what they call of R."""

    def __init__(self, board: Switchboard, interrupts: Interrupts) -> None:
        self.board = board
        self.interrupts = interrupts

    def __enter__(self) -> None:
        if not _active:
            for module, owner, name in _ENTRANCES:
                if module in sys.modules:
                    found = sys.modules[module]
                    _replace(getattr(found, owner) if owner else found, name, _asking)
            _replace(capi, "_release", _releasing)
            _replace(capi, "_geterrmessage", _uninterrupted)
        _active.append(self)

    def __exit__(self, *error: object) -> None:
        _active.remove(self)
        while not _active and _replaced:
            place, name, own = _replaced.pop()
            setattr(place, name, own)
        release_dropped()


def release_dropped() -> None:
    """Let go of the values of R that were dropped, unless R runs; for the main thread."""
    if openrlib.rlock.acquire(blocking=False):
        try:
            with suppress(Empty):
                while True:
                    release, value = _dropped.get_nowait()
                    release(value)
        finally:
            openrlib.rlock.release()


def _replace(place: Any, name: str, wrapper: Callable[[Any], Any]) -> None:
    own = getattr(place, name)
    _replaced.append((place, name, own))
    setattr(place, name, wrapper(own))


def _asking(own: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(own)
    def call(*args: Any, **named: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            return _call_here(own, args, named)
        board = host_here()
        if not isinstance(board, Switchboard) or all(each.board is not board for each in _active):
            return own(*args, **named)  # it is no thread of a hosted call
        # rpy2 keeps its rules of conversion, and where R code is evaluated, in context variables.
        work = partial(copy_context().run, own)
        with _unlocked():
            asked = Call("", work, args, board.patience, named)
            return board.call_function(asked, lambda: None)

    return call


def _call_here(own: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    try:
        return own(*args, **named)
    except rinterface.embedded.RRuntimeError as error:
        interrupts = _active[-1].interrupts if _active else None
        if interrupts is not None and interrupts.in_user_code:
            interrupts.check_error(error)
        raise


def _uninterrupted(own: Callable[[], str]) -> Callable[[], str]:
    def text() -> str:
        with none_taken():
            return own()

    return text


def _releasing(own: Callable[[Any], None]) -> Callable[[Any], None]:
    """Rule 9: R's memory stays on the host. R may be running, on a thread that has the lock."""

    def release(value: Any) -> None:
        _dropped.put((own, value))
        if threading.current_thread() is threading.main_thread():
            release_dropped()

    return release


@contextmanager
def _unlocked() -> Iterator[None]:
    """Without rpy2's lock, which R code on the main thread needs, where this thread has it."""
    lock: Any = openrlib.rlock
    held = lock._release_save() if lock._is_owned() else None  # as `threading.Condition` does
    try:
        yield
    finally:
        if held is not None:
            lock._acquire_restore(held)
