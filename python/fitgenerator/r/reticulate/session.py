"""One call from R, from checked arguments to its value."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from ...checkpoint.call import Call
from ...checkpoint.checkpoint import Checkpoint
from ...flows.sequence import BatchSequence
from ...host import interrupts
from ...host.garbage_collection import Collector
from ...host.interface import Host
from ...host.outcome import Failed, Value
from ...host.switchboard import Switchboard
from ...host.watchdog import Watchdog
from ...live.view import LiveView
from ...models.r_code import holds_r_code
from ...sources.on_request import closure_source, passes_source, stream_source
from ...sources.recognition import as_source
from ...sources.seeded_source import Passes
from ...sources.shares import place_in, share_of
from ...sources.source import Source
from ...sources.validation import as_validation, fixed_arrays
from ...training.background import BackgroundLoop, Loop
from ...training.callbacks import ForeignCallback
from ...training.options import fit_options, run_options, steps_of, within_limit
from ...training.plan import plan_evaluate, plan_fit, plan_predict
from ...workers.pool import Pool
from ..worker_images import worked_source
from ..worker_source import Work, worker_source
from .host_loop import HostLoop, RList
from .image_functions import function_of
from .results import in_r, made, told
from .thread_calls import ThreadCalls
from .values import Arrays
from .worker_pool import Lending, pool_of

_FIT_ARGUMENTS = (
    *("steps_per_epoch", "epochs", "validation_steps", "class_weight"),
    *("initial_epoch", "validation_freq"),
)


class Session(HostLoop):
    """One call from R. Every method is for R's thread.

    Args:
        kind: "fit", "evaluate" or "predict".
        model: The Keras model.
        sources: `generator` and, for fit, `validation_data`: `{"closure": number}` stands for a
            closure of R (with `sequence`, or `opens`, where it can begin again), `{"work": number}`
            for a function that worker processes run, `{"flow": object, "images": number}` for a
            flow with such a function of images, `Arrays` for a list of arrays, anything else
            for a Python object.
        arguments: The other arguments of the Python function of that kind; and `screen`, what R
            knows of its output: `interval` (seconds between two bars, `None` for no bar), `width`
            (in characters), `unicode`; `argument`, what R's caller calls `generator`; and `pool`,
            how the worker processes are started.
    """

    def __init__(self, kind: str, model: Any, sources: RList, arguments: RList) -> None:
        thread = threading.get_ident()
        # An interrupt that was sent to R cannot be taken back: R asks whose it is, in `overdue`.
        board = Switchboard(Watchdog(lambda: interrupts.send(thread)))
        screen = arguments.pop("screen")
        super().__init__(board, screen)
        self._running: BackgroundLoop | None = None
        self._outcome: Value[Any] | Failed = Value(None)
        self._handlers = interrupts.Handlers()
        self._collector = Collector()
        self._calls = ThreadCalls(board)
        self._pool, self._lending = pool_of(arguments)
        self._plan: Callable[[], Loop] | None = partial(
            _plan, board, kind, model, sources, arguments, screen["interval"], self._pool
        )

    def lend(self) -> Lending | None:
        """Let workers of the user's in, before `start`; `None` if it fails, which that finds."""
        assert self._pool is not None
        try:
            self._pool.start()
        except BaseException as error:
            self._outcome = Failed(error)
            return None
        return self._lending

    def start(self) -> RList:
        """Check the arguments and start training; a failure is found in `outcome`.

        Returns:
            What R has to do first: `warnings`; `streams`, random numbers to go on with; and
            `watches`, whether SIGTERM is to stop the call.
        """
        self._handlers.suspend()
        self._collector.suspend()
        self._calls.suspend()
        try:
            plan, self._plan = self._plan, None
            assert plan is not None
            if isinstance(self._outcome, Failed):
                raise self._outcome.error
            if self._pool is not None and self._lending is None:
                self._pool.start()
            self._running = BackgroundLoop(self._board, plan())
            del plan  # which holds the sources; an error's traceback holds this frame
            self._running.loop.context.callbacks.attach()
            self._running.start()
        except BaseException as error:
            self._outcome = Failed(error)
            if self._running is not None:
                self._running.outcome = self._outcome
            self._board.end()
        return self._first()

    def _first(self) -> RList:
        if self._running is None:
            return {}
        context = self._running.loop.context
        saved = next((c for c in context.callbacks.all if isinstance(c, Checkpoint)), None)
        return {
            "warnings": [[in_r(text), kind.__name__] for text, kind in context.notices.first],
            "streams": saved and saved.call.streams.kept,
            "watches": saved is not None and saved.on_signal,
        }

    def wait(self, seconds: float) -> RList | None:
        """The next request, or `None` in time."""
        self._hand_over()
        self._collector.collect()
        return super().wait(seconds)

    def consumed(self) -> int:
        """Batches of the (training) generator whose steps have begun."""
        return self._running.used if self._running is not None else 0

    def stop(self) -> None:
        """End everything that the call started; harmless when nothing is left of it.

        Rule 11: no thread, handler or setting of the call's survives it.
        """
        self.abandon()
        if self._running is not None:
            self._running.stop()
        if self._pool is not None:
            self._pool.end()
        self._calls.restore()
        self._collector.restore()
        self._handlers.restore()

    def outcome(self) -> RList:
        """The result or the failure, and what to warn of."""
        if self._running is None:
            return told(self._outcome)
        self._outcome = self._running.outcome
        return told(self._outcome, self._running.loop.context.all_warnings())

    def raise_failure(self) -> None:
        """Raise the failure, for reticulate to turn the R condition in it, if any, into one."""
        assert isinstance(self._outcome, Failed)
        raise self._outcome.error


