"""Files with parts that are missing or are others: refused before anything is assigned."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from fitgenerator import ArgumentError, Checkpoint
from support.platforms import links, named_pipes
from support.tiny_trainings import (
    Watched,
    batches_from,
    everything,
    linear_model,
    run,
    same_weights,
)

STEPS = 3
Entries = dict[str, bytes]


def stopping() -> Any:
    return keras.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A checkpoint of an epoch, with best weights."""
    path = tmp_path / "c.npz"
    run(linear_model(), batches_from(0), STEPS, 1, [stopping(), Checkpoint(path)])
    return path


def edit(path: Path, change: Callable[[Entries], object]) -> None:
    """Write the file again, with other entries."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def noted(change: Callable[[dict[str, Any]], object]) -> Callable[[Entries], object]:
    """A change of the JSON entry."""

    def go(entries: Entries) -> None:
        note = json.loads(entries["checkpoint.json"])
        change(note)
        entries["checkpoint.json"] = json.dumps(note).encode()

    return go


def array(name: str, value: Any) -> Callable[[Entries], object]:
    """Another array in the place of one."""

    def go(entries: Entries) -> None:
        file = io.BytesIO()
        np.save(file, np.asarray(value), allow_pickle=True)
        entries[name] = file.getvalue()

    return go


def renamed(entries: Entries) -> None:
    """An entry of another name."""
    entries["model/00.npy"] = entries.pop("model/0.npy")


def huge(entries: Entries) -> None:
    """A header that promises more than there is."""
    header = b"{'descr':'<f4','fortran_order':False,'shape':(9999999999,)}".ljust(117) + b"\n"
    entries["model/0.npy"] = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def with_variables(note: dict[str, Any]) -> None:
    note["parts"][0]["variables"][0] = "kernel"


def state(**values: Any) -> Callable[[dict[str, Any]], object]:
    """Other values of what a callback remembers."""
    return lambda note: note["callbacks"][0]["state"].update(values)


CHANGES: dict[str, tuple[Callable[[Entries], object], str]] = {
    "no kernel": (lambda e: e.pop("model/0.npy"), "its entry model/0 is missing"),
    "no bias": (lambda e: e.pop("model/1.npy"), "its entry model/1 is missing"),
    "no slot": (lambda e: e.pop("optimizer/1.npy"), "its entry optimizer/1 is missing"),
    "no best weights": (lambda e: e.pop("callbacks/0/1.npy"), "callbacks/0/1 is missing"),
    "renamed": (renamed, "its entry model/0 is missing"),
    "another shape": (array("model/0.npy", np.zeros((2, 7), "f4")), r"has shape \(2, 7\)"),
    "a shape that broadcasts": (array("model/0.npy", np.float32(0)), r"has shape \(\)"),
    "another type": (array("model/1.npy", np.zeros(1)), "type float64, not .* type float32"),
    "objects": (array("model/1.npy", np.array([{}])), "is damaged"),
    "a size that is not there": (huge, "has not the size that its header says"),
    "other best weights": (array("callbacks/0/0.npy", np.zeros(5, "f4")), "best weights"),
    "no parts": (noted(lambda n: n.pop("parts")), "its 'parts' is missing"),
    "a part without variables": (noted(lambda n: n["parts"][0].pop("variables")), "'parts'"),
    "variables that are none": (noted(with_variables), "'parts'"),
    "no callbacks": (noted(lambda n: n.pop("callbacks")), "its 'callbacks' is missing"),
    "no history": (noted(lambda n: n.update(history=[])), "its 'history' is missing"),
    "metrics that are numbers": (
        noted(lambda n: n["history"].update(metrics={"loss": 1})),
        "its history is not",
    ),
    "an epoch of text": (noted(lambda n: n.update(epoch="x")), "its 'epoch' is missing"),
    "an epoch below 0": (noted(lambda n: n.update(epoch=-3)), "its epoch is -3"),
    "a history of epochs below 0": (
        noted(lambda n: n.update(epoch=-3, history={**n["history"], "epoch": [-4]})),
        "its history is not",
    ),
    "an epoch that was not reached": (noted(lambda n: n.update(epoch=10**9)), "its epoch is"),
    "a count that is text": (noted(state(wait="x")), "the 'wait' of EarlyStopping loss is not"),
    "a count that is missing": (noted(state(wait=None)), "the 'wait' of EarlyStopping loss"),
    "a count that is a list": (noted(state(stopped_epoch=[1])), "the 'stopped_epoch' of"),
    "a best value that is none": (noted(state(best={"a": 1})), "the 'best' of EarlyStopping"),
    "best values that are none": (noted(state(best=[1, [{}]])), "the 'best' of EarlyStopping"),
    "a list": (lambda e: e.update({"checkpoint.json": b"[1]"}), "is damaged"),
    "a version of text": (noted(lambda n: n.update(version="9")), "is damaged"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_T16_a_broken_part_is_refused_and_changes_nothing(saved: Path, name: str) -> None:
    change, told = CHANGES[name]
    edit(saved, change)
    model, source, stops = linear_model(), Watched(batches_from(0)), stopping()
    before = everything(model)
    with pytest.raises(ArgumentError, match=rf"(?s)c\.npz .*{told}"):
        run(model, source, STEPS, 2, [stops, Checkpoint(saved)])
    assert source.pulls == 0
    assert same_weights(everything(model), before)
    assert getattr(stops, "best_weights", None) is None


@pytest.mark.parametrize("best", [None, float("inf"), float("nan"), [[0.5]]])
def test_T16_every_best_value_that_can_be_kept_is_restored(saved: Path, best: Any) -> None:
    edit(saved, noted(state(best=best)))
    history = run(linear_model(), batches_from(1), STEPS, 2, [stopping(), Checkpoint(saved)])
    assert history.epoch == [0, 1]


def test_T16_a_model_of_keras_2_stays_as_it_was_too(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"

    def new_model() -> Any:
        model = tf_keras.Sequential([tf_keras.layers.Input((3,)), tf_keras.layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    run(new_model(), batches_from(0), STEPS, 1, [Checkpoint(path)])
    edit(path, lambda entries: entries.pop("model/1.npy"))
    model = new_model()
    before = model.get_weights()
    with pytest.raises(ArgumentError, match="its entry model/1 is missing"):
        run(model, batches_from(0), STEPS, 2, [Checkpoint(path)])
    assert same_weights(model.get_weights(), before)


def test_T16_a_file_of_another_model_changes_nothing(saved: Path) -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    optimizer = type(linear_model().optimizer)()  # has no variables until it is built
    model.compile(optimizer, "mse")
    before = [variable.numpy() for variable in model.variables]
    with pytest.raises(ArgumentError, match="does not fit the model"):
        run(model, batches_from(0), STEPS, 2, [Checkpoint(saved)])
    assert not optimizer.built
    assert same_weights([variable.numpy() for variable in model.variables], before)


def test_T16_an_entry_that_is_larger_than_the_file_is_refused_unread(saved: Path) -> None:
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checkpoint.json", b" " * (100 * 2**20) + b"{}")
    tracemalloc.start()
    try:
        with pytest.raises(ArgumentError, match="an entry of it is larger than the file"):
            Checkpoint(saved)
        assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    finally:
        tracemalloc.stop()


@links
@named_pipes
def test_T16_paths_that_lead_to_no_file_are_refused(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(ArgumentError, match=r"`path` must name a file: .*loop"):
        Checkpoint(loop)
    with pytest.raises(ArgumentError, match=r"`path` must name a file: .*null"):
        Checkpoint("a\0b")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ArgumentError, match=r"pipe is not a checkpoint.*it is not a file"):
        Checkpoint(tmp_path / "pipe")
