"""Crash and resume: what a checkpoint keeps, and that a resumed training equals an undisturbed."""

from __future__ import annotations

import inspect
import json
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import Checkpoint, EndedEarlyWarning, History, last_history
from support.tiny_trainings import (
    Indexed,
    Watched,
    at_batch_begin,
    at_epoch_end,
    batches_from,
    close_history,
    echo_model,
    everything,
    linear_model,
    numbered,
    numbered_batch,
    rich_model,
    run,
    same_history,
    same_weights,
    weights_of,
)

STEPS, EPOCHS = 3, 5


class CrashError(Exception):
    """Ends a training as a crash would."""


def crash(*_: Any) -> None:
    raise CrashError


def train(
    model: Any, saved: Checkpoint | None, epochs: int = EPOCHS, beside: Any = (), **options: Any
) -> History:
    """Train with training and validation data that begin with the epoch to go on with."""
    epoch = saved.epoch if saved else 0
    callbacks = [*beside] if saved is None else [saved, *beside]
    options = {"validation_data": batches_from(100 + epoch), "validation_steps": STEPS, **options}
    return run(model, batches_from(epoch), STEPS, epochs, callbacks, **options)


def crashing_at_step(number: int) -> Any:
    steps = iter(range(1, 100))
    return at_batch_begin(lambda batch: crash() if next(steps) == number else None)


def crashing_after_epoch(number: int) -> Any:
    return at_epoch_end(lambda epoch: crash() if epoch == number else None)


# -- going on -----------------------------------------------------------------------------------


def test_a_training_that_crashed_again_and_again_equals_an_undisturbed_one(tmp_path: Path) -> None:
    path, whole, resumed = tmp_path / "c.npz", rich_model(), rich_model()
    expected = train(whole, None)
    crashes = [
        (crashing_at_step(2), 0),  # in the first epoch
        (crashing_at_step(STEPS + 2), 1),
        (crashing_after_epoch(3), 3),  # before the epoch is saved
    ]
    for crashing, finished in crashes:
        with pytest.raises(CrashError):
            train(rich_model(), Checkpoint(path), beside=[crashing])
        lost = last_history()
        assert Checkpoint(path).epoch == finished
        assert lost is not None
        assert lost.incomplete
        assert lost.history.get("loss", []) == expected.history["loss"][: len(lost.epoch)]
    saved = Checkpoint(path)
    history = train(resumed, saved)
    assert same_history(history, expected.history)
    assert history.epoch == expected.epoch == list(range(EPOCHS))
    assert last_history() is history
    assert history.pipeline.steps == 2 * STEPS * (EPOCHS - 3)
    assert same_weights(everything(resumed), everything(whole))
    assert saved.epoch == EPOCHS
    assert [file.name for file in tmp_path.iterdir()] == ["c.npz"]


def test_a_finished_training_trains_nothing_and_gives_all(tmp_path: Path) -> None:
    saved, whole, model = Checkpoint(tmp_path / "c.npz"), linear_model(), linear_model()
    expected = run(whole, batches_from(0), STEPS, EPOCHS, [saved])
    source = Watched(batches_from(0))
    history = run(model, source, STEPS, EPOCHS, [saved])
    assert source.pulls == 0
    assert same_history(history, expected.history)
    assert not history.incomplete
    assert same_weights(everything(model), everything(whole))


def test_more_epochs_go_on_from_a_finished_training(tmp_path: Path) -> None:
    saved, whole, model = Checkpoint(tmp_path / "c.npz"), linear_model(), linear_model()
    expected = run(whole, batches_from(0), STEPS, EPOCHS)
    run(model, batches_from(0), STEPS, 2, [saved])
    history = run(model, batches_from(saved.epoch), STEPS, EPOCHS, [saved])
    assert same_history(history, expected.history)
    assert same_weights(weights_of(model), weights_of(whole))


def test_a_later_call_without_the_checkpoint_begins_anew(tmp_path: Path) -> None:
    model = echo_model()
    run(model, numbered(), 2, 3, [Checkpoint(tmp_path / "c.npz")])
    run(model, numbered(), 2, 3, [Checkpoint(tmp_path / "c.npz")])
    assert run(model, numbered(), 2, 1).epoch == [0]
    assert model.fit(Indexed([numbered_batch(1)]), verbose=0, shuffle=False).epoch == [0]


def test_A9_a_generator_that_ends_early_leaves_the_epochs_that_were_finished(
    tmp_path: Path,
) -> None:
    path, short = tmp_path / "c.npz", [numbered_batch(k) for k in (1, 2, 3)]
    with pytest.warns(EndedEarlyWarning):
        run(echo_model(), iter(short), 2, 3, [Checkpoint(path)])
    assert Checkpoint(path).epoch == 1
    history = run(echo_model(), numbered(3), 2, 3, [Checkpoint(path)])
    assert history.history == {"loss": [1.5, 3.5, 5.5]}
    assert not history.incomplete


def test_an_epoch_that_a_callback_broke_off_is_trained_again(tmp_path: Path) -> None:
    def stop(batch: int, logs: Any) -> None:
        model.stop_training = logs["loss"] == 4  # at the first batch of the second epoch

    path, model = tmp_path / "c.npz", echo_model()
    stopping = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    history = run(model, numbered(), 3, 3, [stopping, Checkpoint(path)])
    assert history.history == {"loss": [2, 4]}
    assert Checkpoint(path).epoch == 1
    assert run(model, numbered(4), 3, 3, [Checkpoint(path)]).history == {"loss": [2, 5, 8]}
    assert Checkpoint(path).epoch == 3


