"""What a checkpoint refuses, and trainings of one model at once; see refusals.py."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import keras
from fitgenerator import Checkpoint

from support.tiny_trainings import (
    at_batch_begin,
    at_epoch_end,
    echo_model,
    linear_model,
    make_batches,
    numbered,
    run,
)


def in_folder(call: Callable[[Path], object]) -> Callable[[], object]:
    """`call`, given the path of a file in a folder of its own."""

    def go() -> object:
        with tempfile.TemporaryDirectory() as folder:
            return call(Path(folder) / "saved.npz")

    return go


def train(model: Any, path: Path, *callbacks: Any) -> object:
    """Train for an epoch with a checkpoint."""
    return run(model, make_batches(1), callbacks=[*callbacks, Checkpoint(path)])


def saved_by(model: Any) -> Callable[[Any], Callable[[], object]]:
    """Training another model on the checkpoint of `model`."""

    def other(another: Any) -> Callable[[], object]:
        def go(path: Path) -> object:
            train(model(), path)
            return train(another(), path)

        return in_folder(go)

    return other


def damaged(path: Path) -> object:
    """A file that is no archive."""
    path.write_text("nothing of the kind", encoding="utf-8")
    return Checkpoint(path)


def of_another_kind(path: Path) -> object:
    """An archive of something else."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("checkpoint.json", json.dumps({"format": "something", "version": 1}))
    return Checkpoint(path)


def of_a_later_version(path: Path) -> object:
    """A file that is newer than we are."""
    train(linear_model(), path)
    with zipfile.ZipFile(path) as archive:
        note = json.loads(archive.read("checkpoint.json"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("checkpoint.json", json.dumps({**note, "version": 10**6}))
    return Checkpoint(path)


def without_an_array(path: Path) -> object:
    """A file that lacks an array."""
    train(linear_model(), path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist() if "model/0" not in name}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return train(linear_model(), path)


def a_loop(path: Path) -> object:
    """A link that leads to itself."""
    path.symlink_to(path)
    return Checkpoint(path)


def a_folder(path: Path) -> object:
    """A folder in the file's place."""
    path.mkdir()
    return Checkpoint(path)


def below_a_file(path: Path) -> object:
    """A file in the folder's place."""
    path.write_text("", encoding="utf-8")
    return train(linear_model(), path / "saved.npz")


def strange_metric(path: Path) -> object:
    """A metric that no file can hold."""
    strange = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update(thing=object())
    )
    return train(linear_model(), path, strange)


class TwoOptimizers(keras.Sequential):
    """A model with an optimizer of its own that is built late."""

    other: Any = None


def two_optimizers(*, built: bool) -> Any:
    """A model whose second optimizer has variables, or has none yet."""
    model = TwoOptimizers([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.other = keras.optimizers.Adam()
    if built:
        model.other.build(model.trainable_variables)
    return model


def within(path: Path) -> None:
    """A file within the first epoch, after six of seven steps."""
    steps = iter(range(1, 100))
    crash = at_batch_begin(lambda _: 1 / (7 - next(steps)))
    with suppress(ZeroDivisionError):
        run(linear_model(), make_batches(7), None, 1, [crash, Checkpoint(path, every=3)])


def going_on_with(*given: Any, **settings: Any) -> Callable[[], object]:
    """Another source, or another model, for a file within an epoch."""

    def go(path: Path) -> object:
        within(path)
        return run(linear_model(**settings), *given, callbacks=[Checkpoint(path)])

    return in_folder(go)


def used_twice(path: Path) -> object:
    """A training within another one, on the same file."""
    second = at_epoch_end(lambda _: train(echo_model(), path))
    return train(linear_model(), path, second)


def changed(path: Path) -> object:
    """A file that another process has written meanwhile."""

    train(linear_model(), path)
    other = path.with_name("other.npz")
    within(other)

    def write(logs: object = None) -> None:
        other.replace(path)

    return train(linear_model(), path, keras.callbacks.LambdaCallback(on_train_begin=write))


def on_a_thread(path: Path) -> object:
    """SIGTERM is to be noted on another thread than the main one."""
    saved = Checkpoint(path, on_signal=True)
    call = partial(run, linear_model(), make_batches(1), callbacks=[saved])
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def in_fit() -> object:
    """A checkpoint in Keras's own fit."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Checkpoint(Path(folder) / "saved.npz")
        return linear_model().fit(*make_batches(1)[0], verbose=0, callbacks=[saved])


def twice() -> object:
    """Train a model in a callback of its own training."""
    model = echo_model()
    return run(model, numbered(), 1, callbacks=[at_epoch_end(lambda _: run(model, numbered(), 1))])


SAVING: dict[str, Callable[[], object]] = {
    # checkpoint, archive, states
    "no path": lambda: Checkpoint(""),
    "a path elsewhere": lambda: Checkpoint("gs://bucket/saved.npz"),
    "a damaged checkpoint": in_folder(damaged),
    "a file of another kind": in_folder(of_another_kind),
    "a checkpoint of a later version": in_folder(of_a_later_version),
    "a checkpoint without an array": in_folder(without_an_array),
    "a checkpoint that is a link to itself": in_folder(a_loop),
    "a checkpoint that is a folder": in_folder(a_folder),
    "a checkpoint that cannot be written": in_folder(below_a_file),
    "a metric that cannot be kept": in_folder(strange_metric),
    "a checkpoint of another model": saved_by(linear_model)(lambda: linear_model(features=2)),
    "an optimizer without variables": saved_by(lambda: two_optimizers(built=True))(
        lambda: two_optimizers(built=False)
    ),
    "two checkpoints": lambda: run(
        echo_model(), numbered(), 1, callbacks=[Checkpoint("a.npz"), Checkpoint("b.npz")]
    ),
    "a checkpoint in Keras's fit": in_fit,
    "no number of steps between checkpoints": lambda: Checkpoint("a.npz", every=0),
    "no number of seconds between checkpoints": lambda: Checkpoint("a.npz", seconds=-1),
    "no answer on signals": lambda: Checkpoint("a.npz", on_signal="yes"),
    "a checkpoint that another training uses": in_folder(used_twice),
    "a checkpoint that was changed": in_folder(changed),
    "a checkpoint on signals, on another thread": in_folder(on_a_thread),
    "a source without places": going_on_with(iter(make_batches(7)), 7),
    "fewer steps than a checkpoint has": going_on_with(make_batches(7), 6),
    "fewer batches than a checkpoint has": going_on_with(make_batches(5), 7),
    "other metrics": going_on_with(make_batches(7), metrics=["mae"]),
    # exclusive
    "a model that is being trained": twice,
}
