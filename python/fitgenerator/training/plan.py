"""From checked options to a loop, before the first pull."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from ..batches.preparation import Preparer
from ..checkpoint.checkpoint import Checkpoint
from ..errors import ArgumentError, ShuffledWarning, StepsWarning
from ..host.current_host import asking
from ..host.interface import Host
from ..live.tensorboard import pipeline_scalars
from ..models.keras_versions import classes
from ..models.thread_state import capture_scope
from ..prefetch.by_request import RequestPrefetcher
from ..prefetch.by_threads import ThreadPrefetcher
from ..prefetch.prefetcher import Prefetcher, Setup
from ..reporting.history import History, remember
from ..reporting.meter import Meter
from ..reporting.progress import Progress
from ..sources.source import Source
from .callbacks import Callbacks
from .evaluate_loop import EvaluateLoop
from .fit_loop import FitLoop
from .options import FitOptions, RunOptions
from .predict_loop import PredictLoop
from .run_context import RunContext
from .saves import Saves
from .step_runner import StepRunner
from .together import agreement_of, own_callbacks

_SHUFFLES = (
    "`{}` shuffles: row i of the predictions is not that of row (or image) i of its data. "
    "Turn `shuffle` off to have them in that order."
)
_FIXED = "`validation_steps` has no effect on fixed arrays: all {} rows are used."


def plan_fit(
    host: Host,
    generator: Source,
    validation_data: Source | None,
    options: RunOptions,
    fit: FitOptions,
) -> FitLoop:
    """The loop that `fit_generator` runs; its history is the last one from now on."""
    context = _context(host, generator, options, fit.steps, fit.epochs)
    history = _history_of(context, fit)
    context.callbacks.all += pipeline_scalars(context.callbacks.all, context.meter.pipeline)
    prefetcher = _prefetcher(context, generator, options, trains=True)
    prepare = _preparer(context, "train", generator, fit.class_weight)
    epochs = fit.epochs - fit.initial_epoch
    runner = StepRunner(context, "train", prefetcher, prepare, fit.steps, epochs, whole=fit.passes)
    runner.calls.renew()  # here, because Keras 2 hides while it trains what was frozen since
    validation = _validation(context, prefetcher, validation_data, options, fit)
    checkpoint = _order_checkpoint(context)
    runner.saves = saves = Saves(checkpoint, prefetcher, fit.steps)
    saves.resumed = _resumed(context)
    saves.warn(context.notices)
    remember(history)
    return FitLoop(runner, saves, history, fit, validation)


def plan_evaluate(
    host: Host, generator: Source, steps: int | None, options: RunOptions, *, whole: bool
) -> EvaluateLoop:
    """The loop that `evaluate_generator` runs."""
    context = _context(host, generator, options, steps)
    prefetcher = _prefetcher(context, generator, options)
    prepare = _preparer(context, "test", generator)
    runner = StepRunner(context, "test", prefetcher, prepare, steps, whole=whole)
    return EvaluateLoop(runner, generator.restarts)


def plan_predict(
    host: Host, generator: Source, steps: int | None, options: RunOptions, *, whole: bool
) -> PredictLoop:
    """The loop that `predict_generator` runs."""
    context = _context(host, generator, options, steps)
    if generator.shuffled:
        context.notices.others.append((_SHUFFLES.format(options.argument), ShuffledWarning))
    prefetcher = _prefetcher(context, generator, options)
    prepare = _preparer(context, "predict", generator)
    return PredictLoop(StepRunner(context, "predict", prefetcher, prepare, steps, whole=whole))


def _preparer(
    context: RunContext, mode: str, source: Source, weights: Mapping[int, float] | None = None
) -> Preparer:
    adapter, exclusive = source.adapter, source.exclusive
    return Preparer(context.model, mode, weights, adapter=adapter, exclusive=exclusive)


def _context(
    host: Host, source: Source, options: RunOptions, steps: int | None, epochs: int = 1
) -> RunContext:
    model = options.keras_version.model
    host.patience = options.timeout
    agreement = agreement_of(options.keras_version)
    verbose = 0 if agreement.index else options.verbose
    own = own_callbacks(options.callbacks, agreement)
    params = {"verbose": verbose, "epochs": epochs, "steps": steps}
    progress = Progress(
        host.say,
        verbose=verbose,
        interval=options.bar_interval,
        epochs=epochs,
        at_once=len(options.callbacks) > 0,
    )
    meter = Meter(capacity := options.capacity_for(source))
    meter.pipeline._remedy = source.remedy if capacity else ""
    called = meter.called_back
    return RunContext(
        keras_version=options.keras_version,
        jit_compile=options.jit_compile,
        host=host,
        callbacks=Callbacks(own, model, params, host.user_code, called),
        progress=progress,
        meter=meter,
        scope=partial(_working, host, meter, capture_scope(options.keras_version.backend)),
        agreement=agreement,
    )


@contextmanager
def _working(
    host: Host, meter: Meter, scope: Callable[[], AbstractContextManager[None]]
) -> Iterator[None]:
    """Context manager: this thread is one of ours, and works for the call.

    R code that the thread calls, such as a function of images or that of a step, asks the host.
    """
    meter.timeline.enter()
    # Thread rule 10: the caller's state holds on our threads, which start without it.
    with scope(), asking(host):
        yield


def _history_of(context: RunContext, options: FitOptions) -> History:
    callbacks = context.callbacks.all
    history = next((each for each in callbacks if isinstance(each, History)), None)
    if history is None:
        callbacks.append(history := History())
    history.pipeline = context.meter.pipeline
    history.incomplete = True
    history.validation_freq = options.validation_freq
    context.model.history = history
    return history


def _order_checkpoint(context: RunContext) -> Checkpoint | None:
    """Put a checkpoint after all others: it restores what they reset, and saves what they changed.

    The checkpoint, if there is one.
    """
    callbacks = context.callbacks.all
    callbacks.sort(key=lambda callback: isinstance(callback, Checkpoint))  # others keep their order
    checkpoints = [each for each in callbacks if isinstance(each, Checkpoint)]
    if len(checkpoints) > 1:
        raise ArgumentError.of("callbacks", f"must hold one Checkpoint, not {len(checkpoints)}.")
    if not checkpoints:
        return None
    checkpoints[0].call.others = callbacks[:-1]
    return checkpoints[0]


def _resumed(context: RunContext) -> int | None:
    """The epoch to go on with, as far as it is known now; `None` where nothing resumes."""
    callbacks = context.callbacks.all
    if callbacks and isinstance(callbacks[-1], Checkpoint):
        return callbacks[-1].call.stand[0]
    kept = any(isinstance(each, classes("callbacks.BackupAndRestore")) for each in callbacks)
    return 0 if kept else None


def _prefetcher(
    context: RunContext,
    source: Source,
    options: RunOptions,
    *,
    trains: bool = False,
    first: Prefetcher | None = None,
) -> Prefetcher:
    """What fetches from `source`: the call's generator, or what validates after the `first` one."""
    name = "generator" if first is None else "validation_data"
    setup = Setup(
        capacity=options.capacity_for(source),
        name=name,
        argument=options.argument if name == "generator" else name,
        host=context.host,
        meter=context.meter,
        scope=context.scope,
        trains=trains,
        workers=options.workers_for(source),
        timeout=options.timeout,
        progress=context.progress,
    )
    prefetcher: Prefetcher
    if source.hosted:
        prefetcher = RequestPrefetcher(source, setup, context.pacing, first)
    else:
        prefetcher = ThreadPrefetcher(source, setup)
    context.prefetchers.append(prefetcher)
    return prefetcher


def _validation(
    context: RunContext,
    first: Prefetcher,
    source: Source | None,
    options: RunOptions,
    fit: FitOptions,
) -> EvaluateLoop | None:
    """What validates after epochs, where there is something to validate on."""
    if source is None:
        return None
    # Thread rule 12: one object that is training and validation data has one reader.
    prefetcher = first
    if source.identity is not first.source.identity or source.restarts:
        # Thread rule 7: the calling thread makes one batch at a time, and training's come first,
        # unless the training queue is full or all of the epoch's batches are made.
        prefetcher = _prefetcher(context, source, options, first=first)
    steps = fit.validation_steps
    if source.fixed and steps != source.length:
        context.notices.others.append((_FIXED.format(source.identity.n), StepsWarning))
        steps = source.length
    prepare = _preparer(context, "test", source)
    times = sum(map(fit.validates, range(fit.initial_epoch, fit.epochs)))
    runner = StepRunner(
        *(context, "test", prefetcher, prepare, steps, times), whole=fit.validation_passes
    )
    return EvaluateLoop(runner, source.restarts)