def test_an_epoch_that_was_stopped_behind_its_last_step_is_kept(tmp_path: Path) -> None:
    def stop(*_: Any) -> None:
        model.stop_training = True

    path, model = tmp_path / "c.npz", echo_model()
    stopping = keras.callbacks.LambdaCallback(on_train_batch_end=lambda b, logs: b == 2 and stop())
    for epochs in (1, 2):
        history = run(model, numbered(3 * epochs - 2), 3, 9, [stopping, Checkpoint(path)])
        assert len(history.epoch) == Checkpoint(path).epoch == epochs


def test_initial_epoch_counts_where_there_is_no_file(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    run(echo_model(), numbered(), 2, 4, [Checkpoint(path)], initial_epoch=2)
    history = run(echo_model(), numbered(5), 2, 5, [Checkpoint(path)], initial_epoch=2)
    assert history.epoch == [2, 3, 4]
    assert history.history == {"loss": [1.5, 3.5, 5.5]}


@pytest.mark.parametrize("order", [1, -1])
def test_other_callbacks_come_first_wherever_the_checkpoint_stands(
    order: int, tmp_path: Path
) -> None:
    def begin(logs: Any = None) -> None:
        model.optimizer.learning_rate = 0.5

    def end(epoch: int, logs: Any) -> None:
        logs["extra"] = float(epoch)
        model.optimizer.learning_rate = 0.25

    for epochs in (1, 2):
        model = linear_model()
        other = keras.callbacks.LambdaCallback(on_train_begin=begin, on_epoch_end=end)
        callbacks = [Checkpoint(tmp_path / "c.npz"), other][::order]
        history = run(model, batches_from(0), STEPS, epochs, callbacks)
    assert history.history["extra"] == [0, 1]
    model = linear_model()
    restored = keras.callbacks.LambdaCallback(on_train_begin=begin)
    run(model, batches_from(0), STEPS, 2, [Checkpoint(tmp_path / "c.npz"), restored][::order])
    assert float(model.optimizer.learning_rate) == 0.25


# -- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", [None, 3, "", "gs://bucket/c.npz"])
def test_a_path_that_is_none_is_refused(path: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="`path` must"):
        Checkpoint(path)


def test_the_checkpoint_is_refused_where_it_cannot_work(tmp_path: Path) -> None:
    one, two = Checkpoint(tmp_path / "1.npz"), Checkpoint(tmp_path / "2.npz")
    with pytest.raises(ValueError, match="`callbacks` must hold one Checkpoint, not 2"):
        run(echo_model(), numbered(), 1, 1, [one, two])
    with pytest.raises(ValueError, match=r"works in fit_generator\(\)"):
        echo_model().fit(Indexed([numbered_batch(1)]), verbose=0, shuffle=False, callbacks=[one])


# -- the recipes --------------------------------------------------------------------------------


def examples() -> list[str]:
    """The two examples of the docstring, the second behind what they share."""
    text = (inspect.getdoc(Checkpoint) or "").partition("Example:")[2]
    blocks, lines = [], text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.endswith("::")]
    for begin, end in zip(starts, [*starts[1:], len(lines) + 2], strict=True):
        block = [line for line in lines[begin + 1 : end] if not line or line.startswith(" " * 8)]
        blocks.append(textwrap.dedent("\n".join(block)))
    shared = blocks[0].partition("saved =")[0]
    return [blocks[0], shared + blocks[1]]


@pytest.mark.parametrize("number", [0, 1], ids=["generator", "indexed"])
def test_the_examples_run_and_their_batches_go_on(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    example = examples()[number].replace("callbacks=[saved]", "callbacks=[saved], verbose=0")
    results = []
    for folder, every in (("one", [20]), ("two", [7, 20])):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        for epochs in every:
            keras.utils.set_random_seed(1)
            names: dict[str, Any] = {}
            exec(example.replace("epochs=20", f"epochs={epochs}"), names)
        results.append(names["history"].history)
        assert names["saved"].epoch == 20
    assert results[0] == results[1]
    assert results[0]["loss"][-1] < results[0]["loss"][0]


# -- files of earlier versions ------------------------------------------------------------------

WRITTEN = Path(__file__).with_name("written")


def of_an_earlier_version() -> Any:
    """The model that was trained for the files in `written`."""
    keras.utils.set_random_seed(3)
    dropout = keras.layers.Dropout(0.2, seed=5)
    layers = [keras.layers.Dense(3), dropout, keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((2,)), *layers])
    model.compile("adam", "mse", metrics=["mae"])
    return model


def drawn_from(epoch: int) -> Iterator[Any]:
    """Its batches, from an epoch on."""
    while True:
        for number in range(4):
            x = np.random.default_rng([epoch, number]).normal(size=(8, 2)).astype("float32")
            yield x, x[:, :1] - x[:, 1:]
        epoch += 1


def test_a_checkpoint_of_an_earlier_version_is_resumed(tmp_path: Path) -> None:
    files = list(WRITTEN.glob("*.npz"))
    assert files
    for written in files:
        path = shutil.copy(written, tmp_path)
        saved = Checkpoint(path)
        assert saved.epoch == 3
        stop = keras.callbacks.EarlyStopping("val_loss", patience=50, restore_best_weights=True)
        validation = next(drawn_from(99))
        resumed = run(
            *(of_an_earlier_version(), drawn_from(saved.epoch), 4, 5, [saved, stop]),
            validation_data=validation,
        )
        stop = keras.callbacks.EarlyStopping("val_loss", patience=50, restore_best_weights=True)
        whole = run(
            of_an_earlier_version(), drawn_from(0), 4, 5, [stop], validation_data=validation
        )
        with np.load(written) as file:
            kept = json.loads(file["checkpoint.json"])["history"]["metrics"]
        assert {name: values[:3] for name, values in resumed.history.items()} == kept
        # Another processor, which wrote the file, may have given other last digits.
        assert close_history(resumed.history, whole.history)
