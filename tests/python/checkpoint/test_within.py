"""Checkpoints within epochs: what they hold, when they are due, and that a training goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import fitgenerator
import keras
import numpy as np
import pytest
from fitgenerator import Checkpoint, CheckpointWarning, batch_sequence, flow_from_data
from fitgenerator.checkpoint import archive
from fitgenerator.checkpoint.within import Within
from support.both_kerases import tf_keras
from support.tiny_trainings import (
    QUEUES,
    Indexed,
    Seen,
    echo_model,
    everything,
    make_batches,
    new_echo_model,
    numbered,
    numbered_batch,
    rich_model,
    run,
    same_history,
    same_weights,
)


class CrashError(Exception):
    """Ends a training as a crash would."""


def crashing(at: int) -> Any:
    """A callback that crashes before so many-th step of the call, without a hook of its own."""
    left = iter(range(1, 10_000))

    def begin(batch: int, logs: Any = None) -> None:
        if next(left) == at:
            raise CrashError

    return keras.callbacks.LambdaCallback(on_train_batch_begin=begin)


def x_and_y(rows: int) -> tuple[Any, Any]:
    x = np.random.default_rng(3).normal(size=(rows, 3)).astype("float32")
    return x, x.sum(axis=1, keepdims=True)


def flow(**options: Any) -> Any:
    return flow_from_data(*x_and_y(28), batch_size=4, seed=5, **options)


class Reshuffled(keras.utils.PyDataset):
    """Another order in each pass; its order is that of the pass that it is made with."""

    def __init__(self, passes: int = 0) -> None:
        super().__init__()
        self.passes = passes
        self.batches = make_batches(7)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Any:
        order = np.random.default_rng(self.passes).permutation(len(self))
        return self.batches[order[index]]

    def on_epoch_end(self) -> None:
        self.passes += 1


SOURCES: dict[str, tuple[Callable[[int], Any], int | None]] = {
    "a flow": (lambda epoch: flow(), None),
    "a flow, fewer steps than a pass": (lambda epoch: flow(), 5),
    "a flow, more steps than a pass": (lambda epoch: flow(), 10),
    "a sequence": (
        lambda epoch: batch_sequence(lambda n: make_batches(7)[n], 7, shuffle=True, seed=1),
        None,
    ),
    "a list": (lambda epoch: make_batches(7), None),
    "a list, fewer steps than it has": (lambda epoch: make_batches(7), 5),
    "a list, more steps than it has": (lambda epoch: make_batches(7), 10),
    "a source of the user's": (Reshuffled, None),
    "a source of the user's, of two passes each": (lambda epoch: Reshuffled(2 * epoch), 14),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_training_that_crashes_within_epochs_equals_an_undisturbed_one(
    name: str, tmp_path: Path
) -> None:
    make, steps = SOURCES[name]
    options = {"validation_data": make_batches(2, seed=9), "jit_compile": False}
    whole, resumed, path = rich_model(), rich_model(), tmp_path / "c.npz"
    expected = run(whole, make(0), steps, 4, **options)
    stands = []
    for at in (4, 6, 11, 3):
        saved = Checkpoint(path, every=2)
        with pytest.raises(CrashError):
            run(rich_model(), make(saved.epoch), steps, 4, [saved, crashing(at)], **options)
        stands.append((saved.epoch, Within.of(archive.read_note(path) or {}).steps))
    saved = Checkpoint(path, every=2)
    history = run(resumed, make(saved.epoch), steps, 4, [saved], **options)
    assert same_history(history, expected.history), stands
    assert history.epoch == [0, 1, 2, 3]
    assert same_weights(everything(resumed), everything(whole))
    assert any(steps for _, steps in stands), stands
    assert [file.name for file in tmp_path.iterdir()] == ["c.npz"]


@pytest.mark.parametrize("queue", QUEUES)
def test_the_next_batches_come_whatever_was_fetched_ahead(queue: int, tmp_path: Path) -> None:
    batches = [numbered_batch(k) for k in range(1, 9)]
    seen, again = Seen(), Seen()
    saved, options = Checkpoint(tmp_path / "c.npz", every=3), {"max_queue_size": queue}
    with pytest.raises(CrashError):
        run(echo_model(), batches, None, 2, [seen, saved, crashing(6)], **options)
    run(echo_model(), batches, None, 2, [again, Checkpoint(tmp_path / "c.npz")], **options)
    # The first mean of a resumed epoch is of all of its batches, as `Seen` cannot know.
    assert [round(value) for value in again.train[1:]] == [5, 6, 7, 8, *range(1, 9)]


def test_calls_of_several_steps_keep_their_size(tmp_path: Path) -> None:
    batches = [numbered_batch(k) for k in range(40)]
    options = {"jit_compile": False}
    model = new_echo_model(steps_per_execution=8)
    alone = run(model, batches, None, 2, **options)
    kept = run(model, batches, None, 2, [Checkpoint(tmp_path / "c.npz", every=1)], **options)
    assert kept.pipeline.calls == alone.pipeline.calls


def test_E1_the_file_is_written_beside_the_training_and_the_next_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, threads, running = archive.write, [], threading.Lock()

    def slow(*args: Any) -> None:
        assert running.acquire(blocking=False)
        threads.append(threading.current_thread().name)
        time.sleep(0.02)
        write(*args)
        running.release()

    monkeypatch.setattr(archive, "write", slow)
    run(echo_model(), make_echo(6), None, 2, [Checkpoint(tmp_path / "c.npz", every=2)])
    assert set(threads) == {"fitgenerator-checkpoint"}
    assert len(threads) == 6
    assert not [t for t in threading.enumerate() if t.name == "fitgenerator-checkpoint"]


def make_echo(count: int) -> list[Any]:
    return [numbered_batch(k) for k in range(1, count + 1)]


def test_an_error_of_the_writing_is_the_calls_error_at_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "write", full)
    ran = Seen()

    def steps(index: int) -> Any:
        time.sleep(0.02)
        return numbered_batch(index)

    source, saved = batch_sequence(steps, 50), Checkpoint(tmp_path / "c.npz", every=2)
    with pytest.raises(OSError, match="No space left") as caught:
        run(echo_model(), source, None, 1, [ran, saved])
    assert len(ran.train) < 10
    assert "callback Checkpoint" in "".join(getattr(caught.value, "__notes__", ()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [CrashError, KeyboardInterrupt])
def test_a_file_that_cannot_be_written_is_told_of_beside_another_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    crashed = threading.Event()

    def full(*_: Any) -> None:
        crashed.wait(5)
        raise OSError(28, "No space left on device")

    def steps(index: int) -> Any:
        if index == 4:
            threading.Timer(0.3, crashed.set).start()  # the file fails later
            raise error
        return numbered_batch(index)

    monkeypatch.setattr(archive, "write", full)
    source, saved = batch_sequence(steps, 50), Checkpoint(tmp_path / "c.npz", every=3)
    with pytest.raises(error), pytest.warns(CheckpointWarning, match=r"c\.npz, .*: .*No space"):
        run(echo_model(), source, None, 1, [saved], max_queue_size=1)


def test_files_are_due_by_seconds(tmp_path: Path) -> None:
    def slow(index: int) -> Any:
        time.sleep(0.01)
        return numbered_batch(index + 1)

    path = tmp_path / "c.npz"
    source = batch_sequence(slow, 100)
    with pytest.raises(CrashError):
        run(echo_model(), source, None, 1, [Checkpoint(path, seconds=0.05), crashing(60)])
    assert 20 < Within.of(archive.read_note(path) or {}).steps < 60


def test_a_generator_has_files_after_epochs_only_and_is_told_so_before_the_first_step(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.npz"

    def batches() -> Any:
        assert warned.list
        yield from numbered()

    with pytest.warns(CheckpointWarning, match="`generator` gives batches that have no") as warned:
        run(echo_model(), batches(), 4, 2, [Checkpoint(path, every=1)])
    assert len(warned.list) == 1
    assert Within.of(archive.read_note(path) or {}) == Within()
    run(echo_model(), numbered(), 4, 3, [Checkpoint(path)])  # and no warning


def test_a_training_that_was_killed_in_its_validation_validates_again(tmp_path: Path) -> None:
    path, whole, resumed = tmp_path / "c.npz", rich_model(), rich_model()
    validation = make_batches(3, seed=2)
    expected = run(whole, flow(), None, 3, validation_data=validation)
    calls = iter(range(100))

    def crash(batch: int, logs: Any = None) -> None:
        if next(calls) == 4:  # in the second validation
            raise CrashError

    crashing = keras.callbacks.LambdaCallback(on_test_batch_begin=crash)
    saved = Checkpoint(path, every=7)
    with pytest.raises(CrashError):
        run(rich_model(), flow(), None, 3, [saved, crashing], validation_data=validation)
    within = Within.of(archive.read_note(path) or {})
    assert within.steps == 7
    assert within.logs is not None
    source = Indexed([flow()[k] for k in range(7)])
    history = run(resumed, flow(), None, 3, [Checkpoint(path)], validation_data=validation)
    assert same_history(history, expected.history)
    assert same_weights(everything(resumed), everything(whole))
    assert source.asked == []


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("version", ["keras", "tf_keras"])
def test_the_sums_of_metrics_go_on_in_both_kerases(
    version: str, eager: bool, tmp_path: Path
) -> None:
    package = {"keras": keras, "tf_keras": tf_keras}[version]
    options: dict[str, Any] = {"run_eagerly": eager}

    def model() -> Any:
        package.utils.set_random_seed(4)
        made = package.Sequential([package.layers.Dense(2), package.layers.Dense(1)])
        made.build((None, 3))
        made.compile(
            "adam", "mse", metrics=["mae", package.metrics.RootMeanSquaredError()], **options
        )
        return made

    expected = run(model(), flow(), None, 2)
    saved = Checkpoint(tmp_path / "c.npz", every=2)
    with pytest.raises(CrashError):
        run(model(), flow(), None, 2, [saved, crashing(11)])
    history = run(model(), flow(), None, 2, [Checkpoint(tmp_path / "c.npz")])
    assert history.history == expected.history


def test_schedules_and_counts_of_callbacks_go_on(tmp_path: Path) -> None:
    def callbacks() -> list[Any]:
        rate = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9)
        plateau = keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=9.0)
        return [rate, plateau, keras.callbacks.EarlyStopping("loss", patience=4, min_delta=9.0)]

    expected = run(rich_model(), flow(), None, 8, callbacks())
    saved = Checkpoint(tmp_path / "c.npz", every=3)
    with pytest.raises(CrashError):
        run(rich_model(), flow(), None, 8, [*callbacks(), saved, crashing(7 * 3 + 6)])
    history = run(rich_model(), flow(), None, 8, [*callbacks(), Checkpoint(tmp_path / "c.npz")])
    assert same_history(history, expected.history)


def test_the_user_is_told_where_the_training_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.npz"

    def said(epochs: int, *callbacks: Any, verbose: int = 2) -> str:
        keras.utils.set_random_seed(4)
        crashes = bool(callbacks)
        saved = Checkpoint(path, every=2)
        with pytest.raises(CrashError) if crashes else nullcontext():
            run(rich_model(), flow(), None, epochs, [saved, *callbacks], verbose=verbose)
        return capsys.readouterr().out

    assert "Going on" not in said(3, crashing(11))
    file = archive.read_note(path) or {}
    assert (within := Within.of(file)) is not None
    assert f"Going on after step {within.steps} of epoch 2, from {path}.\n" in said(2)
    assert said(2, verbose=0) == ""
    assert said(2) == f"All 2 epochs are in {path}: nothing is left to train.\n"
    assert said(3).startswith(f"Going on with epoch 3, from {path}.\n")


# -- what is refused ---------------------------------------------------------------------------


def broken_off(path: Path) -> None:
    """A file within the first epoch, after six of seven steps."""
    with pytest.raises(CrashError):
        run(rich_model(), flow(), None, 1, [Checkpoint(path, every=3), crashing(7)])


def test_a_file_within_an_epoch_is_refused_where_it_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    broken_off(path)
    refused = {
        "cannot go on there": (iter(make_batches(9)), 7),
        "after 6 steps of an epoch, which has 5": (flow(), 5),
        "a pass of more than 6 batches": (flow_from_data(*x_and_y(28), batch_size=7), 7),
    }
    for text, (source, steps) in refused.items():
        with pytest.raises(ValueError, match=text):
            run(rich_model(), source, steps, 1, [Checkpoint(path)])
    assert Checkpoint(path).epoch == 0


@pytest.mark.parametrize("wrong", [{"every": 0}, {"every": 1.5}, {"seconds": 0}, {"on_signal": 2}])
def test_arguments_are_checked(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises((ValueError, TypeError), match=f"`{next(iter(wrong))}` must be"):
        Checkpoint(tmp_path / "c.npz", **wrong)


def test_two_trainings_of_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"

    def again(*_: Any) -> None:
        with pytest.raises(ValueError, match="`path` is used by another training"):
            run(new_echo_model(), make_echo(3), None, 1, [Checkpoint(path)])

    second = keras.callbacks.LambdaCallback(on_epoch_end=again)
    history = run(echo_model(), make_echo(3), None, 2, [Checkpoint(path), second])
    assert len(history.epoch) == 2
    run(echo_model(), make_echo(3), None, 3, [Checkpoint(path)])
    assert [file.name for file in tmp_path.iterdir()] == ["c.npz"]


def test_the_names_are_public() -> None:
    assert issubclass(fitgenerator.Terminated, SystemExit)
    assert fitgenerator.Terminated().code == 143
