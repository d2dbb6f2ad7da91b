"""The table of faults: where one happens, how, and when; and what has to come of it."""

from __future__ import annotations

import gc
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from support.tiny_trainings import linear_model, make_batches, run

# Whether the whole table is wanted:
# FITGENERATOR_FAULTS=all tools/test python tests/python/promises/test_faults.py
ALL = os.environ.get("FITGENERATOR_FAULTS") == "all"
# How long the slower side takes for a batch, in seconds: long enough for the other to wait.
PAUSE = 0.002
STEPS, EPOCHS, VALIDATION_STEPS = 3, 2, 2
# So many batches: more than any run may draw, so that one too many is seen in the weights.
BATCHES = make_batches(STEPS * EPOCHS + 3)
VALIDATION = make_batches(VALIDATION_STEPS * EPOCHS + 3, seed=1)


class MineError(Exception):
    """A class of the user's."""


class MineBaseError(BaseException):
    """One that `except Exception` does not take."""


def warned() -> None:
    """A warning that the user has made an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.warn("turned into an error", UserWarning, stacklevel=1)


def recursion() -> None:
    """Runs out of Python's stack."""
    recursion()


def raising(error: Callable[[], BaseException]) -> Callable[[], None]:
    """A function that raises a new error each time."""

    def fail() -> None:
        raise error()

    return fail


# -- how: what user code does wrong, or only unusually ------------------------------------------

FAILURES: dict[str, Callable[[], None]] = {
    "exception": raising(lambda: MineError("text", 7)),
    "base exception": raising(lambda: MineBaseError("text")),
    "SystemExit": raising(lambda: SystemExit(3)),
    "KeyboardInterrupt": raising(KeyboardInterrupt),
    "GeneratorExit": raising(GeneratorExit),
    "StopIteration": raising(lambda: StopIteration(5)),
    "StopAsyncIteration": raising(StopAsyncIteration),
    "MemoryError": raising(MemoryError),
    "warning": warned,
    "recursion": recursion,
}
# Of the above, what ends an iterator, and is not an error there.
ENDINGS = ("StopIteration",)


def quiet_warning() -> None:
    """A warning that nobody sees."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.warn("unseen", UserWarning, stacklevel=1)


# What user code may do without harm.
UNUSUAL: dict[str, Callable[[], Any]] = {
    "gc": gc.collect,
    "predicts": lambda: fault_model().predict_on_batch(BATCHES[0][0]),
    "fits another model": lambda: run(other_model(), iter(BATCHES), 2),
    "warns": quiet_warning,
}


# -- where --------------------------------------------------------------------------------------


class Fault:
    """Happens at the `at`-th call, and at no other."""

    def __init__(self, act: Callable[[], Any], at: int) -> None:
        self.raised: BaseException | None = None
        self.calls = 0
        self._act, self._at = act, at

    def __call__(self, *_: Any) -> None:
        self.calls += 1
        if self.calls == self._at:
            try:
                self._act()
            except BaseException as error:
                self.raised = error
                raise


class Faulty:
    """An iterator with a fault, which remembers whether it was called again behind it."""

    def __init__(self, batches: list[Any], fault: Fault) -> None:
        self.fault, self._batches = fault, iter(batches)
        self.called_again = False

    def __iter__(self) -> Faulty:
        return self

    def __next__(self) -> Any:
        self.called_again = self.called_again or self.fault.raised is not None
        self.fault()
        return next(self._batches)


def generator_function(batches: list[Any], fault: Fault) -> Iterator[Any]:
    """The same as a generator."""
    for batch in batches:
        fault()
        yield batch


class Unreadable:
    """Becomes an array, or does not."""

    def __init__(self, array: Any, fault: Fault) -> None:
        self._array, self._fault = array, fault
        self.shape, self.dtype = array.shape, array.dtype

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self._fault()
        return self._array


class Hook(keras.callbacks.Callback):
    """A callback with a fault in one hook."""

    def __init__(self, hook: str, fault: Fault) -> None:
        super().__init__()
        setattr(self, hook, fault)


class Slow(keras.callbacks.Callback):
    """Lets the model take its time, so that the queue is full."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        time.sleep(PAUSE)


def slowly(batches: Any) -> Iterator[Any]:
    """Lets the generator take its time, so that the queue is empty."""
    for batch in batches:
        time.sleep(PAUSE)
        yield batch


@dataclass
class Place:
    """Where a fault is put: arguments of `fit_generator` that hold it.

    Attributes:
        options: Makes the arguments.
        times: At which occurrences it is tried, and how many steps and epochs are finished then.
        noted: What a note on the error says, with the occurrence in it.
    """

    options: Callable[[Fault], dict[str, Any]]
    times: dict[int, tuple[int, int]]
    noted: str = ""


def unreadable(batches: list[Any], fault: Fault) -> Iterator[Any]:
    """Batches whose conversion has a fault."""
    return iter([(Unreadable(x, fault), y) for x, y in batches])


