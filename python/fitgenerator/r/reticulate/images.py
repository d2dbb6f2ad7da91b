"""The seam to R for image flows: what the R package's functions on images call.

Nothing here raises into R: failures become values, and so do warnings and what would be printed.
All is for R's thread, but the making of a batch.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

from ...errors import ImageWarning, Warned
from ...host.current_host import asking, take_warnings
from ...host.joined_threads import GRACE, JoinedThreads
from ...host.outcome import Failed, Value, attempt
from ...host.switchboard import Switchboard
from .host_loop import HostLoop, RList
from .image_functions import RFunction
from .results import in_r, told
from .values import own


def generator(arguments: RList, function: RList | None) -> RList:
    """An `ImageDataGenerator`; `function` is an R function, as `RFunction` is made of it."""
    if function is not None:
        arguments["preprocessing_function"] = RFunction(**function)
    return _told(lambda: import_module("fitgenerator.images").ImageDataGenerator(**arguments))


def fit(given: Any, x: Any, arguments: RList) -> RList:
    """Learn from sample images."""
    return _told(lambda: given.fit(own(x, "C"), **arguments))


def flow(method: str, given: Any, arguments: RList) -> RList:
    """A flow, made by a method of the generator."""

    def make() -> Any:
        for name in {"x", "y", "sample_weight"} & set(arguments):
            arguments[name] = own(arguments[name], "C")
        made = getattr(given, method)(**arguments)
        made.said_by_bridge = in_r  # of errors in reticulate's iter_next()
        return made

    return _told(make)


def _told(make: Callable[[], Any]) -> RList:
    """What came of a call, with what it warned of and what it would have printed."""
    said = io.StringIO()
    with warnings.catch_warnings(record=True) as caught, redirect_stdout(said):
        warnings.simplefilter("always")
        outcome = attempt(make)
    ours: list[Warned] = []
    for w in caught:
        if issubclass(w.category, ImageWarning):
            ours.append((in_r(w.message), w.category))
        else:
            warnings.warn_explicit(w.message, w.category, w.filename, w.lineno)
    return told(outcome, ours, said.getvalue())


class NextBatch(HostLoop):
    """The next batch of a flow, or other iterator, made while R's thread runs what it is asked."""

    def __init__(self, flow: Iterator[Any]) -> None:
        super().__init__(Switchboard(), {})
        self._flow = flow
        self._outcome: Value[Any] | Failed = Value(None)
        self._threads = JoinedThreads()
        self._threads.start("fitgenerator-fetch", self._run)

    def _run(self) -> None:
        with asking(self._board):
            self._outcome = attempt(lambda: next(self._flow, None))
        self._board.end()

    def stop(self) -> None:
        """End the thread, within a batch too; can be called again.

        Rule 11: it does not survive the call, unless it stands in foreign code, a file system
        perhaps: then it is left behind after `GRACE`.
        """
        self._board.close()
        self.abandon()
        self._threads.join(time.perf_counter() + GRACE)

    def outcome(self) -> RList:
        """The batch, or the failure, and what to warn of."""
        return told(self._outcome, take_warnings(self._board))
