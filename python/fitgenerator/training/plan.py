"""From checked options to a loop, before the first pull."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..batches.preparation import Preparer
from ..checkpoint.checkpoint import Checkpoint
from ..errors import ArgumentError, ShuffledWarning
from ..host.interface import Host
from ..models.thread_state import capture_scope
from ..prefetch.by_request import AskedFeed
from ..prefetch.by_threads import PulledFeed
from ..prefetch.prefetcher import Feed
from ..reporting.history import History, remember
from ..reporting.meter import Meter
from ..reporting.progress import Progress
from ..sources.source import Source
from ..steps.compiled_steps import Steps
from .callbacks import Callbacks
from .evaluate_loop import EvaluateLoop
from .fit_loop import FitLoop
from .options import FitOptions, RunOptions
from .predict_loop import PredictLoop
from .run_context import Course
from .step_runner import Rounds

_SHUFFLES = (
    "`{}` shuffles: row i of the predictions is not that of row (or image) i of its data. "
    "Turn `shuffle` off to have them in that order."
)


def plan_fit(
    host: Host,
    generator: Source,
    validation_data: Source | None,
    options: RunOptions,
    fit: FitOptions,
) -> FitLoop:
    """The loop that `fit_generator` runs; its history is the last one from now on."""
    course = _course(host, options, fit.steps, fit.epochs)
    history = _history_of(course, fit)
    resumed = _order_checkpoint(course)
    feed = _feed(course, generator, "generator", options)
    prepare = Preparer(course.model, fit.class_weight, exclusive=generator.exclusive)
    rounds = Rounds(course, "train", feed, prepare, fit.steps, fit.epochs - fit.initial_epoch)
    validation = _validation(course, feed, validation_data, options, fit)
    remember(history)
    return FitLoop(rounds, history, fit, resumed, validation)


def plan_evaluate(
    host: Host, generator: Source, steps: int | None, options: RunOptions
) -> EvaluateLoop:
    """The loop that `evaluate_generator` runs."""
    course = _course(host, options, steps)
    feed = _feed(course, generator, "generator", options)
    prepare = Preparer(course.model, exclusive=generator.exclusive)
    return EvaluateLoop(Rounds(course, "test", feed, prepare, steps), generator.restarts)


def plan_predict(
    host: Host, generator: Source, steps: int | None, options: RunOptions
) -> PredictLoop:
    """The loop that `predict_generator` runs."""
    course = _course(host, options, steps)
    if generator.shuffled:
        course.doubts.append((_SHUFFLES.format(options.argument), ShuffledWarning))
    feed = _feed(course, generator, "generator", options)
    prepare = Preparer(course.model, predicting=True, exclusive=generator.exclusive)
    return PredictLoop(Rounds(course, "predict", feed, prepare, steps))


def _course(host: Host, options: RunOptions, steps: int | None, epochs: int = 1) -> Course:
    model = options.keras_version.model
    host.patience = options.timeout
    params = {"verbose": options.verbose, "epochs": epochs, "steps": steps}
    progress = Progress(
        host.say,
        verbose=options.verbose,
        interval=options.bar_interval,
        epochs=epochs,
        at_once=len(options.callbacks) > 0,
    )
    return Course(
        model=model,
        keras_version=options.keras_version,
        steps=Steps.of(model),
        host=host,
        callbacks=Callbacks(options.callbacks, model, params, host.user_code),
        progress=progress,
        meter=Meter(options.capacity),
        feeds=[],
        scope=capture_scope(),
        jit_compile=options.jit_compile,
    )


def _history_of(course: Course, options: FitOptions) -> History:
    known = course.callbacks.find(History)
    history = known or History()
    history.pipeline = course.meter.pipeline
    history.incomplete = True
    history.validation_freq = options.validation_freq
    if known is None:
        course.callbacks.append(history)
    course.model.history = history
    return history


def _order_checkpoint(course: Course) -> int:
    """Put a checkpoint after all others: it restores what they reset, and saves what they changed.

    The epoch that the training will go on with, 0 where there is no checkpoint.
    """
    checkpoints, others = course.callbacks.move_last(Checkpoint)
    if len(checkpoints) > 1:
        raise ArgumentError.of("callbacks", f"must hold one Checkpoint, not {len(checkpoints)}.")
    for checkpoint in checkpoints:
        checkpoint.others = others
    return sum(checkpoint.epoch for checkpoint in checkpoints)


def _feed(course: Course, source: Source, name: str, options: RunOptions) -> Feed:
    kind: Callable[..., Feed] = PulledFeed
    if source.hosted:
        kind = partial(AskedFeed, pace=course.pace)
    feed = kind(
        source,
        capacity=options.capacity,
        name=name,
        argument=options.argument if name == "generator" else name,
        host=course.host,
        meter=course.meter,
        scope=course.scope,
        workers=options.workers,
        timeout=options.timeout,
        progress=course.progress,
    )
    course.feeds.append(feed)
    return feed


def _validation(
    course: Course, first: Feed, source: Source | None, options: RunOptions, fit: FitOptions
) -> EvaluateLoop | None:
    """What validates after epochs, where there is something to validate on."""
    if source is None:
        return None
    feed = first  # thread rule 12: one object that is training and validation data has one reader
    if source.identity is not first.source.identity or source.restarts:
        feed = _feed(course, source, "validation_data", options)
        # Thread rule 7: the calling thread serves one pull at a time, and training's come first,
        # unless the training queue is full or all of the epoch's batches are drawn.
        if isinstance(feed, AskedFeed):
            feed.yields_to(first)
    prepare = Preparer(course.model, exclusive=source.exclusive)
    times = sum(map(fit.validates, range(fit.initial_epoch, fit.epochs)))
    rounds = Rounds(course, "test", feed, prepare, fit.validation_steps, times)
    return EvaluateLoop(rounds, source.restarts)
