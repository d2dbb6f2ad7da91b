"""From arguments to a loop: checks everything that can be checked before the first pull."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .. import arguments
from ..batches.preparation import Preparer
from ..checkpoint.checkpoint import Checkpoint
from ..errors import ArgumentError, ShuffledWarning
from ..host.interface import Host
from ..models.keras_versions import dialect_of
from ..models.supported import check_model
from ..models.thread_state import capture_scope
from ..models.training_lock import refuse_trained
from ..prefetch.by_request import AskedFeed
from ..prefetch.by_threads import PulledFeed
from ..prefetch.prefetcher import Feed
from ..reporting.history import History, remember
from ..reporting.pipeline import Pipeline
from ..reporting.progress import Progress
from ..sources.source import Source
from ..steps.compiled_steps import Steps
from .callbacks import Callbacks
from .evaluate_loop import EvaluateLoop
from .fit_loop import FitLoop
from .predict_loop import PredictLoop
from .run_context import Course
from .step_runner import Rounds

_SHUFFLES = (
    "`{}` shuffles: row i of the predictions is not that of row (or image) i of its data. "
    "Turn `shuffle` off to have them in that order."
)


@dataclass(frozen=True)
class Settings:
    """What the three functions have in common.

    Attributes:
        max_queue_size: Batches that may wait; 0 is lock-step.
        workers: Threads that read an indexed source; 0 is lock-step.
        timeout: Seconds to wait for one batch, `None` for ever.
        jit_compile: XLA for calls that run several steps.
        verbose: 0, 1 or 2.
        bar_interval: Least seconds between two bars; `None`: a bar cannot be overwritten.
        foreign: Some of what the call runs is R code.
        argument: What the caller calls `generator`, for messages.
    """

    max_queue_size: Any = 10
    workers: Any = 1
    timeout: Any = None
    jit_compile: Any = "auto"
    verbose: Any = 0
    bar_interval: float | None = None
    foreign: bool = False
    argument: str = "generator"

    @property
    def capacity(self) -> int:
        """Batches that may wait in a feed's queue."""
        size = arguments.whole(self.max_queue_size, "max_queue_size", 0)
        return size if arguments.whole(self.workers, "workers", 0) else 0


def plan_fit(
    host: Host,
    model: Any,
    generator: Source,
    settings: Settings,
    *,
    steps_per_epoch: Any,
    epochs: Any,
    callbacks: Any,
    validation_data: Source | None,
    validation_steps: Any,
    class_weight: Any,
    initial_epoch: Any,
    validation_freq: Any,
) -> FitLoop:
    """The loop that `fit_generator` runs; its history is the last one from now on."""
    weights = arguments.class_weights(class_weight)
    steps = _steps_of(generator, steps_per_epoch, "steps_per_epoch", settings.argument)
    last = arguments.whole(epochs, "epochs", 0)
    first = arguments.whole(initial_epoch, "initial_epoch", 0)
    validates = arguments.validation_rule(validation_freq)
    name = "validation_data"
    test_steps = _steps_of(validation_data, validation_steps, "validation_steps", name)
    params = {"verbose": arguments.verbosity(settings.verbose), "epochs": last, "steps": steps}
    refuse_trained(model)
    course = _course(host, model, settings, callbacks, params, training=True)
    history = _history_of(course)
    history.validation_freq = validation_freq
    resumed = _order_checkpoint(course)
    feed = _feed(course, generator, "generator", settings)
    prepare = Preparer(model, weights, fresh=generator.fresh)
    rounds = Rounds(course, "train", feed, prepare, steps, last - first)
    validated = filter(validates, range(first, last))
    validation = _validation(course, feed, validation_data, settings, test_steps, validated)
    remember(history)
    return FitLoop(
        rounds,
        history,
        passes=steps_per_epoch is None,
        epochs=last,
        initial_epoch=first,
        resumed=resumed,
        validation=validation,
        validates=validates,
    )


def plan_evaluate(
    host: Host, model: Any, generator: Source, settings: Settings, *, steps: Any, callbacks: Any
) -> EvaluateLoop:
    """The loop that `evaluate_generator` runs."""
    count = _steps_of(generator, steps, "steps", settings.argument)
    params = {"verbose": arguments.verbosity(settings.verbose), "epochs": 1, "steps": count}
    course = _course(host, model, settings, callbacks, params, training=True)
    feed = _feed(course, generator, "generator", settings)
    rounds = Rounds(course, "test", feed, Preparer(model, fresh=generator.fresh), count)
    return EvaluateLoop(rounds, generator.restarts)


