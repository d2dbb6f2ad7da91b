"""Several steps in one call: the same bits, the same callbacks, XLA only where asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import evaluate_generator, predict_generator
from fitgenerator.steps.chosen import steps_of
from fitgenerator.steps.tensorflow import compiled_steps
from support.tiny_trainings import (
    PATIENCE,
    HookLog,
    Indexed,
    Seen,
    Watched,
    at_epoch_end,
    catch,
    echo_model,
    forever,
    keras_history,
    linear_model,
    make_batches,
    new_echo_model,
    notes_of,
    numbered,
    numbered_batch,
    outputs_alone,
    rich_model,
    run,
    same_history,
    same_weights,
    weights_of,
)

pytestmark = pytest.mark.usefixtures("loops_pay")


def ready(batches: Any) -> Iterator[Any]:
    """`batches` as a generator that is ahead of the model: calls of several find them there."""
    yield from batches


# -- plain loops: the same bits -----------------------------------------------------------------


@pytest.mark.parametrize("make", [linear_model, rich_model])
def test_calls_of_several_steps_give_the_bits_of_single_ones(make: Any) -> None:
    batches = make_batches(53, last_rows=2)
    expected, other = make(), make()
    theirs = keras_history(expected, Indexed(batches), epochs=3)
    ours = run(other, Indexed(batches), epochs=3)
    assert same_history(ours, theirs)
    assert same_weights(weights_of(expected), weights_of(other))
    assert ours.pipeline.steps == 159
    assert ours.pipeline.calls < 100
    assert ours.pipeline.xla_steps == 0
    assert ours.pipeline.fallback is None


@pytest.mark.parametrize("size", [2, 7, 10])
def test_a_call_takes_no_more_than_the_queue_holds(size: int) -> None:
    model = echo_model()
    ours = run(model, numbered(), 60, 2, max_queue_size=size)
    assert ours.history["loss"] == [30.5, 90.5]
    assert 120 / size <= ours.pipeline.calls < 120


def test_validation_evaluate_and_predict_run_several_too() -> None:
    batches = make_batches(40, last_rows=1)
    model = rich_model()
    theirs = keras_history(
        rich_model(), Indexed(batches), epochs=2, validation_data=Indexed(batches)
    )
    assert same_history(
        run(model, Indexed(batches), epochs=2, validation_data=Indexed(batches)), theirs
    )
    scores = evaluate_generator(model, Indexed(batches))
    assert scores == model.evaluate(Indexed(batches), verbose=0)
    predictions = predict_generator(model, Indexed(batches))
    assert np.array_equal(predictions, model.predict(Indexed(batches), verbose=0))
    kept = steps_of(model)._kept
    traced = {(mode, key[0].value) for mode in kept for key in kept[mode].traced}
    assert {("test", "loop"), ("predict", "loop")} <= traced


def test_class_and_sample_weights_in_calls_of_several() -> None:
    batches = [
        (x, (y > 1).astype("float32"), np.full(4, 2.0, "float32")) for x, y in make_batches(40)
    ]
    weights = {0: 0.5, 1: 3.0}
    ours = run(linear_model(), ready(batches), 40, class_weight=weights)
    alone = run(linear_model(), ready(batches), 40, class_weight=weights, max_queue_size=1)
    assert alone.pipeline.calls == 40
    assert ours.pipeline.calls < 40
    assert same_history(ours, alone.history)


def test_G9_changes_of_signature_break_a_call_and_nothing_else() -> None:
    inputs = keras.Input((None, 1))
    means = keras.layers.GlobalAveragePooling1D()(inputs)
    outputs = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")(means)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.0), outputs_alone)

    def batch(k: int) -> Any:
        length, rows = 3 + (k // 4) % 3, 1 + (k // 7) % 2
        return np.full((rows, length, 1), k, "float32"), np.zeros((rows, 1), "float32")

    batches = [batch(k) for k in range(80)]
    ours = run(model, ready(batches), 80)
    rows = np.array([len(x) for x, _ in batches])
    assert ours.history["loss"][0] == pytest.approx((rows * np.arange(80)).sum() / rows.sum(), 1e-6)
    assert ours.pipeline.calls < 80
    got = predict_generator(model, (x for x, _ in batches), 80)
    assert got[:, 0].tolist() == [k for k, n in enumerate(rows) for _ in range(n)]


def test_one_iterator_for_both_keeps_its_order() -> None:
    source = numbered()
    ours = run(echo_model(), source, 30, 2, validation_data=source, validation_steps=20)
    assert ours.history["loss"] == [15.5, 65.5]
    assert ours.history["val_loss"] == [40.5, 90.5]


# -- when a call is one step --------------------------------------------------------------------


def test_batch_hooks_ask_for_single_steps() -> None:
    seen = Seen()
    ours = run(echo_model(), numbered(), 30, callbacks=[seen])
    assert ours.pipeline.calls == 30
    assert seen.train == list(range(1, 31))


def test_only_the_mode_with_the_hook_runs_single_steps() -> None:
    hook = keras.callbacks.LambdaCallback()
    hook.on_test_batch_end = lambda batch, logs=None: None
    ours = run(echo_model(), numbered(), 30, 1, [hook], numbered(), validation_steps=30)
    assert 30 < ours.pipeline.calls < 60


def test_callbacks_at_epoch_frequency_do_not_count(tmp_path: Any) -> None:
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "m.weights.h5", save_weights_only=True),
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
    ]
    assert run(linear_model(), forever(make_batches(5)), 40, 2, callbacks).pipeline.calls < 80


@pytest.mark.parametrize("options", [{"max_queue_size": 0}, {"workers": 0}, {"max_queue_size": 1}])
def test_no_room_no_group(options: Any) -> None:
    assert run(echo_model(), numbered(), 30, **options).pipeline.calls == 30


def test_eager_models_run_single_steps() -> None:
    assert run(linear_model(run_eagerly=True), forever(make_batches(3)), 9).pipeline.calls == 9


def test_few_steps_are_not_worth_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    model = new_echo_model()
    assert run(model, numbered(), 30).pipeline.calls == 30
    assert steps_of(model).traces == 1


def test_steps_per_execution_keeps_its_hooks_and_its_calls() -> None:
    log = HookLog()
    model = new_echo_model(steps_per_execution=8)
    ours = run(model, numbered(), 20, 4, [log], max_queue_size=5)
    numbers = [entry[1] for entry in log.log if entry[0] == "on_train_batch_end"]
    assert numbers == [7, 15, 23] * 4
    assert ours.history["loss"] == [10.5, 30.5, 50.5, 70.5]
    assert ours.pipeline.calls < 80


def test_a_step_that_returns_no_tensor_runs_alone() -> None:
    class Custom(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            return {**super().train_step(data), "kind": None}

    model = Custom([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    ours = run(model, forever(make_batches(5)), 40)
    assert ours.pipeline.calls == 40
    assert "something else than dense tensors" in ours.pipeline.fallback
    assert ours.history["kind"] == [None]


def test_a_step_that_cannot_be_looped_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def looped(*args: Any, **named: Any) -> Any:
        raise RuntimeError("not in a loop\nof any kind")

    monkeypatch.setattr(compiled_steps, "looped", looped)
    model = linear_model(3)
    weights = model.get_weights()
    ours = run(model, forever(make_batches(5)), 40)
    assert ours.pipeline.calls == 40
    assert ours.pipeline.fallback == "loop: not in a loop"
    assert run(model, forever(make_batches(5)), 40).pipeline.calls == 40
    model.set_weights(weights)
    again = run(model, forever(make_batches(5)), 40, max_queue_size=0)
    assert same_history(ours, again.history)


# -- what acts within a call --------------------------------------------------------------------


def test_an_error_leaves_the_weights_of_the_last_good_batch() -> None:
    batches = make_batches(33)
    expected, other = linear_model(), linear_model()
    run(expected, ready(batches), 33)

    def failing() -> Iterator[Any]:
        yield from batches
        raise OSError("gone")

    with pytest.raises(OSError, match="gone") as caught:
        run(other, failing(), 50)
    assert "batch 34" in notes_of(caught.value)
    assert same_weights(weights_of(expected), weights_of(other))


def test_an_early_end_within_a_call_is_counted_exactly() -> None:
    batches = [numbered_batch(k) for k in range(1, 48)]
    caught = catch(lambda: run(echo_model(), iter(batches), 30, 2))
    assert "60 batches were wanted, 47 came" in str(caught[0].message)


def test_stop_training_acts_within_one_call() -> None:
    model = new_echo_model()
    stopped: list[int] = []

    def stop(number: int) -> None:
        if number == 40:
            model.stop_training = True
            stopped.append(int(model.optimizer.iterations))

    run(model, Watched(numbered(), stop), 10_000)
    assert int(model.optimizer.iterations) <= stopped[0] + 21


def test_M1_batches_alive_are_at_most_twice_the_queue_and_one() -> None:
    most = 0
    model = new_echo_model()

    def look(number: int) -> None:
        nonlocal most
        most = max(most, number - int(model.optimizer.iterations))

    run(model, Watched(numbered(), look), 400, max_queue_size=4)
    assert most <= 9


def test_a_refilled_array_is_copied_when_it_is_pulled() -> None:
    x, y = np.zeros((2, 1), "float32"), np.zeros((2, 1), "float32")

    def refilling() -> Iterator[Any]:
        for number in range(1, 10**6):
            x[:] = number
            yield x, y

    assert run(echo_model(), refilling(), 100).history["loss"] == [50.5]


def test_a_slow_generator_is_not_waited_for() -> None:
    model = new_echo_model()
    run(model, numbered(), 30)
    used, release = [], threading.Event()

    def slow(number: int) -> None:
        if number == 25:  # of a call of 10, only 4 are there
            release.wait(PATIENCE)

    watch = at_epoch_end(lambda epoch: None)
    before = int(model.optimizer.iterations)

    def look() -> None:
        deadline = time.monotonic() + PATIENCE
        while int(model.optimizer.iterations) < before + 24 and time.monotonic() < deadline:
            time.sleep(0.01)
        used.append(int(model.optimizer.iterations) - before)
        release.set()

    thread = threading.Thread(target=look)
    thread.start()
    run(model, Watched(numbered(), slow), 60, callbacks=[watch])
    thread.join()
    assert used == [24]


# -- kept for the next call ---------------------------------------------------------------------


def test_a_second_call_traces_nothing() -> None:
    model = rich_model()
    run(model, forever(make_batches(5)), 40)
    traces = steps_of(model).traces
    assert run(model, forever(make_batches(5)), 40).pipeline.calls < 40
    assert steps_of(model).traces == traces
    model.compile("sgd", "mse")
    run(model, forever(make_batches(5)), 40)
    assert steps_of(model).traces == 2
