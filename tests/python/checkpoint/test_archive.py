"""The file of a checkpoint: whole or not there, standard, and refused in words."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
import pytest
from fitgenerator import Checkpoint, last_history
from fitgenerator.checkpoint import archive
from support.platforms import links
from support.tiny_trainings import (
    Watched,
    batches_from,
    echo_model,
    everything,
    linear_model,
    notes_of,
    numbered,
    run,
    same_weights,
)

STEPS = 3


# -- the file -----------------------------------------------------------------------------------


def test_a_write_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, written = tmp_path / "c.npz", []
    write = np.lib.format.write_array

    def full(file: Any, array: Any, **options: Any) -> None:
        written.append(array)
        if len(written) == 10:
            raise OSError(28, "No space left on device")
        write(file, array, **options)

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="No space") as caught:
        run(linear_model(), batches_from(0), STEPS, 9, [Checkpoint(path)])
    assert "callback Checkpoint in on_epoch_end()" in notes_of(caught.value)
    assert len(written) == 10
    monkeypatch.undo()
    assert [file.name for file in tmp_path.iterdir()] == ["c.npz"]
    assert Checkpoint(path).epoch == 2
    assert run(linear_model(), batches_from(2), STEPS, 3, [Checkpoint(path)]).epoch == [0, 1, 2]


@pytest.mark.usefixtures("interruptible")
def test_F1_an_interrupt_waits_until_the_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, written = tmp_path / "c.npz", []
    write = np.lib.format.write_array

    def interrupted(file: Any, array: Any, **options: Any) -> None:
        written.append(array)
        if len(written) == 10:
            signal.raise_signal(signal.SIGINT)
        write(file, array, **options)

    monkeypatch.setattr(np.lib.format, "write_array", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(linear_model(), batches_from(0), STEPS, 9, [Checkpoint(path)])
    assert Checkpoint(path).epoch == 3
    history = last_history()
    assert history is not None
    assert history.epoch == [0, 1, 2]


def test_a_metric_that_is_no_number_is_refused_in_words(tmp_path: Path) -> None:
    strange = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(array=np.arange(2.0), thing=object())
    )
    with pytest.raises(TypeError, match="metrics that are numbers or arrays, not an object"):
        run(linear_model(), batches_from(0), STEPS, 1, [strange, Checkpoint(tmp_path / "c.npz")])
    assert not list(tmp_path.iterdir())


def test_what_killed_writes_left_is_tidied_up_and_nothing_else(tmp_path: Path) -> None:
    for name in ("c.npz.17.tmp", "c.npz.4242.tmp", "c.npz.tmp", "d.npz.17.tmp"):
        (tmp_path / name).write_text("half a file")
    run(echo_model(), numbered(), 1, 1, [Checkpoint(tmp_path / "c.npz")])
    assert {file.name for file in tmp_path.iterdir()} == {"c.npz", "c.npz.tmp", "d.npz.17.tmp"}


def test_the_file_is_numpys_and_needs_no_pickle(tmp_path: Path) -> None:
    run(linear_model(), batches_from(0), STEPS, 1, [Checkpoint(tmp_path / "c.npz")])
    with np.load(tmp_path / "c.npz", allow_pickle=False) as file:
        assert file["model/0"].shape == (3, 1)
        assert file["optimizer/0"] == STEPS
        assert b'"epoch": 1' in file["checkpoint.json"]


@links
def test_the_folder_is_made_and_a_link_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "c.npz"
    run(echo_model(), numbered(), 1, 1, [Checkpoint(str(path))])
    link = tmp_path / "latest"
    link.symlink_to(path)
    run(echo_model(), numbered(), 1, 2, [Checkpoint(link)])
    assert link.is_symlink()
    assert Checkpoint(path).epoch == 2


# -- what is refused ----------------------------------------------------------------------------


def test_a_file_that_is_no_checkpoint_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    contents: list[Callable[[], Any]] = [
        lambda: path.write_text("x"),
        lambda: path.write_bytes(b""),
        lambda: np.savez(path, a=np.zeros(3)),
        lambda: np.savez(path, **{"checkpoint.json": np.zeros(3)}),
    ]
    for write in contents:
        write()
        with pytest.raises(ValueError, match=r"c\.npz is not a checkpoint.*remove the file"):
            Checkpoint(path)
    with pytest.raises(ValueError, match=r"cannot be read: (Is a directory|Permission denied)"):
        Checkpoint(tmp_path)


def test_a_damaged_file_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    run(linear_model(), batches_from(0), STEPS, 1, [Checkpoint(path)])
    whole = bytearray(path.read_bytes())
    place = whole.index(kernel_in(path))
    whole[place] ^= 1
    path.write_bytes(whole)
    model, source = linear_model(), Watched(batches_from(0))
    before = everything(model)
    with pytest.raises(ValueError, match=r"damaged \(Bad CRC-32"):
        run(model, source, STEPS, 2, [Checkpoint(path)])
    assert source.pulls == 0
    assert same_weights(everything(model), before)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged"):
        Checkpoint(path)


def kernel_in(path: Path) -> bytes:
    with np.load(path) as file:
        kernel: bytes = file["model/0"].tobytes()
    return kernel


def test_a_later_version_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fitgenerator.checkpoint.archive.VERSION", archive.VERSION + 1)
    run(echo_model(), numbered(), 1, 1, [Checkpoint(tmp_path / "c.npz")])
    monkeypatch.undo()
    with pytest.raises(ValueError, match="later version of fitgenerator"):
        Checkpoint(tmp_path / "c.npz")


def test_a_path_that_cannot_be_written_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    source = Watched(numbered())
    with pytest.raises(ValueError, match=r"`path` must name a file that can be written"):
        run(echo_model(), source, 1, 1, [Checkpoint(tmp_path / "file" / "c.npz")])
    assert source.pulls == 0


def test_O5_a_file_that_is_looked_into_for_some_milliseconds_is_replaced_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusals = iter([PermissionError("held"), PermissionError("held")])
    rename = os.replace

    def replace(*paths: Any) -> None:
        for error in refusals:
            raise error
        rename(*paths)

    monkeypatch.setattr(archive.os, "replace", replace)
    archive.write(tmp_path / "x.npz", {"a": 1}, [])
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_O5_what_is_tidied_up_may_be_held_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refusals = iter([PermissionError(13, "held")] * 3)
    unlink = Path.unlink

    def held(path: Path, missing_ok: bool = False) -> None:
        for error in refusals:
            raise error
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", held)
    (tmp_path / "x.npz.7.tmp").touch()
    archive.prepare(tmp_path / "x.npz")
    assert not list(tmp_path.iterdir())


def test_O5_a_file_that_stays_held_is_an_error_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(archive, "PATIENCE", 0.05)
    monkeypatch.setattr(archive.os, "replace", mock.Mock(side_effect=PermissionError("held")))
    with pytest.raises(PermissionError, match="held"):
        archive.write(tmp_path / "x.npz", {"a": 1}, [])
    assert not list(tmp_path.iterdir())
