"""Who reads the model while it is trained finds the state of the last finished call."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import BatchError, evaluate_generator, fit_generator, predict_generator
from support.any_backend import equal, fit, rich
from support.tiny_trainings import PATIENCE, forever, make_batches

JAX, TORCH = (keras.config.backend() == name for name in ("jax", "torch"))
ROWS = make_batches(1)[0][0]


@pytest.mark.parametrize("loops", [False, True])
def test_A9_a_generator_may_predict_with_the_model_that_is_trained(loops: bool) -> None:
    batches, seen = make_batches(4), []
    rate = (
        0.0 if loops and not (JAX or TORCH) else 0.2
    )  # TensorFlow draws other numbers where XLA compiles
    theirs, ours = rich(rate), rich(rate)
    fit(theirs, forever(batches), 200)

    def predicting() -> Iterator[Any]:
        for number, batch in enumerate(forever(batches)):
            often = ours.predict_on_batch(batch[0])
            seen.append(ours.predict(batch[0], verbose=0) if number % 20 == 0 else often)
            yield batch

    history = fit_generator(ours, predicting(), 200, verbose=0, jit_compile=loops)
    assert len(seen) == 200
    assert all(np.isfinite(part).all() for part in seen)
    if loops and not TORCH:
        assert history.pipeline.calls < 200
        pairs = zip(ours.get_weights(), theirs.get_weights(), strict=True)
        assert all(np.allclose(a, b, 1e-4, 1e-5) for a, b in pairs)
    else:
        assert equal(ours, theirs)


class Counting(keras.layers.Layer):
    """Counts the steps of a training, in a variable that no optimizer changes."""

    def build(self, shape: Any) -> None:
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training:
            self.steps.assign_add(1.0)
        return inputs


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_prediction_in_the_generator_undoes_no_step(eagerly: bool) -> None:
    counting, many = Counting(), np.zeros((2000, 3), "float32")
    layers = [counting, *(keras.layers.Dense(400) for _ in range(2)), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile("sgd", "mse", run_eagerly=eagerly)

    def predicting() -> Iterator[Any]:
        for batch in forever(make_batches(4)):
            predict_generator(model, [(many,)], 1)
            evaluate_generator(model, [(many, many[:, :2])], 1)
            yield batch

    fit_generator(model, predicting(), 40, verbose=0, jit_compile=False)
    assert float(counting.steps.numpy()) == 40


def twins() -> Any:
    """A model of two outputs that are equal in each state of a training."""
    inputs = keras.Input((3,))
    outputs = [keras.layers.Dense(2, kernel_initializer="ones", name=n)(inputs) for n in "ab"]
    model = keras.Model(inputs, outputs)
    model.compile("adam", ["mse", "mse"])
    return model


def test_another_thread_may_read_the_model_and_sees_the_whole_state_of_a_call_on_jax() -> None:
    model, seen, ended = twins(), [], threading.Event()
    doubled = [(x, [y, y]) for x, y in make_batches(4)]

    def look() -> None:
        while not ended.is_set():
            seen.append((model.predict_on_batch(ROWS), model.get_weights()))

    def end(*_: Any) -> None:
        ended.set()
        thread.join(PATIENCE)

    thread = threading.Thread(target=look, daemon=True)
    within = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: thread.start(), on_epoch_end=end
    )
    fit_generator(model, forever(doubled), 400, verbose=0, callbacks=[within])
    assert seen
    assert not thread.is_alive()
    for (a, b), weights in seen:
        # TensorFlow and PyTorch change weights where they are, one after the other.
        assert np.array_equal(a, b) or not JAX
        assert all(np.isfinite(part).all() for part in weights)


class Uses(keras.callbacks.Callback):
    """Uses the model in every hook."""

    def __init__(self, path: Any) -> None:
        super().__init__()
        self.path, self.weights = path, []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.predict(np.zeros((2, 3), "float32"), verbose=0)
        self.weights.append(self.model.get_weights()[0])

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.save(self.path / "model.keras")
        assert evaluate_generator(self.model, forever(make_batches(1)), 2)


def test_hooks_find_the_model_whole(tmp_path: Any) -> None:
    theirs, ours, uses = rich(), rich(), Uses(tmp_path)
    fit(theirs, forever(make_batches(3)), 6, epochs=2)
    fit_generator(ours, forever(make_batches(3)), 6, 2, callbacks=[uses], verbose=0)
    assert len({each.tobytes() for each in uses.weights}) == 12
    assert equal(keras.models.load_model(tmp_path / "model.keras"), ours)
    trained = zip(ours.trainable_variables, theirs.trainable_variables, strict=True)
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in trained)


def test_an_error_leaves_the_state_of_the_last_finished_call() -> None:
    theirs, ours = rich(), rich()
    batches = make_batches(3)
    fit(theirs, forever(batches), 3)

    def failing() -> Iterator[Any]:
        yield from batches
        raise KeyError("no more")

    with pytest.raises(KeyError, match="no more"):
        fit_generator(ours, failing(), 5, verbose=0)
    assert equal(ours, theirs)
    wrong = np.zeros((4, 2), "float32"), np.zeros((4, 1), "float32")
    with pytest.raises(ValueError, match="expected axis -1"):
        fit_generator(ours, iter([wrong]), 1, verbose=0)
    assert equal(ours, theirs)
    with pytest.raises(BatchError, match="same number of rows"):
        fit_generator(ours, iter([(wrong[0], wrong[1][:3])]), 1, verbose=0)


@pytest.mark.skipif(not JAX, reason="about JAX")
def test_a_step_that_fails_while_it_runs_leaves_the_state_before_it() -> None:
    import jax

    calls = []

    def third(x: Any) -> Any:
        calls.append(1)
        if len(calls) > 2:
            raise OSError("the third step")
        return x

    class Failing(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            kind = jax.ShapeDtypeStruct(x.shape, x.dtype)
            return jax.lax.stop_gradient(jax.pure_callback(third, kind, x))

    def model_of(*layers: Any) -> Any:
        keras.utils.set_random_seed(7)
        model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    theirs, ours = model_of(), model_of(Failing())
    fit(theirs, forever(make_batches(3)), 2)
    with pytest.raises(Exception, match="the third step"):
        fit_generator(ours, forever(make_batches(3)), 5, verbose=0)
    assert equal(ours, theirs)
    calls.clear()
    assert fit_generator(ours, forever(make_batches(3)), 2, verbose=0).epoch == [0]


def test_a_number_of_rows_seen_only_at_the_end_is_traced_once() -> None:
    batches, model = make_batches(5, last_rows=2), rich()
    options = {"epochs": 4, "verbose": 0, "max_queue_size": 1}
    assert fit_generator(model, batches, **options).pipeline.traces == (2 if JAX else 1)
    assert fit_generator(model, batches, **options).pipeline.traces == 0
