"""The seam to R for image flows: what the R package's functions on images call.

Nothing here raises into R: failures become values, and so do warnings and what would be printed.
All is for R's thread, but the making of a batch.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

import keras
import numpy as np

from ...errors import ClosedError, ImageWarning, Warns
from ...host.current_host import asking
from ...host.requests import Request
from ...host.switchboard import Switchboard
from ...prefetch.prefetcher import GRACE
from .image_functions import RFunction, answer
from .results import failure_of, in_r, warnings_in_r

Outcome = dict[str, Any]


def generator(arguments: dict[str, Any], function: dict[str, Any] | None) -> Outcome:
    """An `ImageDataGenerator`; `function` is an R function, as `RFunction` is made of it."""

    def make() -> Any:
        if function is not None:
            arguments["preprocessing_function"] = RFunction(**function)
        return import_module("fitgenerator.images").ImageDataGenerator(**arguments)

    return _outcome(make)


def fit(given: Any, x: Any, arguments: dict[str, Any]) -> Outcome:
    """Learn from sample images."""
    return _outcome(lambda: given.fit(_row_major(x), **arguments))


def flow(method: str, given: Any, arguments: dict[str, Any]) -> Outcome:
    """A flow, made by a method of the generator."""

    def make() -> Any:
        for name in {"x", "y", "sample_weight"} & set(arguments):
            arguments[name] = _row_major(arguments[name])
        return getattr(given, method)(**arguments)

    return _outcome(make)


def _row_major(array: Any) -> Any:
    """A copy of R's arrays, in the order in which flows read them; doubles as floatx."""
    if isinstance(array, list):
        return [_row_major(part) for part in array]
    if not isinstance(array, np.ndarray):
        return array
    if array.dtype.kind == "V":  # R's raw
        array = array.view("uint8")
    dtype = keras.config.floatx() if array.dtype == np.float64 else array.dtype
    return np.array(array, dtype, order="C")


def _outcome(make: Callable[[], Any]) -> Outcome:
    """What came of a call: `value`, `failure`, `warnings` (text and class), `said` (lines)."""
    said, value, failure = io.StringIO(), None, None
    with warnings.catch_warnings(record=True) as caught, redirect_stdout(said):
        warnings.simplefilter("always")
        try:
            value = make()
        except BaseException as error:
            failure = failure_of(error)
    ours = [w for w in caught if issubclass(w.category, ImageWarning)]
    for other in caught:
        if other not in ours:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    texts = [[in_r(w.message), w.category.__name__] for w in ours]
    return {"value": value, "failure": failure, "warnings": texts, "said": said.getvalue()}


class Draw:
    """The next batch of a flow, made beside R's thread, which meanwhile runs what is asked of it.

    Args:
        flow: A flow, or another iterator.
    """

    def __init__(self, flow: Any) -> None:
        self._flow = flow
        self._board = Switchboard()
        self._request: Request | None = None
        self._outcome: Outcome = {}
        self._thread = threading.Thread(target=self._run, name="fitgenerator-draw", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with asking(self._board):
            try:
                self._outcome = {"value": next(self._flow), "failure": None}
            except StopIteration:
                self._outcome = {"ended": True, "failure": None}
            except BaseException as error:
                self._outcome = {"value": None, "failure": failure_of(error)}
        self._board.end()

    def wait(self, seconds: float) -> list[Any] | None:
        """The next call that R is asked for, as for a session; `["end"]` when there is no more."""
        request = self._board.next_request(seconds)
        if request is None or request.applied is None:
            return None if request is None else ["end"]
        self._request = request
        return ["apply", request.applied.function, *request.applied.args]

    def applied(self, value: Any, seconds: float) -> list[Any] | None:
        """Answer with what a function made, or with its failure; then wait."""
        request, self._request = self._request, None
        assert request is not None
        answer(self._board, request, value)
        return self.wait(seconds)

    def stop(self) -> None:
        """End the thread, within a batch too; can be called again.

        One that stands in foreign code, a file system perhaps, is left behind after `GRACE`.
        """
        self._board.close()
        if self._request is not None:
            self._request.fail(ClosedError())
            self._request = None
        self._thread.join(GRACE)

    def outcome(self) -> Outcome:
        """The batch, or the failure, and what to warn of."""
        told = self._flow.take_warnings() if isinstance(self._flow, Warns) else []
        return {**self._outcome, "warnings": warnings_in_r(told)}
