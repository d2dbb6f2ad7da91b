"""R functions that a Python source calls on the thread that reads it, as requests to the host.

R that sleeps takes SIGINT with a handler of its own, which jumps to where R stands. The signal
comes to the main thread: if R stood on another one, the process would die. So while a call is
hosted, R code runs on the main thread; a thread of ours that calls R asks for it, and waits. What
needs no R code, such as the vector that a thread makes, is done there, by one thread at a time.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from contextvars import copy_context
from functools import partial, wraps
from queue import Empty, SimpleQueue
from typing import Any

from ...host.current_host import host_here
from ...host.requests import Call
from ...host.switchboard import Switchboard
from .embedded_r import capi, openrlib, rinterface
from .interrupts import Interrupts
from .r_lock import alone, guarded, hosted, undisturbed, unlocked

# What rpy2 runs R code with; its functions of `robjects` convert values besides. To look up a
# variable runs the code of a promise. The parser must not be interrupted, nor call back.
_ENTRANCES = (
    ("rpy2.rinterface", "SexpClosure", "__call__", alone),
    ("rpy2.rinterface", "SexpClosure", "rcall", alone),
    ("rpy2.rinterface", "SexpEnvironment", "__getitem__", alone),
    ("rpy2.rinterface", "SexpEnvironment", "find", alone),
    ("rpy2.rinterface", "SexpPromise", "eval", alone),
    ("rpy2.rinterface", None, "parse", undisturbed),
    ("rpy2.rinterface", None, "evalr_expr_with_visible", alone),
    ("rpy2.robjects.functions", "Function", "__call__", alone),
)
_ours: dict[tuple[Any, str], Any] = {}  # what stands in for rpy2's functions, by where and which
_dropped: SimpleQueue[Any] = SimpleQueue()  # values of R, and what releases each


class ThreadCalls:
    """While entered, the threads of one call ask its switchboard for what they call of R."""

    def __init__(self, board: Switchboard, interrupts: Interrupts) -> None:
        self.board = board
        self.interrupts = interrupts
        self._stack = ExitStack()

    def __enter__(self) -> None:
        # Where the caller has rpy2's lock, the threads must not wait for the end of the call.
        self._stack.enter_context(unlocked())
        if not hosted:
            _stand_in()
        hosted.append(self)

    def __exit__(self, *error: object) -> None:
        hosted.remove(self)
        release_dropped()
        self._stack.close()


def _stand_in() -> None:
    """Put ours in the place of what rpy2 uses R with, in all of its modules that were imported.

    There it stays, and outside of calls does what rpy2's own does. If it were put back after each
    call, Python 3.13 would go on with the last `__getitem__` that it has seen of a class: it gives
    a class a new version a thousand times at most, and does not notice a later change.
    """
    asking = {}
    for module, owner, name, how in _ENTRANCES:
        if module in sys.modules:
            found = sys.modules[module]
            asking[getattr(found, owner) if owner else found, name] = how
    there = {key for key, ours in _ours.items() if vars(key[0]).get(key[1]) is ours}
    for place, name, guarding in [*guarded({*asking, *there})]:
        _replace(place, name, guarding)
    for (place, name), how in asking.items():
        if (place, name) not in there:
            _replace(place, name, _asking(how(getattr(place, name))))
    if (capi, "_release") not in there:
        _replace(capi, "_release", _releasing(capi._release))


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


def _replace(place: Any, name: str, ours: Any) -> None:
    _ours[place, name] = ours
    setattr(place, name, ours)


def _asking(own: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(own)
    def call(*args: Any, **named: Any) -> Any:
        if not hosted:
            return own(*args, **named)
        if threading.current_thread() is threading.main_thread():
            return _call_here(own, args, named)
        board = host_here()
        if not isinstance(board, Switchboard) or all(each.board is not board for each in hosted):
            return own(*args, **named)  # it is no thread of a hosted call
        # rpy2 keeps its rules of conversion, and where R code is evaluated, in context variables.
        work = partial(copy_context().run, own)
        with unlocked():
            asked = Call("", work, args, board.patience, named)
            return board.call_function(asked, lambda: None)

    return call


def _call_here(own: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    try:
        return own(*args, **named)
    except rinterface.embedded.RRuntimeError as error:
        interrupts = hosted[-1].interrupts if hosted else None
        if interrupts is not None and interrupts.in_user_code:
            interrupts.check_error(error)
        raise


def _releasing(own: Callable[[Any], None]) -> Callable[[Any], None]:
    """Rule 9: R's memory stays on the host. R may be running, on a thread that has the lock."""

    def release(value: Any) -> None:
        if not hosted:
            own(value)
            return
        _dropped.put((own, value))
        if threading.current_thread() is threading.main_thread():
            release_dropped()

    return release
