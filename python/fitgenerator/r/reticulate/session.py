"""The seam to R: what the R package's host loop calls, one function per crossing.

R owns the loop (so that conditions may jump out of it without crossing a Python frame); this side
hands out requests and takes answers. Nothing here raises into R: failures become values.
"""

from __future__ import annotations

import os
import threading
import time
from types import GeneratorType
from typing import Any

from ... import errors
from ...checkpoint.checkpoint import Checkpoint
from ...flows.sequence import BatchSequence
from ...host import interrupts
from ...host.garbage_collection import Collector
from ...host.interface import ForeignHook, Shown, advance_job
from ...host.requests import Request
from ...host.switchboard import Switchboard
from ...reporting.history import History
from ...reporting.progress_bar import Bar
from ...sources.on_request import closure_source, described, passes_source, stream_source
from ...sources.recognition import as_source
from ...sources.seeded_source import Passes
from ...sources.source import Source
from ...training.background import Loop, Training
from ...training.callbacks import ForeignCallback
from ...training.plan import Settings, plan_evaluate, plan_fit, plan_predict
from .image_functions import answer
from .model_code import holds_r_code
from .results import ForeignError, failure_of, history_parts, warnings_in_r
from .values import Arrays, owned_batches


class Session:
    """One call from R. Every method is for R's thread.

    Args:
        kind: "fit", "evaluate" or "predict".
        model: The Keras model.
        sources: `generator` and, for fit, `validation_data`: `{"closure": number}` stands for a
            closure of R (with `sequence`, or `opens`, where it can begin again), `Arrays` for a
            list of arrays, anything else for a Python object.
        arguments: The other arguments of the Python function of that kind; and `screen`, what R
            knows of its output: `interval` (seconds between two bars, `None` for no bar), `width`
            (in characters), `unicode`; and `argument`, what R's caller calls `generator`.
    """

    def __init__(
        self, kind: str, model: Any, sources: dict[str, Any], arguments: dict[str, Any]
    ) -> None:
        self._kind = kind
        self._model = model
        self._sources = sources
        self._arguments = arguments
        self._screen = arguments.pop("screen")
        thread = threading.get_ident()
        self._board = Switchboard(lambda: interrupts.send(thread))
        self._training: Training | None = None
        self._request: Request | None = None
        self._job: GeneratorType[Any, Any, Any] | None = None
        self._error: BaseException | None = None
        self._handlers = interrupts.Handlers()
        self._collector = Collector()

    # -- before and after -----------------------------------------------------------------------

    def start(self) -> None:
        """Check the arguments and start training; a failure is found in `outcome`."""
        self._handlers.suspend()
        self._collector.suspend()
        try:
            loop = self._plan()
            loop.course.callbacks.attach()
            training = Training(self._board, loop)
            training.start()
            self._training = training
        except BaseException as error:
            self._error = error
            self._board.end()

    def _plan(self) -> Loop:
        given = dict(self._arguments)
        foreign = bool(given.pop("foreign", False)) or holds_r_code(self._model)
        names = ("max_queue_size", "workers", "timeout", "jit_compile", "verbose", "argument")
        settings = Settings(
            **{name: given.pop(name) for name in names},
            bar_interval=self._screen["interval"],
            foreign=foreign,
        )
        given["callbacks"] = _callbacks(given["callbacks"])
        words = {"generator": settings.argument}
        sources = {n: _source(value, words.get(n, n)) for n, value in self._sources.items()}
        board, model = self._board, self._model
        if self._kind == "fit":
            generator = sources.pop("generator")
            assert generator is not None
            validation = sources.get("validation_data")
            return plan_fit(board, model, generator, settings, validation_data=validation, **given)
        plan = plan_evaluate if self._kind == "evaluate" else plan_predict
        return plan(board, model, sources["generator"], settings, **given)  # type: ignore[arg-type]

    def stop(self) -> None:
        """End everything that the call started; harmless when nothing is left of it."""
        if self._request is not None:  # R left it unanswered: by an interrupt, a restart, an error
            self._taken().fail(errors.ClosedError())
        if self._training is not None:
            self._training.stop()
        self._collector.restore()
        self._handlers.restore()

    # -- the host loop's crossings --------------------------------------------------------------

    def wait(self, seconds: float) -> list[Any] | None:
        """The next request, as a list whose first element is its kind, or `None` in time.

        A pull names the closure, how many batches may be drawn in one go, how many of its batches
        were used, and which ones are wanted, where it can begin again.
        """
        self._collector.collect()
        request = self._board.next_request(seconds)
        if request is None:
            return None
        if request.kind in ("pull", "job", "apply"):
            self._request = request
        if request.line is not None:
            line = request.line
            return ["pull", line.function, request.most, self.consumed(), described(line.places())]
        if request.applied is not None:
            return ["apply", request.applied.function, *request.applied.args]
        if request.kind == "say":
            return self._shown(request.shown)
        return [request.kind]

    def _shown(self, thing: Shown) -> list[Any]:
        """Lines as they are; of a bar what R draws it with."""
        if not isinstance(thing, Bar):
            return ["say", thing]
        text = thing.text(self._columns(), unicode=self._screen["unicode"])
        return ["bar", text, thing.done, thing.total]

    def _columns(self) -> int:
        """The longest line that does not wrap: by the terminal, else by what R thinks."""
        try:
            return os.get_terminal_size(1).columns - 1
        except OSError:
            return int(self._screen["width"]) - 1

    def deliver(self, batches: list[Any], end: int, seconds: float) -> list[Any] | None:
        """Answer pulls with what the closure returned, as reticulate converted it; then wait.

        The arrays are views of R's memory, which the closure may use again and which must be
        released on this thread: they are copied here, cast, in their own (column-major) order.

        Args:
            batches: The batches that were drawn, in order.
            end: What came in place of another: 0 nothing; -1 the closure's end; else the number
                of the condition that R keeps.
            seconds: How long to wait for the next request.
        """
        request = self._taken()
        late = self._board.drawn()
        assert request.line is not None
        spent = (time.perf_counter() - request.begun) / (len(batches) + (end != 0))
        owned, error = owned_batches(batches)
        late = late and end == 0 and error is None and bool(owned)
        if late:  # an interrupt did not stop the last one
            del owned[-1]
        request.line.deliver(owned, request.begun, spent)
        if error is not None:
            request.line.fail(error)
        elif late:
            request.line.fail(request.line.timed_out(""))
        elif end < 0:
            request.line.end()
        elif end:
            request.line.fail(ForeignError(end))
        return self.wait(seconds)

    def applied(self, value: Any, seconds: float) -> list[Any] | None:
        """Answer with what a function made, or with its failure; then wait."""
        answer(self._board, self._taken(), value)
        return self.wait(seconds)

    def overdue(self, heeded: bool) -> bool:
        """Whether an interrupt that R took was sent because a closure takes too long."""
        return self._board.overdue(heeded=heeded)

    def advance(self) -> list[Any] | None:
        """Run the job that was asked for until it is done (`None`) or needs a hook that R calls."""
        request = self._request
        assert request is not None
        assert request.job is not None
        try:
            result = self._step(request.job)
            if isinstance(result, ForeignHook):
                return [result.table, result.hook, list(result.args)]
            request.answer(result)
        except BaseException as error:
            request.fail(error)
        self._request = self._job = None
        return None

    def _step(self, job: Any) -> Any:
        if self._job is None:
            result = job()
            if not isinstance(result, GeneratorType):
                return result
            self._job = result
        return advance_job(self._job)

    def _taken(self) -> Request:
        request, self._request = self._request, None
        assert request is not None
        return request

    # -- what came of it ------------------------------------------------------------------------

    def consumed(self) -> int:
        """Batches of the (training) generator whose steps have begun."""
        return self._training.loop.course.feeds[0].taken if self._training is not None else 0

    def outcome(self) -> dict[str, Any]:
        """The result or the failure, and what to warn of."""
        if self._training is None:
            return {"failure": self._failure(self._error), "warnings": []}
        return {
            "failure": self._failure(self._training.failure),
            "value": self._value(self._training.result),
            "warnings": warnings_in_r(self._training.loop.course.all_warnings()),
        }

    def _value(self, result: Any) -> Any:
        return history_parts(result) if isinstance(result, History) else result

    def _failure(self, error: BaseException | None) -> dict[str, Any] | None:
        if error is None:
            return None
        self._error = error
        return failure_of(error)

    def raise_failure(self) -> None:
        """Raise the failure, for reticulate to turn the R condition in it, if any, into one."""
        assert self._error is not None
        raise self._error


def checkpoint(path: str) -> Checkpoint | dict[str, Any]:
    """The callback, for R, or the failure to make it."""
    try:
        return Checkpoint(path)
    except (errors.ArgumentError, errors.ArgumentTypeError) as error:
        return failure_of(error)


def sequence(length: int, shuffle: bool, seed: int) -> Passes:
    """The passes of a function of R that makes batches by their number."""
    return BatchSequence(lambda number: number, length, shuffle, seed, None)


def _source(given: Any, name: str) -> Source | None:
    if given is None:
        return None
    if isinstance(given, dict) and "closure" in given:
        number = int(given["closure"])
        if given.get("opens"):
            return stream_source(number)
        if given.get("sequence") is not None:
            return passes_source(number, given["sequence"])
        return closure_source(number, f"R closure {number}")
    if isinstance(given, Arrays):
        return as_source(given.parts, name, arrays_allowed=True)
    return as_source(given, name, arrays_allowed=name == "validation_data")


def _callbacks(given: list[Any]) -> list[Any]:
    """R's list of callbacks; a table of R functions comes as its number and its hooks' names."""
    return [
        ForeignCallback(int(c["table"]), list(c["hooks"])) if isinstance(c, dict) else c
        for c in given
    ]