def _plan(
    host: Host,
    kind: str,
    model: Any,
    sources: RList,
    arguments: RList,
    interval: float | None,
    pool: Pool | None,
) -> Loop:
    given = dict(arguments)
    given["callbacks"] = [  # a table of R functions comes as its number and its hooks' names
        ForeignCallback(int(c["table"]), list(c["hooks"])) if isinstance(c, dict) else c
        for c in given["callbacks"]
    ]
    streams = given.pop("streams", None)
    if streams is not None:
        for callback in given["callbacks"]:
            if isinstance(callback, Checkpoint):
                _lend_streams(callback.call, streams)
    given["foreign"] = bool(given.pop("foreign", False)) or holds_r_code(model)
    given["interval"] = lambda: interval
    name = given["argument"]
    generator = _source(sources["generator"], name, pool)
    validation = _source(sources.get("validation_data"), "validation_data", pool, model)
    assert generator is not None
    if kind == "fit":
        own = {n: given.pop(n) for n in _FIT_ARGUMENTS}
        fit = fit_options(generator, validation, argument=name, **own)
        return plan_fit(host, generator, validation, run_options("train", model, **given), fit)
    steps = within_limit(generator, given.pop("steps"))
    whole, steps = steps is None, steps_of(generator, steps, "steps", name)
    if kind == "evaluate":
        options = run_options("test", model, **given)
        return plan_evaluate(host, generator, steps, options, whole=whole)
    options = run_options("predict", model, **given)
    return plan_predict(host, generator, steps, options, whole=whole)


def _lend_streams(call: Call, streams: RList) -> None:
    """Have a checkpoint keep R's random numbers: `streams` has functions of R."""
    call.streams.states = lambda: streams["keep"](call.used())
    call.streams.restore = streams["restore"]


def checkpoint(
    path: str, every: int | None, seconds: float | None, on_signal: bool
) -> Checkpoint | dict[str, Any]:
    """The callback, for R, or the failure to make it."""
    options: dict[str, Any] = {"every": every, "seconds": seconds, "on_signal": on_signal}
    return made(lambda: Checkpoint(path, **options))  # type: ignore[no-any-return]


def live_view(save: str | None) -> LiveView | dict[str, Any]:
    """The callback, which R announces itself, or the failure to make it."""

    def make() -> LiveView:
        view = LiveView(open=False, save=save)
        view.announce = lambda address, trouble, wanted: None
        return view

    return made(make)  # type: ignore[no-any-return]


def live_view_place(view: LiveView) -> RList:
    """Where a view is served, or why it is not."""
    return {"address": view.address, "trouble": view.trouble}


def sequence(length: int | None, shuffle: bool, seed: int, share: tuple[int, int]) -> Passes:
    """The passes of a function of R that makes batches by their number.

    `share`: which process reads them, of how many.
    """
    passes = BatchSequence(lambda number: number, length, shuffle, seed, None)
    passes.share = int(share[0]), int(share[1])
    return passes


def share(source: Any, index: Any, count: Any) -> Any:
    """`share_of` of a source of Python's."""
    return made(lambda: share_of(source, index, count))


def place(index: Any, count: Any) -> Any:
    """Which process this is, of how many, as `share_of` finds it."""
    return made(lambda: [*place_in(index, count)])


def _source(given: Any, name: str, pool: Pool | None, model: Any = None) -> Source | None:
    """What a source of R's stands for; validation data is read with the `model` in view."""
    if given is None:
        return None
    if isinstance(given, dict) and "work" in given:
        assert pool is not None
        work = Work(pool, given["work"], given["passes"], given["seed"], name)
        return worker_source(work, given["hook"])
    if isinstance(given, dict) and "images" in given:
        assert pool is not None
        source = _source(given["flow"], name, None, model)
        return worked_source(source, pool, given["images"], function_of(given["flow"]), name)
    if isinstance(given, dict) and "closure" in given:
        number = int(given["closure"])
        if given.get("opens"):
            return stream_source(number)
        if given.get("sequence") is not None:
            return passes_source(number, given["sequence"], told=bool(given["told"]))
        return closure_source(number, f"R closure {number}")
    if isinstance(given, Arrays):
        return fixed_arrays(given.parts)
    source = as_source(given, name) if model is None else as_validation(given, model)
    # Its code may have R called on another thread (a pool, TensorFlow's threads), and wait for it.
    return replace(source, asks=True)
