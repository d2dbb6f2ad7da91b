"""Which thread runs what, what it knows of the caller, and that none of ours is left."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitgenerator import (
    AbandonedThreadWarning,
    evaluate_generator,
    fit_generator,
    predict_generator,
)
from fitgenerator.training import plan
from support.tiny_trainings import (
    LULL,
    PATIENCE,
    Seen,
    Watched,
    at_batch_begin,
    at_epoch_end,
    close_history,
    echo_model,
    linear_model,
    make_batches,
    new_echo_model,
    numbered,
    numbered_batch,
    run,
)

# -- who runs what ------------------------------------------------------------------------------


@pytest.mark.parametrize("queue_size", [1, 10])
def test_a_generator_runs_on_one_feeder_thread(queue_size: int) -> None:
    source, unseen = Watched(numbered()), Watched(numbered())
    options = {"validation_steps": 2, "max_queue_size": queue_size}
    run(echo_model(), source, 3, 2, None, unseen, **options)
    assert [t.name for t in source.threads] == ["fitgenerator-feeder-generator-0"]
    assert [t.name for t in unseen.threads] == ["fitgenerator-feeder-validation_data-0"]


@pytest.mark.parametrize("options", [{"max_queue_size": 0}, {"workers": 0}])
def test_lockstep_starts_no_thread(options: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda thread: pytest.fail("a thread"))
    source = Watched(numbered())
    run(echo_model(), source, 2, 2, None, [numbered_batch(1)], **options)
    evaluate_generator(echo_model(), source, 2, **options)
    predict_generator(echo_model(), source, 2, **options)
    assert source.threads == {threading.current_thread()}


def test_tracing_runs_on_the_calling_thread() -> None:
    traced: list[threading.Thread] = []

    def loss(targets: Any, outputs: Any) -> Any:
        traced.append(threading.current_thread())
        return keras.ops.mean((targets - outputs) ** 2)

    model = linear_model()
    model.compile("sgd", loss)
    batches = make_batches(4, last_rows=1)
    run(model, batches, validation_data=batches)
    assert traced == [threading.current_thread()] * 2


def test_a_call_from_a_thread_of_the_users_works() -> None:
    result: dict[str, Any] = {}
    log = Seen()

    def train() -> None:
        result["history"] = run(echo_model(), numbered(), 3, 2, [log]).history

    thread = threading.Thread(target=train)
    thread.start()
    thread.join(PATIENCE)
    assert result["history"] == {"loss": [2, 5]}


def test_two_trainings_at_once() -> None:
    meeting = threading.Barrier(2)
    results: dict[int, Any] = {}

    def train(number: int) -> None:
        def meet(pull: int) -> None:
            if pull == 2:  # both are in the middle of training
                meeting.wait(PATIENCE)

        source = Watched(numbered(number), meet)
        results[number] = fit_generator(models[number], source, 4, 2, verbose=0).history

    models = {number: new_echo_model() for number in (1, 101)}
    threads = [threading.Thread(target=train, args=(number,)) for number in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert results == {1: {"loss": [2.5, 6.5]}, 101: {"loss": [102.5, 106.5]}}


def test_a_training_within_a_callback_of_another(queue: int) -> None:
    inner: list[Any] = []
    other = new_echo_model()

    def train_other(epoch: int) -> None:
        inner.append(run(other, numbered(10), 2, max_queue_size=queue).history["loss"])

    callbacks = [at_epoch_end(train_other)]
    history = run(echo_model(), numbered(), 2, 2, callbacks, max_queue_size=queue)
    assert history.history["loss"] == [1.5, 3.5]
    assert inner == [[10.5], [10.5]]


def test_evaluating_the_same_model_within_a_callback(queue: int) -> None:
    model, scores, unseen = echo_model(), [], Watched(numbered(50))

    def evaluate(epoch: int) -> None:
        scores.append(evaluate_generator(model, unseen, 2, queue))

    history = run(model, numbered(), 2, 2, [at_epoch_end(evaluate)], max_queue_size=queue)
    assert history.history["loss"] == [1.5, 3.5]
    assert scores == [50.5, 52.5]


@pytest.mark.parametrize("steps", [200])
def test_A9_a_generator_may_predict_with_the_model_that_trains(steps: int, queue: int) -> None:
    model = linear_model()
    x, y = make_batches(1, rows=16)[0]

    def hardest() -> Any:
        while True:
            errors = np.abs(model.predict_on_batch(x) - y)[:, 0]
            hard = np.argsort(errors)[-8:]
            yield x[hard], y[hard]

    options = {"validation_steps": 10, "max_queue_size": queue}
    history = run(model, hardest(), steps // 4, 4, None, hardest(), **options).history
    for losses in history["loss"], history["val_loss"]:
        assert np.isfinite(losses).all()
        assert losses[-1] < losses[0] / 2


def test_A6_one_session_of_many_calls(queue: int) -> None:
    model, source = linear_model(), Watched(make_batches(12))
    run(model, source, 2, max_queue_size=queue)
    before = threading.active_count()
    run(model, source, 2, max_queue_size=queue)
    evaluate_generator(model, source, 2, queue)
    predict_generator(model, source, 2, queue)
    run(model, source, 2, 1, None, source, validation_steps=2, max_queue_size=queue)
    assert source.pulls == 12
    assert threading.active_count() == before


# -- what our threads know ----------------------------------------------------------------------


def test_the_callers_keras_state_holds_in_the_generator(queue: int) -> None:
    seen: list[Any] = []

    def looking() -> Any:
        while True:
            seen.append(
                (
                    keras.config.dtype_policy().name,
                    "mine" in keras.saving.get_custom_objects()
                    or keras.saving.get_registered_object("mine") is not None,
                )
            )
            yield numbered_batch(1)

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with keras.saving.custom_object_scope({"mine": print}):
            run(echo_model(), looking(), 2, max_queue_size=queue)
    finally:
        keras.config.set_dtype_policy(before)
    assert seen == [("mixed_bfloat16", True)] * 2


def test_the_callers_device_and_strategy_hold_in_the_generator(queue: int) -> None:
    seen: list[Any] = []
    strategy = tf.distribute.OneDeviceStrategy("cpu:0")

    def looking() -> Any:
        while True:
            from tensorflow.python.eager import context

            seen.append((tf.distribute.get_strategy(), context.context().device_name))
            yield numbered_batch(1)

    with strategy.scope(), tf.device("cpu:0"):
        model = new_echo_model()
        run(model, looking(), 2, max_queue_size=queue)
    assert [s for s, _ in seen] == [strategy] * 2
    assert all(device and device.endswith("CPU:0") for _, device in seen)


def test_A3_a_model_of_a_strategy_with_one_replica_trains(queue: int) -> None:
    expected = run(linear_model(), iter(make_batches(8)), 2, 4, None, make_batches(2, seed=5))
    strategy = tf.distribute.MirroredStrategy(["cpu:0"])
    with strategy.scope():
        model = linear_model()
    options = {"validation_steps": 2, "max_queue_size": queue}
    unseen = iter(make_batches(2, seed=5) * 4)
    ours = run(model, iter(make_batches(8)), 2, 4, None, unseen, **options)
    assert len(ours.history["val_loss"]) == 4
    assert close_history(ours.history, expected.history)


def test_layers_made_in_a_generator_have_names_of_their_own() -> None:
    within, made, paths = threading.Event(), threading.Event(), list[str]()

    def within_a_scope(batch: int) -> None:
        with keras.name_scope("mine"):
            within.set()
            assert made.wait(PATIENCE)

    def making(pull: int) -> None:
        if pull == 2:
            assert within.wait(PATIENCE)
            layer = keras.layers.Dense(1, name="dense")
            layer.build((None, 1))
            paths.append(layer.kernel.path)
            made.set()

    run(echo_model(), Watched(numbered(), making), 2, callbacks=[at_batch_begin(within_a_scope)])
    assert paths == ["dense/kernel"]


def test_a_step_traced_in_the_generator_leaves_the_model_as_it_was() -> None:
    began, predicting, trained = (threading.Event() for _ in range(3))

    class Meeting(keras.layers.Layer):
        """Both steps are traced at once; that of training, which began first, ends first."""

        def call(self, inputs: Any, training: bool = False) -> Any:
            if training:
                began.set()
                assert predicting.wait(PATIENCE)
            elif began.is_set() and not predicting.is_set():
                predicting.set()
                assert trained.wait(PATIENCE)
            return inputs

    model = keras.Sequential([keras.Input((1,)), Meeting(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")

    def predicts(pull: int) -> None:
        if pull == 2:
            assert began.wait(PATIENCE)
            predict_generator(model, iter([numbered_batch(1)]), 1)

    ended = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: trained.set())
    run(model, Watched(numbered(), predicts), 3, callbacks=[ended])
    assert "compute_loss" not in vars(model)
    assert "apply" not in vars(model.optimizer)


# -- generators that do not return --------------------------------------------------------------


class Stuck:
    """An iterator whose second pull returns only when it is released."""

    def __init__(self) -> None:
        self.reached, self.release = threading.Event(), threading.Event()
        self.pulls = 0

    def __iter__(self) -> Stuck:
        return self

    def __next__(self) -> Any:
        self.pulls += 1
        if self.pulls == 2:
            self.reached.set()
            assert self.release.wait(PATIENCE)
        return numbered_batch(self.pulls)

    def let_go(self) -> None:
        """Release it, and wait until its thread has ended."""
        self.release.set()
        for thread in threading.enumerate():
            if thread.name.startswith("fitgenerator"):
                thread.join(PATIENCE)


def test_F3_a_stuck_generator_is_cut_off_with_a_warning_that_names_its_thread(
    short_grace: float,
) -> None:
    model, source = echo_model(), Stuck()

    def stop(batch: int) -> None:
        assert source.reached.wait(PATIENCE)
        model.stop_training = True

    with pytest.warns(AbandonedThreadWarning, match="fitgenerator-feeder-generator-0"):
        history = run(model, source, 5, callbacks=[at_batch_begin(stop)])
    assert history.history["loss"] == [1]
    assert [t.daemon for t in threading.enumerate() if "fitgenerator" in t.name] == [True]
    assert run(model, numbered(), 2).history["loss"] == [1.5]  # meanwhile the model is usable
    source.let_go()
    assert source.pulls == 2  # what was cut off pulls no more


def test_F3_the_callers_error_comes_first_where_a_generator_is_stuck(short_grace: float) -> None:
    source, error = Stuck(), ValueError("mine")

    def fail(batch: int) -> None:
        assert source.reached.wait(PATIENCE)
        raise error

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(ValueError, match="mine") as raised:
            run(echo_model(), source, 5, callbacks=[at_batch_begin(fail)])
    assert raised.value is error
    assert [w.category for w in caught] == [AbandonedThreadWarning]
    source.let_go()
    second = Stuck()
    source.reached = second.reached
    with pytest.raises(ValueError, match="mine"):  # also where warnings are errors
        run(echo_model(), second, 5, callbacks=[at_batch_begin(fail)])
    second.let_go()


def test_a_generator_that_returns_within_the_grace_is_waited_for() -> None:
    model, source = echo_model(), Stuck()

    def stop(batch: int) -> None:
        assert source.reached.wait(PATIENCE)
        model.stop_training = True

    def release_soon(logs: Any = None) -> None:  # when the queue is closed already
        threading.Timer(LULL, source.release.set).start()

    callbacks = [at_batch_begin(stop), keras.callbacks.LambdaCallback(on_train_end=release_soon)]
    run(model, source, 5, callbacks=callbacks)  # a warning would be an error
    assert source.pulls == 2


def test_a_thread_that_fails_where_it_starts_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise RuntimeError("no such scope")

    monkeypatch.setattr(plan, "capture_scope", lambda backend: refuse)
    for options in ({}, {"max_queue_size": 0, "timeout": PATIENCE}):
        with pytest.raises(RuntimeError, match="no such scope"):
            run(echo_model(), numbered(), 2, **options)


def test_a_thread_that_cannot_start_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run(echo_model(), numbered(), 2)
    monkeypatch.undo()
    assert run(echo_model(), numbered(), 2).history["loss"] == [1.5]


def test_a_start_that_is_interrupted_leaves_nothing_to_wait_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):  # a warning of a thread left behind would be an error
        run(echo_model(), numbered(), 2)
    monkeypatch.undo()
    assert run(echo_model(), numbered(), 2).history["loss"] == [1.5]
