"""The public functions: train, evaluate, predict on batches that a generator yields meanwhile."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any

from . import arguments
from .caller_warnings import warn
from .errors import Terminated
from .host.direct import DirectHost
from .host.interface import Host
from .legacy_arguments import accepts_former
from .models.protocol import KerasModel
from .r_functions import Bridge, register
from .reporting.history import History
from .reporting.terminal import Screen
from .sources.recognition import as_source
from .sources.source import Generator, Source
from .sources.validation import as_validation
from .training.background import Loop
from .training.callbacks import SomeCallbacks
from .training.options import RunOptions, fit_options, run_options, steps_of, within_limit
from .training.plan import plan_evaluate, plan_fit, plan_predict
from .training.run_context import RunContext


def _rpy2() -> Bridge | None:
    """The bridge to the R functions of rpy2, where that has been imported."""
    if "rpy2" not in sys.modules:
        return None
    from .r.rpy2 import bridge

    return bridge


register(_rpy2)


def r_runs() -> bool:
    """Whether rpy2's R runs, so that code of a call from this thread may call R."""
    embedded = sys.modules.get("rpy2.rinterface_lib.embedded")
    main = threading.current_thread() is threading.main_thread()
    return main and embedded is not None and embedded.isready()


@accepts_former
def fit_generator(
    model: KerasModel,
    generator: Generator,
    steps_per_epoch: float | None = None,
    epochs: int = 1,
    verbose: int | str = 1,
    callbacks: SomeCallbacks = None,
    validation_data: Generator | None = None,
    validation_steps: float | None = None,
    class_weight: Mapping[int, float] | None = None,
    max_queue_size: int | None = None,
    initial_epoch: int | None = None,
    *,
    workers: int | None = None,
    validation_freq: int | Sequence[int] = 1,
    timeout: float | None = None,
    jit_compile: str | bool = "auto",
) -> History:
    """Train a Keras model on batches that a generator yields while the model trains.

    The generator runs on a thread of its own; callbacks and tracing stay on the calling thread. The
    history equals that of `model.fit` on the same batches.

    Args:
        model: A compiled `keras.Model` on TensorFlow, JAX or PyTorch, or a `tf_keras.Model`.
        generator: Where the batches come from: an iterator, iterable or generator, a
            `keras.utils.PyDataset` or other object with `__getitem__` and `__len__`, a
            `tf.data.Dataset`, a list of batches (tuples), or an R function (rpy2). A batch is
            `(inputs, targets)` or `(inputs, targets, sample_weights)`: arrays of shape
            `(rows, ...)`, or lists or dicts of them. A model compiled without a loss needs no
            targets; one with a `train_step` of its own takes any structure of arrays.
        steps_per_epoch: Batches of one epoch; a fraction is rounded up. `None`: the generator's
            length, or one pass.
        epochs: Number of the last epoch, counted from 1: `epochs - initial_epoch` are trained.
        verbose: 0 silent; 1 a progress bar on a terminal or in a notebook, else a line per epoch; 2
            a line per epoch.
        callbacks: Callbacks of the model's Keras.
        validation_data: What `generator` may be, or fixed arrays, a tuple `(inputs, targets)` or
            `(inputs, targets, sample_weights)`, or `(inputs,)` where the model needs no targets;
            all of their rows are evaluated after each epoch, in batches of 32. A tuple of tuples is
            batches only where it does not fit the model.
        validation_steps: Batches of one validation; a fraction is rounded up. `None`: the length of
            the data. Without effect on fixed arrays.
        class_weight: Class (whole number from 0) to weight; multiplied with sample weights. A class
            in the targets that has no weight is an error.
        max_queue_size: Batches that may wait for the model; 0 draws each batch, on the calling
            thread, when its step needs it. `None`: what a `PyDataset` says, else 10.
        initial_epoch: Number of the first epoch, counted from 0; flows, and `batch_sequence`, then
            begin with the pass of that number. `None`: 0, and they go on after the passes that
            earlier trainings have read. A `Checkpoint` among `callbacks` goes on by itself.
        workers: Threads that read a generator that has `__getitem__` and `__len__`, order kept; a
            plain iterator always has one. 0 is the same as `max_queue_size=0`. `None`: what a
            `PyDataset` says, else 1. For `batch_sequence(executor=)`: batches that the executor
            makes at a time; `None`: as many as it runs. For `batch_sequence()` of an R function
            (rpy2), above 1: R processes that make the batches, for this call.
        validation_freq: Validate every so many epochs, or after the epochs (from 1) of a list.
        timeout: Seconds to wait for one batch, `None` for ever. The error shows where the generator
            stands; with a timeout, batches are drawn on a thread of their own in lock-step, too.
        jit_compile: Whether calls that run several steps are compiled by XLA, which is faster and
            changes the last digits. "auto": only for 10,000 steps or more (on JAX 3,000) of a model
            with up to 100,000 weights and only operations that mean the same in XLA (dense and
            convolutional layers with the usual activations, losses, metrics and optimizers; on JAX
            with any operations, since XLA compiles single steps, too). Steps in which a
            number is not finite, or an index or label is out of range, run again without XLA, with
            TensorFlow's numbers or its error. True: for all models. Models with other operations
            then lose TensorFlow's run-time checks: an index or label out of range gives a plausible
            number or NaN and no error, `tf.debugging` assertions and `check_numerics` are not
            evaluated, NaN and infinities may be treated differently, random numbers (dropout) are
            others, and layers that compute in 16-bit floats (mixed precision) differ by up to the
            rounding of such a float. False: never; single steps follow `compile()`. On a CPU, calls
            of steps with more than a few convolutions or much pooling are never compiled, because
            such steps take several times as long in a loop of XLA's. `history.pipeline` shows what
            was done.

    Returns:
        The history, with the attributes `history` (metric to one number per epoch), `epoch`,
        `params`, `pipeline` (where the time went) and `incomplete`.

    Raises:
        ValueError: A bad argument, a malformed batch (the message names it), or a model that is
            being trained by another call.
        TypeError: An argument of a kind that cannot be used.
        TimeoutError: The generator gave no batch within `timeout` seconds.
        BaseException: What the generator, a callback or the model raised: the same object, with a
            note that says where.
        KeyboardInterrupt: On Ctrl-C; `last_history()` has the finished epochs.

    Warns:
        EndedEarlyWarning: The generator ended early; the history is marked incomplete.
        FormerArgumentWarning: An argument had the name of an earlier Keras (`nb_epoch`).
        StepsWarning: A number of batches was rounded up, or is without effect on fixed arrays.
        TrainableWarning: Layers were frozen or thawed without `compile()`, which has no effect.

    Example:
        A generator that goes on for ever::

            import keras, numpy as np
            from fitgenerator import fit_generator

            model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
            model.compile("sgd", "mse")

            def batches(rng=np.random.default_rng(1)):
                while True:
                    inputs = rng.normal(size=(32, 2))
                    yield inputs, inputs @ [[1], [-1]]

            history = fit_generator(model, batches(), steps_per_epoch=50, epochs=5)
            history.history["loss"]
    """
    source = as_source(generator, "generator")
    validation = None if validation_data is None else as_validation(validation_data, model)
    fit = fit_options(
        source,
        validation,
        steps_per_epoch=steps_per_epoch,
        epochs=epochs,
        validation_steps=validation_steps,
        class_weight=class_weight,
        initial_epoch=initial_epoch,
        validation_freq=validation_freq,
    )
    options = run_options(
        "train", model, callbacks, max_queue_size, workers, timeout, jit_compile, verbose
    )
    plan = partial(plan_fit, options=options, fit=fit)
    return _run(plan, options, source, validation)  # type: ignore[no-any-return]


