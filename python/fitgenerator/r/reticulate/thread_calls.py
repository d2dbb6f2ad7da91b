"""R functions that other threads call while R hosts: those of a Python source, above all.

By itself, reticulate has Python run such a function on R's thread whenever that thread executes
Python code: after a wait, in the midst of a trace, where tensors are symbols, and inside a
crossing, where no interrupt is taken. While R hosts, a call is a request instead: R runs the
function between two crossings, as it runs a closure.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from queue import SimpleQueue
from typing import Any

from ...backends.chosen import is_tracing
from ...errors import ClosedError
from ...host.current_host import host_here
from ...host.outcome import Failed, Outcome, TimedOut, Value, attempt
from ...host.requests import Call
from ...host.switchboard import Switchboard
from . import iterators
from .values import detached

Capsule = Any  # reticulate's handle of an R function
Made = tuple[Any, BaseException | None]  # what reticulate has of a call: its value, or its error

_SOON = 0.5  # in seconds
_SCHEDULE = "schedule_python_function_on_main_thread"
_boards: list[Switchboard] = []  # of the calls that R hosts, the innermost last
_replaced: dict[tuple[str, str], Any] = {}  # reticulate's own functions, by module and name
# What takes the arguments of a call, in R: unconverted, and converted.
_receivers: list[Callable[..., None]] = []


def receive(unconverted: Callable[..., None], converted: Callable[..., None]) -> None:
    """Note what takes the arguments of a call, as reticulate converts them for R functions."""
    _receivers[:] = unconverted, converted


class ThreadCalls:
    """Makes requests to one switchboard of the R functions that other threads call."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def suspend(self) -> None:
        """Take such calls from reticulate; for R's thread, as `restore`."""
        # The function that reticulate's C++ code keeps looks these names up at each call.
        for module, name, ours in (
            ("rpytools.thread", "safe_call_r_function", _call),
            ("rpytools.thread", _SCHEDULE, lambda work, _: work()),
            ("rpycall", _SCHEDULE, _schedule),
        ):
            if not _boards:
                _replaced[module, name] = _put(module, name, ours)
        _boards.append(self._board)

    def restore(self) -> None:
        """Leave them to reticulate, or to an outer call; harmless where nothing was taken."""
        if self._board in _boards:
            _boards.remove(self._board)
        for (module, name), own in _replaced.items():
            if not _boards:
                _put(module, name, own)


def _put(module: str, name: str, function: Any) -> Any:
    found = import_module(module)
    before = getattr(found, name)
    setattr(found, name, function)
    return before


def _call(function: Capsule, args: tuple[Any, ...], named: Mapping[str, Any]) -> Made:
    """Have R call a function. Nothing is raised: C++ code waits for what is returned."""
    host, boards = host_here(), tuple(_boards)
    if not boards or _is_r_thread():
        return _call_pending(function, args, named)
    if isinstance(host, Switchboard) and host in boards:
        return _made_of(_ask(host, Call("", function, args, host.patience, named)))
    while True:
        # Whose a thread is that is not ours cannot be seen: the innermost call answers it, up to
        # its very end, and then an outer one, because the thread's source may be of that.
        board, stays = boards[-1], len(boards) > 1
        call = Call("", function, args, board.patience, named, ours=False, stays=stays)
        outcome = _ask(board, call)
        closed = isinstance(outcome, Failed) and isinstance(outcome.error, ClosedError)
        if not closed or not _has_ended(board) or not (boards := tuple(_boards)):
            return _made_of(outcome)


def _ask(board: Switchboard, call: Call) -> Value[Any] | Failed:
    return attempt(lambda: board.call_function(call, lambda: _serve_in_job(call, board)))


def _made_of(outcome: Value[Any] | Failed) -> Made:
    return (outcome.value, None) if isinstance(outcome, Value) else (None, outcome.error)


def _has_ended(board: Switchboard) -> bool:
    """Whether the call of a board that is closed ends, soon; not if it waits for this thread."""
    deadline = time.perf_counter() + _SOON
    while board in _boards and time.perf_counter() < deadline:
        time.sleep(_SOON / 100)
    return board not in _boards


def _call_pending(function: Capsule, args: tuple[Any, ...], named: Mapping[str, Any]) -> Made:
    """Call a function as reticulate does."""
    own = _replaced["rpytools.thread", "safe_call_r_function"]
    if _is_r_thread():
        return own(function, args, named)  # type: ignore[no-any-return]
    reply: SimpleQueue[Made] = SimpleQueue()
    _replaced["rpycall", _SCHEDULE](lambda: reply.put(own(function, args, named)), None)
    return reply.get()


def _serve_in_job(call: Call, board: Switchboard) -> None:
    """Have the call run within the job that R's thread runs, which may wait for this thread.

    For none of ours does a job wait. The call stays a request where R's thread traces, because R
    code would get symbols, and outside of jobs, because no interrupt could stop it.
    """

    def serve() -> None:
        in_job = board.in_job and board is _boards[-1] and not is_tracing()
        if in_job and call.claim():
            value, error = _call_pending(call.function, call.args, call.named)
            call.answer(Value(value) if error is None else Failed(error))
        done.put(None)

    if board.in_job and not call.ours:
        done: SimpleQueue[None] = SimpleQueue()
        _replaced["rpycall", _SCHEDULE](serve, None)
        done.get()  # Python has few places for what is pending: a call takes one of them


def _schedule(function: Callable[..., None], data: Any) -> None:
    """In place of a scheduling by an iterator of R: this thread does the iterator's work."""
    owner = getattr(function, "__self__", None)
    if _boards and not _is_r_thread() and iterators.is_iterator(owner):
        iterators.fetch(owner, data)
    else:
        _replaced["rpycall", _SCHEDULE](function, data)


def _is_r_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def hand_over(function: Capsule, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Give R the arguments of a call; for R's thread."""
    context = ctypes.pythonapi.PyCapsule_GetContext
    context.restype, context.argtypes = ctypes.c_void_p, [ctypes.py_object]
    _receivers[bool(context(function))](*args, **named)


def outcome_of(answer: dict[str, Any]) -> Outcome:
    """What came of a call, by what R answered; for R's thread."""
    if "failed" in answer:
        return Failed(answer["failed"])
    if "overdue" in answer:
        return TimedOut(answer["overdue"])
    # Rule 9: views of R's memory must not leave R's thread.
    return Value(detached(answer["value"]))
