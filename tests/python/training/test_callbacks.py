"""Callbacks: Keras's own and the user's, in Keras's order, with Keras's numbers."""

from __future__ import annotations

import csv
import threading
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitgenerator import evaluate_generator, predict_generator
from support.tiny_trainings import (
    HookLog,
    Indexed,
    Seen,
    Watched,
    at_batch_begin,
    at_epoch_end,
    echo_model,
    forever,
    linear_model,
    make_batches,
    new_echo_model,
    numbered,
    numbered_batch,
    run,
    same_weights,
    weights_of,
)

BATCHES = make_batches(3)
THREE = [numbered_batch(k) for k in (1, 2, 3)]


def scripted(losses: list[float]) -> list[Any]:
    """A batch for `echo_model` per epoch, so that its losses are these."""
    return [numbered_batch(loss) for loss in losses]


# -- the hooks and their order ------------------------------------------------------------------


def test_S7_hooks_come_as_in_fit(queue: int) -> None:
    theirs, ours, model = HookLog(), HookLog(), echo_model()
    model.fit(
        Indexed(THREE), epochs=2, verbose=0, callbacks=[theirs], validation_data=Indexed(THREE[:2])
    )
    run(model, Indexed(THREE), None, 2, [ours], Indexed(THREE[:2]), max_queue_size=queue)
    assert ours.log == theirs.log
    assert ours.log[:5] == [
        ("on_train_begin",),
        ("on_epoch_begin", 0),
        ("on_train_batch_begin", 0),
        ("on_train_batch_end", 0, "loss"),
        ("on_train_batch_begin", 1),
    ]
    assert ours.log[-2] == ("on_epoch_end", 1, "loss", "val_loss")
    assert ours.log[-1] == ("on_train_end", "loss", "val_loss")


def test_S7_hooks_come_as_in_evaluate_and_predict(queue: int) -> None:
    theirs, ours, model = HookLog(), HookLog(), echo_model()
    model.evaluate(Indexed(THREE), verbose=0, callbacks=[theirs])
    model.predict(Indexed(THREE), verbose=0, callbacks=[theirs])
    evaluate_generator(model, Indexed(THREE), None, queue, callbacks=[ours])
    predict_generator(model, Indexed(THREE), None, queue, callbacks=[ours])
    assert ours.log == theirs.log
    assert len(ours.log) == 16


def test_hooks_come_as_in_fit_where_the_length_is_not_known() -> None:
    spec = tf.TensorSpec((None, 1), tf.float32)
    data = tf.data.Dataset.from_generator(lambda: iter(THREE), output_signature=(spec, spec))
    theirs, ours, model = HookLog(), HookLog(), echo_model()
    with pytest.warns(UserWarning, match="ran out of data"):  # Keras's
        model.fit(data, epochs=2, verbose=0, shuffle=False, callbacks=[theirs])
    run(model, data, None, 2, [ours])
    assert ours.log == theirs.log


def test_logs_of_batches_are_the_running_means_of_fit() -> None:
    def logs(train: Any) -> list[Any]:
        seen: list[Any] = []
        callback = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: seen.append((batch, logs)),
            on_epoch_end=lambda epoch, logs: seen.append((epoch, logs)),
        )
        train(linear_model(metrics=["mae"]), [callback])
        return seen

    theirs = logs(lambda m, c: m.fit(Indexed(BATCHES), shuffle=False, verbose=0, callbacks=c))
    ours = logs(lambda m, c: run(m, BATCHES, callbacks=c))
    assert ours == theirs
    assert isinstance(ours[0][1]["loss"], float)


def test_S1_every_hook_runs_on_the_calling_thread(queue: int) -> None:
    log = HookLog()
    run(echo_model(), numbered(), 2, 2, [log], THREE, max_queue_size=queue)
    evaluate_generator(echo_model(), THREE, callbacks=[log])
    predict_generator(echo_model(), THREE, callbacks=[log])
    assert log.threads == {threading.current_thread()}


@pytest.mark.parametrize("wrap", [list, tuple, keras.callbacks.CallbackList, lambda c: [[c[0]]]])
def test_callbacks_may_be_given_in_many_ways(wrap: Any) -> None:
    log = HookLog()
    run(echo_model(), THREE, callbacks=wrap([log]))
    assert log.log[-1] == ("on_train_end", "loss")


def test_one_callback_need_not_be_in_a_list() -> None:
    log = HookLog()
    history = run(echo_model(), THREE, None, 2, log)
    assert [e[1] for e in log.log if e[0] == "on_epoch_end"] == [0, 1]
    assert log.params == {"verbose": 0, "epochs": 2, "steps": 3}
    assert log.model is echo_model()
    assert history.params == log.params


def test_only_an_old_batch_hook_is_enough() -> None:
    class Old(keras.callbacks.Callback):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[int] = []

        def on_batch_end(self, batch: int, logs: Any = None) -> None:
            self.seen.append(batch)

    old = Old()
    run(echo_model(), THREE, callbacks=[old])
    assert old.seen == [0, 1, 2]


