"""R, which one thread at a time may use: rpy2's own lock, wherever rpy2 reaches R.

rpy2 takes its lock while R code runs, but not wherever it makes, protects or reads a value of R. In
between, another thread's R code would collect the value, or take it from R's stack of what is
protected. And where R collects garbage and an interrupt is pending, R jumps to where R code was
called; outside of R code there is no such place, and the process would end.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, wraps
from typing import Any

from .embedded_r import capi, openrlib

_flag = threading.RLock()  # of R's flag that an interrupt is pending; taken after rpy2's lock
# The R code that runs, the innermost last: the identity of its thread, and something of its own.
_running: list[tuple[int, object]] = []
hosted: list[Any] = []  # the calls that are hosted, the innermost last; if none, all is as rpy2's
# Of rpy2's classes, what leaves R alone, and is called most often.
_LEFT_ALONE = {"__sexp__", "__new__", "__repr__", "__str__", "__bool__"}


def interrupt_r() -> None:
    """Have R take an interrupt the next time that it looks for one."""
    flag = "UserBreak" if sys.platform == "win32" else "R_interrupts_pending"
    with _flag:
        setattr(openrlib.rlib, flag, 1)


def spare_r() -> None:
    """Have R take no interrupt any more, even if it has not taken the last one."""
    with _flag:
        openrlib.rlib.R_interrupts_pending = 0


def deaf_on(thread: int) -> tuple[int, object] | None:
    """The R code that runs on a thread, and has not taken the interrupt that it was told of."""
    with _flag:
        running = _running[-1:] if openrlib.rlib.R_interrupts_pending else []
    return next((code for code in running if code[0] == thread), None)


@cache
def alone(own: Callable[..., Any]) -> Callable[..., Any]:
    """What runs R code: no other thread uses R until its value is protected."""

    @wraps(own)
    def call(*args: Any, **named: Any) -> Any:
        if not hosted:
            return own(*args, **named)
        with openrlib.rlock, _without(_flag):
            _running.append((threading.get_ident(), object()))
            try:
                return own(*args, **named)
            finally:
                _running.pop()

    return call


@cache
def undisturbed(own: Callable[..., Any]) -> Callable[..., Any]:
    """What uses R without R code: no other thread does meanwhile, and R takes no interrupt."""

    @wraps(own)
    def call(*args: Any, **named: Any) -> Any:
        if not hosted:
            return own(*args, **named)
        with openrlib.rlock, _flag:
            pending = openrlib.rlib.R_interrupts_pending
            openrlib.rlib.R_interrupts_pending = 0
            try:
                return own(*args, **named)
            finally:
                if pending:
                    openrlib.rlib.R_interrupts_pending = 1

    return call


@contextmanager
def _without(*locks: Any) -> Iterator[None]:
    """Without those of these locks that this thread has; as `threading.Condition` waits."""
    held = [(lock, lock._release_save()) for lock in locks if lock._is_owned()]
    try:
        yield
    finally:
        for lock, state in reversed(held):
            lock._acquire_restore(state)


def unlocked() -> AbstractContextManager[None]:
    """Without the locks, which R code on the main thread needs."""
    return _without(_flag, openrlib.rlock)


def guarded(replaced: set[tuple[Any, str]]) -> Iterator[tuple[Any, str, Any]]:
    """rpy2's functions and methods that use R, and what stands in for each; not for `replaced`."""
    for name in ("_preserve", "build_rcall", "_geterrmessage"):
        if (capi, name) not in replaced:
            yield capi, name, undisturbed(getattr(capi, name))
    for owner in _places():
        for name, member in [*vars(owner).items()]:
            public = not name.startswith("_") or name.startswith("__")
            if public and name not in _LEFT_ALONE and (owner, name) not in replaced:
                guarding = _guarding(member)
                if guarding is not None:
                    yield owner, name, guarding


def _places() -> list[Any]:
    """The classes of rpy2's values of R, and the module of functions for all of them.

    What `robjects` derives from these classes calls their methods.
    """
    modules = [sys.modules[name] for name in ("rpy2.rinterface_lib.sexp", "rpy2.rinterface")]
    kinds = [
        thing
        for module in modules
        for thing in vars(module).values()
        if inspect.isclass(thing)
        and issubclass(thing, capi.SupportsSEXP)
        and thing.__module__ == module.__name__
    ]
    return [modules[0], *kinds]


def _guarding(member: Any) -> Any:
    """What stands in for a member of a class or module; `None` for one that is no function.

    The body of a generator runs later, and calls other methods.
    """
    if isinstance(member, classmethod):
        return classmethod(undisturbed(member.__func__))
    if isinstance(member, property):
        get, change = (part and undisturbed(part) for part in (member.fget, member.fset))
        return property(get, change, member.fdel, member.__doc__)
    if inspect.isfunction(member) and not inspect.isgeneratorfunction(member):
        return undisturbed(member)
    return None