@accepts_former
def evaluate_generator(
    model: KerasModel,
    generator: Generator,
    steps: float | None = None,
    max_queue_size: int | None = None,
    *,
    workers: int | None = None,
    callbacks: SomeCallbacks = None,
    verbose: int | str = 0,
    timeout: float | None = None,
    jit_compile: str | bool = "auto",
    return_dict: bool = False,
) -> Any:
    """Evaluate a model on batches that a generator yields meanwhile.

    Args:
        model, generator: As for `fit_generator`.
        steps: Batches to evaluate on; a fraction is rounded up. `None`: the generator's length, or
            one pass.
        callbacks: Callbacks with `on_test_*` hooks.
        max_queue_size, workers, verbose, timeout, jit_compile: As for `fit_generator`.
        return_dict: Whether to return a dict, in the same order.

    Returns:
        What Keras's `evaluate` returns, over all rows: the loss, a number, where there is nothing
        else; a list of the loss and the metrics as compiled; or with `return_dict` a dict by name.

    Raises:
        ValueError: As `fit_generator`; also where the generator has no batch at all.

    Warns:
        EndedEarlyWarning: The generator ended early; the figures are those of what came.
        StepsWarning: `steps` was rounded up.
    """
    source = as_source(generator, "generator")
    steps = within_limit(source, steps)
    count = steps_of(source, steps)
    options = run_options(
        "test", model, callbacks, max_queue_size, workers, timeout, jit_compile, verbose
    )
    named = arguments.flag(return_dict, "return_dict")
    plan = partial(plan_evaluate, steps=count, options=options, whole=steps is None)
    scores = _run(plan, options, source)
    values = list(scores.values())
    return scores if named else values[0] if len(values) == 1 else values


