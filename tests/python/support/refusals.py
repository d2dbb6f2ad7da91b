"""A call for every place in fitgenerator that raises or warns, by what is wrong in it."""

from __future__ import annotations

import importlib.util
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest import mock

import keras
import numpy as np
import scipy.sparse
import tensorflow as tf
from fitgenerator import evaluate_generator, flow_from_data, predict_generator
from fitgenerator.backends import forks
from fitgenerator.backends.tensorflow.tensors import TensorFlow
from fitgenerator.batches.class_weight import weigh
from fitgenerator.batches.structure import Parts
from fitgenerator.r.rpy2 import embedded_r
from fitgenerator.training import run_context

from support.array_kinds import recursive, symbolic
from support.refusals_arguments import PAGE, PAGE_WARNINGS
from support.refusals_backends import BACKENDS
from support.refusals_checkpoint import SAVING
from support.refusals_flows import FLOWS, SHUFFLED
from support.refusals_images import IMAGE_WARNINGS, IMAGES
from support.refusals_live import VIEW_WARNINGS, VIEWS
from support.refusals_own_steps import FREEZING, OWN_STEPS
from support.refusals_plots import PICTURES
from support.refusals_processes import PROCESSES
from support.refusals_replicas import REPLICAS
from support.refusals_workers import WORKERS
from support.tiny_trainings import (
    Indexed,
    Reiterable,
    echo_model,
    linear_model,
    make_batches,
    numbered,
    run,
)

X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
W = np.ones(4, "float32")


def batch(*parts: Any, raw: Any = None, **options: Any) -> Callable[[], object]:
    """Training on one batch."""
    return lambda: run(linear_model(), iter([raw if raw is not None else parts]), 1, **options)


def a_fork() -> None:
    """A check in a process that takes itself for a fork."""
    tf.constant(1)
    silent = mock.patch.multiple(forks, _is_fork=lambda: True, _answers=lambda _: False)
    with silent, mock.patch.object(forks._Known, "sound", None):
        forks.check_process("TensorFlow", lambda: None)


def two_outputs(weights: Any) -> Callable[[], object]:
    """Training of a model of the outputs a and b on one batch, with such sample weights."""

    def train() -> object:
        inputs = keras.Input((3,))
        model = keras.Model(inputs, [keras.layers.Dense(1, name=n)(inputs) for n in "ab"])
        model.compile("sgd", "mse")
        return run(model, iter([(X, [Y, Y], weights)]), 1)

    return train


def options(**given: Any) -> Callable[[], object]:
    """Training with arguments that are wrong."""
    return lambda: run(echo_model(), numbered(), **{"steps": 1, **given})


def source(given: Any) -> Callable[[], object]:
    """Training on what is no generator."""
    return lambda: run(echo_model(), given, 1)


def validation(given: Any) -> Callable[[], object]:
    """Validation on fixed arrays."""
    return lambda: run(linear_model(), make_batches(1), validation_data=given)


class Turned(NamedTuple):
    """A batch by names, in another order."""

    labels: Any
    features: Any


def named_model() -> Any:
    """A model of two inputs by name."""
    inputs = {name: keras.Input((3,), name=name) for name in ("image", "size")}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    model = keras.Model(inputs, keras.layers.Dense(1)(joined))
    model.compile("sgd", "mse")
    return model


def reticulates(*_: Any) -> Any:
    """Taken for an R function that reticulate has wrapped."""
    return tf.constant(1.0)


reticulates.__module__ = "rpytools.call"


def r_function(code: str) -> Any:
    """An R function; R starts with the first."""
    from support.r_code import closure

    return closure(code)


def elsewhere(call: Callable[[], object]) -> None:
    """Make a call on another thread; what it raises is raised here."""
    caught: list[BaseException] = []

    def keep() -> None:
        try:
            call()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=keep, name="another")
    thread.start()
    thread.join()
    raise caught[0]


def with_r_ended() -> None:
    """Train on a function of an R that has ended, as far as can be seen."""
    function = r_function("function() list(1, 1)")
    with mock.patch("rpy2.rinterface_lib.embedded.isready", return_value=False):
        run(linear_model(), function, 1)