def test_what_one_callback_writes_into_the_logs_others_and_the_history_see() -> None:
    class Writer(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs["mine"] = epoch * 10

    log = HookLog()
    history = run(echo_model(), THREE, None, 2, [Writer(), log])
    assert history.history["mine"] == [0, 10]
    assert ("on_epoch_end", 0, "loss", "mine") in log.log


def test_a_history_callback_of_the_users_is_filled_too() -> None:
    theirs = keras.callbacks.History()
    ours = run(echo_model(), THREE, None, 2, [theirs])
    assert theirs.history == ours.history


# -- stopping -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "trained"),
    [
        ("on_train_batch_end", [1, 2]),
        ("on_train_batch_begin", [1, 2]),
        ("on_epoch_begin", [1]),
        ("on_epoch_end", [1, 2, 3, 4]),
    ],
)
def test_stop_training_stops_where_fit_stops(hook: str, trained: list[int], queue: int) -> None:
    at = 0 if hook.startswith("on_epoch") else 1

    def stopper() -> Any:
        def stop(number: int, logs: Any = None) -> None:
            model.stop_training = number == at

        return keras.callbacks.LambdaCallback(**{hook: stop})

    model, theirs, ours, seen = echo_model(), HookLog(), HookLog(), Seen()
    data = Indexed([numbered_batch(k) for k in range(1, 5)])
    model.fit(data, epochs=3, verbose=0, callbacks=[stopper(), theirs], validation_data=data)
    options = {"max_queue_size": queue}
    history = run(model, data, None, 3, [stopper(), ours, seen], data, **options)
    assert ours.log == theirs.log
    assert seen.train == trained
    assert not history.incomplete
    assert len(history.history["val_loss"]) == 1


def test_S1_after_a_stop_at_most_the_lead_was_pulled(queue: int) -> None:
    source, model = Watched(numbered()), echo_model()

    def stop(batch: int) -> None:
        model.stop_training = batch == 4

    run(model, source, 100, callbacks=[at_batch_begin(stop)], max_queue_size=queue)
    assert source.pulls <= 5 + queue + 1


def test_stop_evaluating_and_stop_predicting_are_honoured(queue: int) -> None:
    model = echo_model()

    def stop_test(batch: int, logs: Any) -> None:
        model.stop_evaluating = batch == 1

    def stop_predict(batch: int, logs: Any) -> None:
        model.stop_predicting = batch == 1

    callback = keras.callbacks.Callback()
    callback.on_test_batch_end = stop_test
    callback.on_predict_batch_end = stop_predict
    result = evaluate_generator(model, numbered(), 9, queue, callbacks=[callback])
    assert result == 1.5
    assert len(predict_generator(model, numbered(), 9, queue, callbacks=[callback])) == 4


# -- Keras's callbacks --------------------------------------------------------------------------


def test_D5_EarlyStopping_sees_val_loss_and_restores_the_best_weights(queue: int) -> None:
    model = new_echo_model()
    stopping = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)

    def mark(epoch: int) -> None:
        model.set_weights([np.full((1, 1), 1 + epoch / 1000)])

    history = run(
        model,
        numbered(),
        1,
        9,
        [at_epoch_end(mark), stopping],
        iter(scripted([5, 4, 3, 3.5, 2, 1])),
        validation_steps=1,
        max_queue_size=queue,
    )
    assert history.epoch == [0, 1, 2, 3]
    assert stopping.best_epoch == 2
    assert model.get_weights()[0] == pytest.approx(1.002)


def test_D5_ModelCheckpoint_keeps_the_best_epoch(tmp_path: Path) -> None:
    path = tmp_path / "best.weights.h5"
    model = new_echo_model()
    checkpoint = keras.callbacks.ModelCheckpoint(
        path, "val_loss", save_best_only=True, save_weights_only=True
    )
    marks = at_epoch_end(lambda epoch: model.set_weights([np.full((1, 1), 1 + epoch / 1000)]))
    unseen = iter(scripted([5, 4, 4.5]))
    run(model, numbered(), 1, 3, [marks, checkpoint], unseen, validation_steps=1)
    model.load_weights(path)
    assert model.get_weights()[0] == pytest.approx(1.001)


def test_ModelCheckpoint_counts_batches(tmp_path: Path) -> None:
    path = str(tmp_path / "{epoch}-{batch}.weights.h5")
    checkpoint = keras.callbacks.ModelCheckpoint(path, save_weights_only=True, save_freq=4)
    run(echo_model(), numbered(), 5, 2, [checkpoint])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1-4.weights.h5", "2-3.weights.h5"]


def interrupted_after_two_epochs(model: Any, source: Any, backup: Any) -> None:
    def fail(epoch: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    failing = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: fail(epoch))
    with pytest.raises(KeyboardInterrupt):
        run(model, source, 3, 4, [backup, failing], max_queue_size=0)