@accepts_former
def predict_generator(
    model: KerasModel,
    generator: Generator,
    steps: float | None = None,
    max_queue_size: int | None = None,
    *,
    workers: int | None = None,
    callbacks: SomeCallbacks = None,
    verbose: int | str = 0,
    timeout: float | None = None,
    jit_compile: str | bool = "auto",
) -> Any:
    """Predict for the inputs of batches that a generator yields meanwhile.

    Args:
        model: A `keras.Model` or `tf_keras.Model`.
        generator: As for `fit_generator`; a batch may also be inputs alone, or a tuple of one.
        steps: Batches to predict; a fraction is rounded up. `None`: the generator's length, or one
            pass.
        callbacks: Callbacks with `on_predict_*` hooks.
        max_queue_size, workers, verbose, timeout, jit_compile: As for `fit_generator`.

    Returns:
        The predictions of all rows in the order of the batches, as an array or the model's nested
        structure of arrays. Of several processes, each gets the rows of its own batches.

    Raises:
        ValueError: As `fit_generator`; also where the generator has no batch at all.

    Warns:
        EndedEarlyWarning: The generator ended early; the rows are those of what came.
        StepsWarning: `steps` was rounded up; the warning says how many rows are left out, where
            that is known.
        ShuffledWarning: The generator shuffles, so that nobody knows which row of the predictions
            is whose.
    """
    source = as_source(generator, "generator")
    steps = within_limit(source, steps)
    count = steps_of(source, steps, predicting=True)
    options = run_options(
        "predict", model, callbacks, max_queue_size, workers, timeout, jit_compile, verbose
    )
    plan = partial(plan_predict, steps=count, options=options, whole=steps is None)
    return _run(plan, options, source)


def _run(plan: Callable[..., Loop], options: RunOptions, *given: Source | None) -> Any:
    """Run a loop where its sources want it: here, or on a training thread that we host."""
    contexts: list[RunContext] = []

    def planned(host: Host, *sources: Source | None) -> Loop:
        loop = plan(host, *sources)
        contexts.append(loop.context)
        for text, kind in loop.context.notices.first:
            warn(text, kind)
        return loop

    with closing(Screen()) as screen:
        try:
            if _needs_r(given):
                from .r.rpy2 import server

                result = server.host(planned, given, options, screen.show)
            else:
                result = _run_here(planned, DirectHost(screen.show), given)
        except BaseException as error:
            if isinstance(error, Terminated) and options.verbose:
                print(error, file=sys.stderr)  # Python itself does not, of an exit with a status
            with suppress(UserWarning):  # where warnings are errors, what was raised comes first
                _warn(contexts)
            raise
        _warn(contexts)
        return result


def _needs_r(sources: Sequence[Source | None]) -> bool:
    """Whether R functions (rpy2) make the batches, or may be called meanwhile."""
    # What code of the user's calls of R, in a generator or a function of images, cannot be seen.
    return r_runs() or any(source is not None and source.hosted for source in sources)


def _warn(contexts: Sequence[RunContext]) -> None:
    for context in contexts:
        for text, kind in context.all_warnings():
            warn(text, kind)


def _run_here(plan: Callable[..., Loop], host: DirectHost, given: Sequence[Source | None]) -> Any:
    loop = plan(host, *given)
    context = loop.context
    # Thread rule 2: Ctrl-C must not be raised inside TensorFlow's frames.
    with host.interrupts, context.shared():
        try:
            context.callbacks.attach()
            return loop.run_alone()
        finally:  # thread rule 11 (nothing survives the call): not a second interrupt's threads
            try:
                context.close()
            except KeyboardInterrupt:
                context.close()
                raise
            finally:
                context.release()