def without_rpy() -> None:
    """Import the module that loads rpy2 where rpy2 is not installed."""
    spec = importlib.util.spec_from_file_location("fitgenerator.r.rpy2.again", embedded_r.__file__)
    assert spec is not None
    assert spec.loader is not None
    with mock.patch.dict(sys.modules, {"rpy2": None}):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def with_a_distribution() -> None:
    """Train where a setting of the session is not supported, as on JAX."""
    why = "a keras.distribution is set, which is not supported: set it to None"
    with mock.patch.object(TensorFlow, "unsupported", return_value=why):
        run(linear_model(), numbered(), 1)


def with_another_backend() -> None:
    """Train where Keras's backend is another."""
    with mock.patch.object(keras.config, "backend", return_value="openvino"):
        run(linear_model(), make_batches(1))


def r_gradient() -> None:
    """Train on a loss that calls an R function through tf.py_function."""

    def loss(true: Any, predicted: Any) -> Any:
        result = tf.py_function(reticulates, [predicted], tf.float32)
        result.set_shape([])
        return result

    model = linear_model()
    model.compile("sgd", loss)
    run(model, make_batches(1))


def never() -> Iterator[Any]:
    """A generator whose first batch takes too long."""
    time.sleep(0.2)
    yield X, Y


ERRORS: dict[str, Callable[[], object]] = {
    # batch
    "a bare array": batch(raw=X),
    "a bare array, to predict": lambda: predict_generator(linear_model(), iter([[X] * 4]), 1),
    "fields in another order": batch(raw=Turned(Y, X)),
    "inputs that are missing": batch(None, Y),
    "targets that are missing": batch(X, []),
    "unequal rows": batch(X, Y[:3]),
    "no rows": batch(X[:0], Y[:0]),
    "a list that holds itself": batch(recursive(), Y),
    "a list of numbers": batch(X, [1.0, 0, 1, 0, 1]),
    "targets that are text": batch(X, np.array(["cat"] * 4)),
    "inputs that are text": batch(np.array([["cat"] * 3] * 4), Y),
    "weights for what is no output": two_outputs({"c": W}),
    "weights for one of two outputs, in a list": two_outputs([W]),
    "a number in a dict": batch(X, {"a": Y, "b": 3.5}),
    "targets without columns": batch(X, np.ones((4, 0))),
    "classes without one target": batch(X, [Y, Y], class_weight={0: 1}),
    "a class without a weight": batch(X, Y, class_weight={0: 1}),
    "classes and several weights": batch(X, Y, [W, W], class_weight={1: 1}),
    "classes that are text": batch(X, np.array(["a"] * 4), class_weight={0: 1}),
    "classes without columns": lambda: weigh(Parts(X, np.ones((4, 0))), {0: 1.0}),
    "classes that are NaN": batch(X, Y * np.nan, class_weight={0: 1}),
    **OWN_STEPS,
    # arrays
    "text": batch("text", Y),
    "a number of NumPy's": batch(X, np.float32(2)),
    "a symbol of Keras": batch(keras.KerasTensor((4, 3)), Y),
    "masked values": batch(np.ma.array(X, mask=True), Y),
    "a tensor without rows": batch(symbolic((None, 3)), Y),
    # expected
    "other names": lambda: run(named_model(), iter([({"image": X, "sizes": X}, Y)]), 1),
    "more inputs": batch([X, X], Y),
    "complex numbers": batch(X, Y + 1j),
    # tensors
    "dates": batch(X, Y.astype("int64").astype("datetime64[D]")),
    "objects": batch(X, np.array([[1]] * 3 + [[1, 2]], object)),
    "a tensor of a graph": batch(symbolic(), Y),
    "a sparse matrix of long doubles": batch(scipy.sparse.csr_matrix(X.astype("g")), Y),
    # options
    "a fraction": options(steps=0.5),
    "a length of 0": lambda: run(echo_model(), Indexed([])),
    "no steps": options(steps=None),
    "class weights in a list": options(class_weight=[1, 2]),
    "class weights by output": options(class_weight={"a": {0: 1, 1: 2}}),
    "a class by a word": options(class_weight={"cat": 1}),
    "a class twice": options(class_weight={0: 1, "0": 2}),
    "a negative class weight": options(class_weight={0: -1}),
    "no epochs to validate after": options(validation_freq=[]),
    "no time": options(timeout=0),
    "verbose": options(verbose=7),
    "jit_compile": options(jit_compile="yes"),
    "no model": lambda: run("model", numbered(), 1),
    "no callback": options(callbacks=[print]),
    # sources
    "a function": source(print),
    "a dict": source({"x": X}),
    "an object": source(object()),
    "a generator function": source(numbered),
    "an R function of reticulate's": source(reticulates),
    "arrays": source([X, Y]),
    "one fixed array": validation([X]),
    "fixed arrays of unequal rows": validation((X, Y[:3])),
    "a tuple that is neither arrays nor batches": validation(((X, X), (Y,))),
    "fixed arrays that cannot be cut": validation((tf.sparse.from_dense(X), Y)),
    # scope
    "another backend": with_another_backend,
    "a distribution": with_a_distribution,
    **BACKENDS,
    "a model that is not compiled": lambda: run(
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]), numbered(), 1
    ),
    **PROCESSES,
    **REPLICAS,
    "a fork": a_fork,
    # step
    "the gradient of an R function": r_gradient,
    # feed, loops
    "a generator that is too slow": lambda: run(linear_model(), never(), 1, timeout=0.05),
    "a hook that is too slow": lambda: run(linear_model(), Slow(make_batches(1)), timeout=0.05),
    "nothing to train on": lambda: run(linear_model(), iter([]), 1),
    "nothing to evaluate": lambda: evaluate_generator(linear_model(), iter([]), 1),
    "nothing to predict": lambda: predict_generator(linear_model(), iter([]), 1),
    # rpy
    "no rpy2": without_rpy,
    "an R function on another thread": lambda: elsewhere(
        source(r_function("function() list(1, 1)"))
    ),
    "an R function of an R that has ended": with_r_ended,
    "an R function with arguments": source(r_function("function(a, b = 1) a")),
    "a batch of R that is none": lambda: run(linear_model(), r_function("function() list(1)"), 1),
    **SAVING,
    **IMAGES,
    **FLOWS,
    **WORKERS,
    **PAGE,
    **PICTURES,
    **VIEWS,
}


