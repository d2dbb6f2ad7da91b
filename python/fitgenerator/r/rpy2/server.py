"""R functions inside a Python process (rpy2): served by the calling thread while the model trains.

R has one thread, Python's main one, so that is where the host loop runs. Rule 2: while it does,
Ctrl-C must not raise inside rpy2's frames, which swallow it. It sets a flag, and R's own, so that R
code stops too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from ...batches.model_inputs import input_names
from ...batches.structure import batch_form
from ...host.garbage_collection import Collector
from ...host.interface import Shown, run_job
from ...host.outcome import Failed, Outcome, TimedOut, Value, attempt
from ...host.requests import Apply, Call, End, Fetch, Job, Request, Say, Signal
from ...host.signal_safe_queue import SLICE
from ...host.switchboard import Switchboard
from ...host.termination import SignalTermination
from ...host.watchdog import Watchdog
from ...sources.source import Source
from ...training.background import BackgroundLoop, Loop
from ...training.options import RunOptions
from ...workers.pool import Pool
from .closures import Closures
from .embedded_r import rinterface
from .functions import helper
from .interrupts import Interrupts
from .thread_calls import ThreadCalls, release_dropped
from .values import to_array, to_python
from .worker_pool import in_processes, signal


def host(
    plan: Callable[..., Loop],
    sources: Sequence[Source | None],
    options: RunOptions,
    show: Callable[[Shown], None],
) -> Any:
    """Run the loop that `plan` makes on a training thread, and serve it from this one.

    `plan` is called with the host and the `sources`, the generator and perhaps validation data.

    Returns the loop's result, and raises what the loop raised, or `KeyboardInterrupt` on Ctrl-C.
    """
    interrupts = Interrupts()
    board = Switchboard(Watchdog(interrupts.send, interrupts.recall), SignalTermination())
    keras_version = options.keras_version
    forms = [batch_form(keras_version, mode) for mode in (options.mode, "test")]
    inputs = input_names(keras_version.model)
    sources, pool = in_processes(board, sources, forms, inputs, options)
    loop = plan(board, *sources)
    running = BackgroundLoop(board, loop)
    with interrupts, Collector() as collector, ThreadCalls(board, interrupts):
        closures = Closures(sources, forms, inputs)
        server = _Server(board, running, closures, pool, show, interrupts, collector)
        try:
            if pool is not None:
                pool.start()
            with interrupts.allowed():
                loop.context.callbacks.attach()
            running.start()
            server.serve()
        finally:
            server.close()
    outcome = running.outcome
    if isinstance(outcome, Failed):
        raise outcome.error
    return outcome.value


def _called(request: Call) -> Outcome:
    try:
        return Value(request.function(*request.args, **request.named))
    except rinterface.embedded.RRuntimeError:  # which may be R's way to say "interrupted"
        raise
    except Exception as error:
        return Failed(error)


@dataclass
class _Server:
    """The host loop of one call."""

    board: Switchboard
    running: BackgroundLoop
    closures: Closures
    pool: Pool | None
    show: Callable[[Shown], None]
    interrupts: Interrupts
    collector: Collector
    request: Request | None = None  # that has not been answered yet
    fork: Any = field(default_factory=lambda: helper("replace_fork")(helper("refuse_fork")))

    def serve(self) -> None:
        """Answer requests until the loop has ended."""
        while True:
            self.interrupts.check()
            self.collector.collect()
            release_dropped()
            request = self.request = self.board.next_request(SLICE)
            match request:
                case Fetch():
                    self._serve_fetch(request)
                case Call():
                    self._serve_call(request)
                case Apply():
                    self._serve_apply(request)
                case Job():
                    self._serve_job(request)
                case Say():
                    self.show(request.shown)
                case Signal():
                    self._signal(request)
                case End():
                    return
            self.request = None

    def _serve_job(self, job: Job) -> None:
        with self.interrupts.allowed():
            outcome = attempt(lambda: run_job(job.work))
        if isinstance(outcome, Failed):
            self.interrupts.check_error(outcome.error)
        job.answer(outcome)

    def _serve_call(self, request: Call) -> None:
        """Run what a source has called of R on its own thread."""
        (outcome,) = self._watched(lambda: [_called(request)])
        request.answer(outcome)

    def _signal(self, request: Signal) -> None:
        try:
            signal(request.fields)
        except rinterface.embedded.RRuntimeError as error:  # or the user's options(warn = 2)
            self.interrupts.check_error(error)
            raise

    def _serve_apply(self, request: Apply) -> None:
        """Run a function that a batch needs which another thread makes."""
        function, (image, seed) = request.function, request.args
        (outcome,) = self._watched(lambda: [function.call(image, seed)])
        if isinstance(outcome, Value):
            outcome = Value(to_array(outcome.value))
        request.answer(outcome)

    def _serve_fetch(self, request: Fetch) -> None:
        """Fetch batches, as many as come quickly."""
        outcomes = self._watched(lambda: self.closures.fetch(request, self.running.used))
        seconds = (perf_counter() - request.begun) / len(outcomes)
        # Rule 9: R's memory stays on this thread. The batches are copies, cast.
        copies = (Value(to_python(o.value)) if isinstance(o, Value) else o for o in outcomes)
        request.answer(list(copies), seconds)

    def _watched(self, call: Callable[[], list[Outcome]]) -> list[Outcome]:
        """What came of a call of an R function; its last value is settled by the watchdog.

        Raises:
            KeyboardInterrupt: The user's interrupt is behind an error.
        """
        watchdog, escaped = self.board.watchdog, False
        try:
            outcomes = call()
        except rinterface.embedded.RRuntimeError as error:  # perhaps R's way to say "interrupted"
            outcomes, escaped = [Failed(error)], True
        finally:
            watchdog.finish()
        if escaped and watchdog.late:
            return [TimedOut()]
        *values, last = outcomes
        if isinstance(last, Failed):
            self.interrupts.check_error(last.error)
        return [*values, watchdog.settle(last)]

    def close(self) -> None:
        """Stop and join every thread, and put R's random numbers and forks where they belong.

        Rule 11: nothing of the call's survives it.
        """
        if self.request is not None:
            self.request.abandon()
        self.running.stop()
        if self.pool is not None:
            self.pool.end()
        # R would take a pending interrupt, or one that comes now, in the midst of it.
        if not isinstance(self.fork, rinterface.NULLType):
            helper("undisturbed")(helper("replace_fork"), self.fork)
        self.closures.close(self.running.used)