def plan_predict(
    host: Host, model: Any, generator: Source, settings: Settings, *, steps: Any, callbacks: Any
) -> PredictLoop:
    """The loop that `predict_generator` runs."""
    count = _steps_of(generator, steps, "steps", settings.argument)
    params = {"verbose": arguments.verbosity(settings.verbose), "epochs": 1, "steps": count}
    course = _course(host, model, settings, callbacks, params, training=False)
    if generator.shuffled:
        course.doubts.append((_SHUFFLES.format(settings.argument), ShuffledWarning))
    feed = _feed(course, generator, "generator", settings)
    prepare = Preparer(model, predicting=True, fresh=generator.fresh)
    return PredictLoop(Rounds(course, "predict", feed, prepare, count))


def _course(
    host: Host,
    model: Any,
    settings: Settings,
    callbacks: Any,
    params: dict[str, Any],
    *,
    training: bool,
) -> Course:
    jit_compile = arguments.compilation(settings.jit_compile)
    host.patience = arguments.seconds(settings.timeout, "timeout")
    dialect = dialect_of(model)
    check_model(dialect, training=training, foreign=settings.foreign)
    given = Callbacks(callbacks, model, params, host.user_code)
    progress = Progress(
        host.say,
        verbose=params["verbose"],
        interval=settings.bar_interval,
        epochs=params["epochs"],
        at_once=len(given) > 0,
    )
    return Course(
        model=model,
        dialect=dialect,
        steps=Steps.of(model),
        host=host,
        callbacks=given,
        progress=progress,
        meter=Pipeline(max_queue_size=settings.capacity),
        feeds=[],
        scope=capture_scope(),
        jit_compile=jit_compile,
    )


def _history_of(course: Course) -> History:
    history = course.callbacks.find(History) or History()
    history.pipeline = course.meter
    history.incomplete = True
    if course.callbacks.find(History) is None:
        course.callbacks.append(history)
    course.model.history = history
    return history


def _order_checkpoint(course: Course) -> int:
    """Behind all others: it restores what they reset, and saves what they have just changed.

    The epoch that it will go on with, 0 where there is none.
    """
    checkpoints, others = course.callbacks.move_last(Checkpoint)
    if len(checkpoints) > 1:
        raise ArgumentError.of("callbacks", f"must hold one Checkpoint, not {len(checkpoints)}.")
    for checkpoint in checkpoints:
        checkpoint.others = others
    return sum(checkpoint.epoch for checkpoint in checkpoints)


def _feed(course: Course, source: Source, name: str, settings: Settings) -> Feed:
    given: dict[str, Any] = {
        "capacity": settings.capacity,
        "name": name,
        "argument": settings.argument if name == "generator" else name,
        "host": course.host,
        "meter": course.meter,
        "scope": course.scope,
        "workers": arguments.whole(settings.workers, "workers", 0),
        "timeout": course.host.patience,
        "progress": course.progress,
    }
    feed: Feed
    if source.hosted:
        feed = AskedFeed(source, pace=course.pace, **given)
    else:
        feed = PulledFeed(source, **given)
    course.feeds.append(feed)
    return feed


def _validation(
    course: Course,
    training: Feed,
    source: Source | None,
    settings: Settings,
    steps: int | None,
    epochs: Iterable[int],
) -> EvaluateLoop | None:
    """What validates behind so many epochs, where there is something to validate on."""
    if source is None:
        return None
    feed = training
    if source.identity is not training.source.identity or source.restarts:
        feed = _feed(course, source, "validation_data", settings)
        # The calling thread serves one pull at a time: training's come first, unless the training
        # queue is full or all of the epoch's batches are drawn.
        if isinstance(feed, AskedFeed):
            feed.yields_to(training)
    prepare, times = Preparer(course.model, fresh=source.fresh), sum(1 for _ in epochs)
    rounds = Rounds(course, "test", feed, prepare, steps, times)
    return EvaluateLoop(rounds, source.restarts)


def _steps_of(source: Source | None, given: Any, argument: str, name: str) -> int | None:
    """Batches of one round: as asked for, else the source's length, else `None`: until it ends.

    `None` without a source, too.

    Raises:
        ArgumentError: Not a whole number of at least 1, or not given where the source has no end.
    """
    if source is None:
        return None
    if given is not None:
        return arguments.whole(given, argument, 1)
    if source.length == 0:
        raise ArgumentError.of(name, "has no batches: its length is 0.")
    if source.length is None and (source.endless or not source.restarts):
        rule = f"must be given: `{name}` has no length, so the number of batches has to be said."
        raise ArgumentError.of(argument, rule)
    return source.length