# -- warnings -----------------------------------------------------------------------------------


def three_batches() -> Iterator[Any]:
    """A generator that ends after three batches."""
    return iter(make_batches(3))


class Stuck:
    """An iterator whose second batch never comes, until it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self._first = True

    def __iter__(self) -> Stuck:
        return self

    def __next__(self) -> Any:
        if not self._first:
            self.free.wait()
        self._first = False
        return X, Y


class Slow(Indexed):
    """Takes its time at the end of a pass."""

    def on_epoch_end(self) -> None:
        time.sleep(2)


class Processes(Indexed):
    """Is to be read by processes."""

    use_multiprocessing = True


def stuck() -> None:
    """Train on a generator that does not return, with a short time-out."""
    given = Stuck()
    threads = set(threading.enumerate())
    with mock.patch.object(run_context, "GRACE", 0.1):
        try:
            run(linear_model(), given, 2, timeout=0.1)
        except TimeoutError:
            pass
        finally:
            given.free.set()
            for thread in set(threading.enumerate()) - threads:
                thread.join()


class Dwindling(Reiterable):
    """Gives nothing when it is read for a second time."""

    def __iter__(self) -> Iterator[Any]:
        batches, self._batches = self._batches, []
        yield from batches


WARNINGS: dict[str, Callable[[], object]] = {
    "a fraction of steps": lambda: run(linear_model(), iter(make_batches(3)), 2.4),
    "a prediction of a fraction of steps": lambda: predict_generator(
        linear_model(), flow_from_data(X[:4], batch_size=1, shuffle=False), 2.4
    ),
    "steps of fixed arrays": lambda: run(
        linear_model(), three_batches(), 2, validation_data=(X, Y), validation_steps=7
    ),
    "training that ended early": lambda: run(linear_model(), three_batches(), 2, 3),
    "nothing for an epoch": lambda: run(linear_model(), Dwindling(make_batches(2)), None, 2),
    "an evaluation that ended early": lambda: evaluate_generator(
        linear_model(), three_batches(), 5
    ),
    "a prediction that ended early": lambda: predict_generator(linear_model(), three_batches(), 5),
    "a generator that does not return": stuck,
    "a data set for processes": lambda: run(linear_model(), Processes(make_batches(1))),
    **FREEZING,
    **IMAGE_WARNINGS,
    **SHUFFLED,
    **PAGE_WARNINGS,
    **VIEW_WARNINGS,
}
