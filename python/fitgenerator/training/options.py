"""The arguments of the public functions: checked once, in one order, and typed from there on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import keras

from .. import arguments
from ..caller_warnings import warn
from ..errors import ArgumentError, StepsWarning
from ..messages import Message
from ..models.keras_versions import Keras3, keras_version_of
from ..models.protocol import KerasModel
from ..models.supported import check_model
from ..models.training_lock import refuse_trained
from ..reporting.terminal import bar_interval
from ..sources.row_counts import rows_left_out
from ..sources.source import Source
from .callbacks import Hooked, SomeCallbacks, flattened

Wanted = TypeVar("Wanted", bound=float | None)


@dataclass(frozen=True)
class RunOptions:
    """What the three functions have in common."""

    mode: str  # "train", "test" or "predict"
    verbose: int  # 0, 1 or 2
    bar_interval: float | None  # least seconds between two bars; `None`: no bar can be overwritten
    argument: str  # what the caller calls `generator`, for messages
    jit_compile: str | bool  # XLA for calls that run several steps: "auto", True or False
    timeout: float | None  # seconds to wait for one batch, `None` for ever
    keras_version: Keras3  # how the model is driven
    callbacks: Sequence[Hooked]  # the callbacks, in the order given
    # 0 is lock-step; `None` is what the source says.
    max_queue_size: int | None  # batches that may wait
    workers: int | None  # threads that read an indexed source

    def workers_for(self, source: Source) -> int:
        """Threads that read a source."""
        return source.workers if self.workers is None else self.workers

    def capacity_for(self, source: Source) -> int:
        """Batches of a source that may wait in a queue."""
        size = source.max_queue_size if self.max_queue_size is None else self.max_queue_size
        return size if self.workers_for(source) else 0


@dataclass(frozen=True)
class FitOptions:
    """What only `fit_generator` has."""

    class_weight: Mapping[int, float] | None  # class to weight
    steps: int | None  # batches of one epoch, `None` for as many as a pass has
    passes: bool  # each epoch is one pass of the source, from its first batch
    validation_passes: bool  # each validation is one pass
    epochs: int  # number of the last epoch, from 1
    initial_epoch: int  # number of the first epoch, from 0
    numbered: bool  # that was given: sources of ours begin there
    validation_freq: int | Sequence[int]  # the epochs that a validation follows, as asked for
    validates: Callable[[int], bool]  # whether one follows the epoch with a given number, from 0
    validation_steps: int | None  # batches of one validation, `None` for as many as a pass has


def run_options(
    mode: str,
    model: KerasModel,
    callbacks: SomeCallbacks,
    max_queue_size: int | None,
    workers: int | None,
    timeout: float | None,
    jit_compile: str | bool,
    verbose: int | str,
    *,
    interval: Callable[[], float | None] = bar_interval,
    foreign: bool = False,
    argument: str = "generator",
) -> RunOptions:
    """Check what the three functions have in common.

    `mode` is "train", "test" or "predict"; `foreign`: some of what the call runs is R code.

    Raises:
        ArgumentError: A value cannot be used, or the model is being trained, or cannot be run here.
        ArgumentTypeError: The model is no Keras model, or a callback is none.
    """
    verbosity = arguments.verbosity(verbose)
    if mode == "train":
        refuse_trained(model)
    return RunOptions(  # in the order in which the arguments are checked
        mode=mode,
        verbose=verbosity,
        bar_interval=interval(),
        argument=argument,
        jit_compile=arguments.compilation(jit_compile),
        timeout=arguments.seconds(timeout, "timeout"),
        keras_version=check_model(keras_version_of(model), mode, foreign=foreign),
        callbacks=flattened(callbacks),
        max_queue_size=_unless_none(max_queue_size, "max_queue_size"),
        workers=_unless_none(workers, "workers"),
    )


def _unless_none(value: int | None, argument: str) -> int | None:
    return None if value is None else arguments.whole(value, argument, 0)


def fit_options(
    generator: Source,
    validation_data: Source | None,
    *,
    steps_per_epoch: float | None,
    epochs: int,
    validation_steps: float | None,
    class_weight: Mapping[int, float] | None,
    initial_epoch: int | None,
    validation_freq: int | Sequence[int],
    argument: str = "generator",
) -> FitOptions:
    """Check what only `fit_generator` has."""
    steps_per_epoch = within_limit(generator, steps_per_epoch)
    validation_steps = within_limit(validation_data, validation_steps)
    return FitOptions(  # in the order in which the arguments are checked
        class_weight=arguments.class_weights(class_weight),
        steps=steps_of(generator, steps_per_epoch, "steps_per_epoch", argument),
        passes=steps_per_epoch is None,
        validation_passes=validation_steps is None,
        epochs=_limited(arguments.whole(epochs, "epochs", 0), "epochs"),
        initial_epoch=arguments.whole(
            0 if initial_epoch is None else initial_epoch, "initial_epoch", 0
        ),
        numbered=initial_epoch is not None,
        validation_freq=validation_freq,
        validates=arguments.validation_rule(validation_freq),
        validation_steps=steps_of(
            validation_data, validation_steps, "validation_steps", "validation_data"
        ),
    )


def within_limit(source: Source | None, given: float | None) -> float | None:
    """The number of steps that was `given`, within Keras's own limit for trial runs."""
    if source is None or source.fixed:
        return given
    wanted = source.length if given is None else given
    limited = _limited(wanted, "steps_per_epoch")
    return given if limited is wanted else limited


def _limited(wanted: Wanted, name: str) -> Wanted | int:
    """At most what `keras.config.set_max_epochs()` and its like say, where this Keras has them."""
    most: int | None = getattr(keras.config, f"max_{name}", lambda: None)()
    if not most or (isinstance(wanted, int | float) and wanted <= most):
        return wanted
    warn(f"`{name}` is limited to {most} by Keras's `max_{name}`.", StepsWarning)
    return most


def steps_of(
    source: Source | None,
    given: float | None,
    argument: str = "steps",
    name: str = "generator",
    *,
    predicting: bool = False,
) -> int | None:
    """Batches of one round: as asked for, else the source's length, else `None`: until it ends.

    `None` without a source, too. In messages, `given` is `argument`, and the source is `name`.

    Raises:
        ArgumentError: Not a number of at least 1, or not given where the source has no end.
    """
    if source is None:
        return None
    if given is not None:
        up = arguments.rounded_up(given)
        if up is None:
            return arguments.whole(given, argument, 1, kind="number")
        if not source.fixed:
            _warn_rounded(given, up, argument, source if predicting else None)
        return up
    if source.length == 0:
        raise ArgumentError.of(name, "has no batches: its length is 0.")
    if source.length is None and (source.endless or not source.restarts):
        rule = f"must be given: `{name}` has no length, so the number of batches has to be said."
        raise ArgumentError.of(argument, rule)
    return source.length


def _warn_rounded(given: float, up: int, argument: str, predicted: Source | None) -> None:
    counts = None if predicted is None else rows_left_out(predicted.identity, up)
    left = ""
    if counts is not None:
        are = "is" if counts[0] == 1 else "are"
        left = f": {counts[0]} of the {counts[1]} rows {are} left out"
    rule = "`{argument}` is {given!r}, which is rounded up to {up}{left}."
    warn(Message(rule, argument=argument, given=given, up=up, left=left), StepsWarning)
