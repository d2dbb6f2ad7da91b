"""Calls, in other processes, that also tell who ran them, and for how long."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple


class Told(NamedTuple):
    """What came of a call: its value, the seconds it took, and who ran it."""

    value: Any
    seconds: float
    who: Hashable  # host, process and thread


# A worker may not have this package, so this is sent as text.
_RUN = """lambda function, *args: (lambda get, clock, begun: (
    function(*args),
    clock() - begun,
    (get("socket").gethostname(), get("os").getpid(), get("threading").get_ident()),
))(__import__, __import__("time").perf_counter, __import__("time").perf_counter())"""


class _Runner:
    """The function whose text is `_RUN`, wherever it arrives."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, (_RUN,)


class Telling:
    """A function whose value is what `Told` consists of; it arrives as its own parts do."""

    _run = staticmethod(eval(_RUN))

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function, updated=())  # dashboards show the name
        self._function = function

    def __call__(self, *args: Any) -> Any:
        return self._run(self._function, *args)

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial, (_Runner(), self._function)