HOOKS: dict[str, dict[int, tuple[int, int]]] = {
    "on_train_begin": {1: (0, 0)},
    "on_epoch_begin": {1: (0, 0), 2: (3, 1)},
    "on_train_batch_begin": {1: (0, 0), 3: (2, 0), 4: (3, 1)},
    "on_train_batch_end": {1: (1, 0), 3: (3, 0), 4: (4, 1)},
    "on_test_begin": {1: (3, 0), 2: (6, 1)},
    "on_test_batch_begin": {1: (3, 0), 2: (3, 0), 3: (6, 1)},
    "on_test_batch_end": {1: (3, 0), 2: (3, 0), 3: (6, 1)},
    "on_test_end": {1: (3, 0), 2: (6, 1)},
    "on_epoch_end": {1: (3, 0), 2: (6, 1)},
    "on_train_end": {1: (6, 2)},
}
# Of the generator: the first, one in the middle, the last of an epoch, the first of the next.
PULLS = {1: (0, 0), 2: (1, 0), 3: (2, 0), 4: (3, 1)}

PLACES: dict[str, Place] = {
    "iterator": Place(
        lambda fault: {"generator": Faulty(BATCHES, fault)},
        PULLS,
        "While batch {} of `generator` was made.",
    ),
    "generator": Place(
        lambda fault: {"generator": generator_function(BATCHES, fault)},
        PULLS,
        "While batch {} of `generator` was made.",
    ),
    "validation": Place(
        lambda fault: {"validation_data": Faulty(VALIDATION, fault)},
        {1: (3, 0), 2: (3, 0), 3: (6, 1)},
        "While batch {} of `validation_data` was made.",
    ),
    "conversion": Place(
        lambda fault: {"generator": unreadable(BATCHES, fault)},
        PULLS,
        "While batch {} of `generator` was made.",
    ),
    **{
        hook: Place(
            lambda fault, hook=hook: {"callbacks": [Hook(hook, fault)]},  # type: ignore[misc]
            times,
            f"Raised by the callback Hook in {hook}().",
        )
        for hook, times in HOOKS.items()
    },
}

# The state of the queue when the fault happens: what the other side is doing.
STATES = {"lock-step": 0, "queue of 1": 1, "full queue": 2, "empty queue": 10}


def combinations() -> list[tuple[str, int, str, str]]:
    """Every place, occurrence and failure, each in all states or, to save time, in one of them."""
    table = [
        (name, at, how) for name, place in PLACES.items() for at in place.times for how in FAILURES
    ]
    states = list(STATES)
    if ALL:
        return [(*entry, state) for entry in table for state in states]
    return [(*entry, states[n % len(states)]) for n, entry in enumerate(table)]


# -- the models ---------------------------------------------------------------------------------


@cache
def fault_model() -> Any:
    """The model that all faults happen to."""
    return linear_model()


@cache
def other_model() -> Any:
    """Another one."""
    return linear_model()


@cache
def expected_weights() -> list[list[Any]]:
    """The weights after 0, 1, 2 ... steps on `BATCHES`."""
    model = linear_model()
    weights = [model.get_weights()]
    for inputs, targets in BATCHES:
        model.train_on_batch(inputs, targets)
        weights.append(model.get_weights())
    return weights


class Limited(keras.layers.Layer):
    """Fails in the compiled step where an input is above 100."""

    def call(self, inputs: Any) -> Any:
        with tf.control_dependencies([tf.debugging.assert_less(inputs, 100.0)]):
            return tf.identity(inputs)


@cache
def limited_model() -> Any:
    """The weights of `fault_model`, in a model whose steps can fail."""
    model = keras.Sequential([keras.Input((3,)), Limited(), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    return model


def reset(model: Any = None) -> Any:
    """The model, as it was before the first step."""
    model = model or fault_model()
    model.set_weights(expected_weights()[0])
    model.optimizer.iterations.assign(0)
    return model


def fit(options: dict[str, Any], state: str, model: Any = None, **more: Any) -> Any:
    """Train as the table says, with the queue in a given state."""
    given: dict[str, Any] = {
        "generator": iter(BATCHES),
        "validation_data": iter(VALIDATION),
        "validation_steps": VALIDATION_STEPS,
        **options,
        **more,
    }
    generator = given.pop("generator")
    if state == "empty queue":
        generator = slowly(generator)
    elif state == "full queue":
        given["callbacks"] = [*given.get("callbacks", []), Slow()]
    return run(reset(model), generator, STEPS, EPOCHS, max_queue_size=STATES[state], **given)


def finished(model: Any = None) -> tuple[int, bool]:
    """How many steps the model has run, and whether its weights are those after them."""
    model = model or fault_model()
    steps = int(model.optimizer.iterations.numpy())
    return steps, has_weights(model, steps)


def has_weights(model: Any, steps: int) -> bool:
    """Whether a model's weights are those after so many steps."""
    wanted = expected_weights()[steps]
    return all(
        np.allclose(a, b, rtol=1e-5) for a, b in zip(model.get_weights(), wanted, strict=True)
    )