def test_BackupAndRestore_goes_on_from_the_epoch_that_it_restores(
    tmp_path: Path, queue: int
) -> None:
    batches = make_batches(12)
    whole = linear_model()
    expected = run(whole, iter(batches), 3, 4)
    model, source = linear_model(), Watched(batches)
    interrupted_after_two_epochs(model, source, keras.callbacks.BackupAndRestore(tmp_path / "b"))
    assert source.pulls == 6
    model, log = linear_model(), HookLog()
    backup = keras.callbacks.BackupAndRestore(tmp_path / "b")
    history = run(model, source, 3, 4, [backup, log], max_queue_size=queue)
    assert source.pulls == 12
    assert history.epoch == [2, 3]
    assert history.history["loss"] == expected.history["loss"][2:]
    assert same_weights(weights_of(model), weights_of(whole))
    assert model._initial_epoch is None
    assert not (tmp_path / "b").exists()
    assert run(model, forever(batches), 1, 2).epoch == [0, 1]


def test_BackupAndRestore_keeps_its_backup_after_an_error(tmp_path: Path) -> None:
    model = linear_model()
    backup = keras.callbacks.BackupAndRestore(tmp_path / "b")
    interrupted_after_two_epochs(model, iter(make_batches(9)), backup)
    assert (tmp_path / "b").exists()
    assert model._initial_epoch is None


def test_ReduceLROnPlateau_lowers_the_rate() -> None:
    model = new_echo_model()
    model.optimizer.learning_rate = 1.0
    model.optimizer.learning_rate = 1e-6
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    history = run(model, iter(scripted([3, 3, 3])), 1, 3, [plateau])
    assert history.history["learning_rate"] == pytest.approx([1e-6, 1e-6, 5e-7])


def test_LearningRateScheduler_takes_effect_without_tracing_again() -> None:
    from fitgenerator.steps.chosen import steps_of

    def train(fit: Any) -> Any:
        model = linear_model()
        schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1))
        return model, fit(model, [schedule])

    data = Indexed(BATCHES)
    _, theirs = train(lambda m, c: m.fit(data, epochs=3, verbose=0, shuffle=False, callbacks=c))
    model, ours = train(lambda m, c: run(m, data, None, 3, c))
    assert ours.history == theirs.history
    assert steps_of(model).traces == 1


def test_CSVLogger_writes_every_epoch(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    log = keras.callbacks.CSVLogger(path)
    history = run(echo_model(), THREE, None, 3, [log], THREE)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    assert [float(row["val_loss"]) for row in rows] == history.history["val_loss"]


@pytest.mark.parametrize("freq", ["epoch", "batch"])
def test_TensorBoard_writes_training_validation_and_pipeline(tmp_path: Path, freq: str) -> None:
    board = keras.callbacks.TensorBoard(tmp_path, update_freq=freq)
    run(echo_model(), THREE, None, 2, [board], THREE)
    events = sorted(path.parent.name for path in tmp_path.rglob("events.*"))
    assert events == ["pipeline", "train", "validation"]


def test_TerminateOnNaN_stops_at_the_batch() -> None:
    seen = Seen()
    source = Watched(scripted([1, float("nan"), 3, 4]))
    run(new_echo_model(), source, 4, 2, [keras.callbacks.TerminateOnNaN(), seen])
    assert len(seen.train) == 2


def test_callbacks_without_work_for_batches_ask_for_none(tmp_path: Path) -> None:
    from fitgenerator.training.callbacks import Callbacks

    idle = [
        keras.callbacks.ModelCheckpoint(tmp_path / "a.keras"),
        keras.callbacks.BackupAndRestore(tmp_path / "b"),
        keras.callbacks.TensorBoard(tmp_path / "c"),
        keras.callbacks.EarlyStopping(),
        keras.callbacks.LambdaCallback(on_epoch_end=print),
        keras.callbacks.History(),
    ]
    busy = [
        keras.callbacks.ModelCheckpoint(tmp_path / "a.keras", save_freq=3),
        keras.callbacks.BackupAndRestore(tmp_path / "b", save_freq=3),
        keras.callbacks.TensorBoard(tmp_path / "c", update_freq="batch"),
        keras.callbacks.TensorBoard(tmp_path / "c", profile_batch=2),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_train_batch_begin=print),
    ]
    for kind in (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore):
        own = type("Own", (kind,), {"on_train_batch_end": lambda *_: None})
        own_hook = kind(tmp_path / "a.keras")
        own_hook.on_batch_begin = print
        busy += [own(tmp_path / "a.keras"), own_hook]
    model = echo_model()
    idle.append(type("Own", (keras.callbacks.ModelCheckpoint,), {})(tmp_path / "a.keras"))
    assert not Callbacks(idle, model, {}).has_batch_hooks("train")
    for callback in busy:
        assert Callbacks([callback], model, {}).has_batch_hooks("train")
        assert not Callbacks([callback], model, {}).has_batch_hooks("predict")
