"""What must hold on every backend: run on the one that KERAS_BACKEND names.

`tools/test backends` runs this folder on JAX, in an environment without TensorFlow.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import (
    ArgumentError,
    evaluate_generator,
    fit_generator,
    flow_from_data,
    predict_generator,
)
from fitgenerator.backends.chosen import running
from support.any_backend import equal, fit, rich
from support.tiny_trainings import Indexed, forever, make_batches

ALONE = importlib.util.find_spec("tensorflow") is None  # the environment has no TensorFlow


@pytest.mark.parametrize("queue", [0, 1, 10])
def test_weights_and_history_are_those_of_fit(queue: int) -> None:
    batches, valid = make_batches(6, last_rows=2), make_batches(2, seed=3)
    theirs, ours = rich(), rich()
    expected = fit(theirs, Indexed(batches), epochs=3, validation_data=Indexed(valid))
    history = fit_generator(
        ours, Indexed(batches), epochs=3, validation_data=valid, max_queue_size=queue, verbose=0,
        validation_steps=2, jit_compile=False,
    )  # fmt: skip
    assert history.history == expected
    assert equal(ours, theirs)


def test_calls_of_several_steps_give_nearly_the_same() -> None:
    # TensorFlow draws other random numbers where XLA compiles.
    rate = 0.0 if keras.backend.backend() == "tensorflow" else 0.2
    theirs, ours = rich(rate), rich(rate)
    batches = make_batches(10)
    expected = fit(theirs, forever(batches), 60, epochs=2)
    history = fit_generator(ours, forever(batches), 60, 2, verbose=0, jit_compile=True)
    assert history.pipeline.calls < 120 or keras.backend.backend() == "torch"
    assert history.history == {name: pytest.approx(v, rel=1e-5) for name, v in expected.items()}


class StopsAtBegin(keras.callbacks.Callback):
    """Stops rounds before their first steps: an epoch, and the second validation."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch, self.validations = epoch, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.stop_training = epoch == self.epoch

    def on_test_begin(self, logs: Any = None) -> None:
        self.validations += 1
        self.model.stop_evaluating = self.validations == 2


@pytest.mark.parametrize("jit_compile", [True, False, "auto"])
@pytest.mark.parametrize("epoch", [0, 1])
def test_a_round_that_is_stopped_at_its_begin_has_one_step(epoch: int, jit_compile: Any) -> None:
    steps = 1500 if jit_compile == "auto" else 60
    theirs, ours = rich(0.0), rich(0.0)
    batches, valid = forever(make_batches(10)), forever(make_batches(8, seed=3))
    options = {"validation_data": valid, "validation_steps": 40, "epochs": 4}
    calls: Any = {"callbacks": [StopsAtBegin(epoch)]}
    expected = fit(theirs, batches, steps, **calls, **options)
    batches, valid = forever(make_batches(10)), forever(make_batches(8, seed=3))
    options |= {"validation_data": valid, "callbacks": [StopsAtBegin(epoch)], "verbose": 0}
    history = fit_generator(ours, batches, steps, jit_compile=jit_compile, **options)
    assert int(ours.optimizer.iterations) == int(theirs.optimizer.iterations) == epoch * steps + 1
    close = {name: pytest.approx(numbers, rel=1e-4) for name, numbers in expected.items()}
    assert history.history == close


def test_evaluations_and_predictions_are_those_of_keras() -> None:
    model, batches = rich(), make_batches(5, last_rows=3)
    expected = model.evaluate(Indexed(batches), verbose=0)
    assert evaluate_generator(model, Indexed(batches)) == pytest.approx(expected, rel=1e-6)
    expected = model.predict(Indexed(batches), verbose=0)
    assert np.array_equal(predict_generator(model, Indexed(batches)), expected)
    many = predict_generator(model, forever(batches[:4]), 50, jit_compile=True)
    assert np.allclose(many[:16], expected[:16], atol=1e-6)
    assert many.shape == (200, 1)


def classifier() -> Any:
    keras.utils.set_random_seed(5)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("weighs", ["classes", "samples"])
def test_weights_of_classes_and_of_samples(weighs: str) -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(24, 3)).astype("float32")
    y, w = random.integers(0, 2, 24), random.uniform(size=24).astype("float32")
    theirs, ours = classifier(), classifier()
    classes = {0: 1.0, 1: 3.0} if weighs == "classes" else None
    samples = w if weighs == "samples" else None
    options = {"epochs": 2, "verbose": 0, "class_weight": classes}
    expected = theirs.fit(x, y, 4, sample_weight=samples, shuffle=False, **options).history
    flow = flow_from_data(x, y, samples, batch_size=4, shuffle=False)
    assert fit_generator(ours, flow, **options).history == expected
    assert equal(ours, theirs)


def test_what_a_call_sets_on_the_model_is_gone_after_it() -> None:
    model = rich()
    before = {name for name in vars(model) if "jax" in name} - {"_jax_state"}
    fit_generator(model, forever(make_batches(1)), 2, verbose=0)
    assert {name for name in vars(model) if "jax" in name} - {"_jax_state"} == before


def test_an_array_may_be_filled_again_after_it_was_given() -> None:
    x, y = np.zeros((4, 3), "float32"), np.zeros((4, 1), "float32")
    theirs, ours = rich(), rich()
    batches = make_batches(8)
    fit(theirs, forever(batches), 8)

    def filled_again() -> Iterator[Any]:
        for inputs, targets in batches:
            x[:], y[:] = inputs, targets
            yield x, y

    fit_generator(ours, filled_again(), 8, verbose=0, max_queue_size=1, jit_compile=False)
    assert equal(ours, theirs)


def test_epochs_models_without_variables_and_eager_steps() -> None:
    stop = keras.callbacks.EarlyStopping("loss", min_delta=1e9, patience=0)
    options = {"initial_epoch": 2, "callbacks": [stop], "verbose": 0}
    assert fit_generator(rich(), forever(make_batches(2)), 2, 9, **options).epoch == [2, 3]
    unbuilt = keras.Sequential([keras.layers.Dense(2)])
    assert predict_generator(unbuilt, forever(make_batches(1)), 2).shape == (8, 2)
    eager = rich()
    eager.compile("sgd", "mse", run_eagerly=True)
    threads = []
    with_hook = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda *_: threads.append(threading.current_thread())
    )
    fit_generator(eager, forever(make_batches(1)), 2, callbacks=[with_hook], verbose=0)
    assert threads == [threading.main_thread()] * 2


@pytest.mark.skipif(not ALONE, reason="TensorFlow is installed")
def test_tensorflow_is_not_needed() -> None:
    assert running().name == keras.config.backend() != "tensorflow"
    assert "tensorflow" not in sys.modules


def test_a_backend_that_is_not_supported_is_named() -> None:
    from fitgenerator.backends.chosen import backend_named

    with pytest.raises(ArgumentError, match="'tensorflow', 'jax' or 'torch', not 'openvino'"):
        backend_named("openvino")


def test_neither_library_is_loaded_with_the_package(clean_environment: dict[str, str]) -> None:
    code = "import sys, fitgenerator; print('jax' in sys.modules and 'tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "False\n"
