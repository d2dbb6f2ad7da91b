"""Faults in one of two processes that train together: do both end, in words, and how soon?

    tools/with-env python bench/endurance/processes_faults.py [TRIALS]

The kinds of fault and the places where they come are those of the tables below; in turns, process 0
and process 1 fails. A trial counts as good where the other process ends its call with an error or a
warning that names the failing process, within 60 s (120 s after SIGSTOP), and the failing process
with words of its own, unless it was killed or stopped. TensorFlow runs on the CPU, over loopback.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import fitgenerator
import keras
import numpy as np
import tensorflow as tf
from collectives import free_ports
from fitgenerator.checkpoint import archive
from resume import Process, forked

KINDS = {
    "killed": "SIGKILL",
    "error": "an error in its generator",
    "early end": "its generator ends early",
    "interrupted": "Ctrl-C",
    "stopped": "SIGSTOP",
}
PLACES = {
    "tracing": "while the step is traced",
    "epoch": "in an epoch",
    "end": "at the end of an epoch",
    "validation": "in a validation",
    "checkpoint": "while a checkpoint is written",
}
SIGNALS = {
    "killed": signal.SIGKILL,
    "interrupted": signal.SIGINT,
    "stopped": signal.SIGSTOP,
}
STEPS, VALIDATION, EPOCHS = 12, 6, 40
LONGEST = {"stopped": 120.0}  # seconds, and 60 after all others
# How long the first process to fail may take to come to its fault, and what follows at most.
PATIENCE = 150.0
WRITING = 1.0  # seconds that a checkpoint takes to be written here


# -- in each process ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Trial:
    """What is to happen: a kind of fault, at a place, in one of the processes."""

    kind: str
    place: str
    failing: int
    folder: str

    def fails(self, index: int, place: str) -> bool:
        """Whether a process fails at this place."""
        return index == self.failing and place == self.place


class Fault:
    """The fault of one process, which comes once."""

    def __init__(self, trial: Trial, index: int) -> None:
        self._trial = trial
        self._index = index
        self.armed = False  # the call has begun: what is traced before it does not count
        self._come = threading.Event()  # the next batch fails, where the fault is a generator's

    def at(self, place: str) -> None:
        """The process is at a place now."""
        trial = self._trial
        if not (self.armed and trial.fails(self._index, place)) or self._come.is_set():
            return
        print(f"fails {time.time()}", flush=True)
        self._come.set()
        if trial.kind in SIGNALS:
            os.kill(os.getpid(), SIGNALS[trial.kind])
        time.sleep(0.3)  # so that what is under way is still so when the fault comes

    def batches(self) -> Iterator[Any]:
        """Batches, until the fault comes, where it is one of the generator's."""
        for number in itertools.count():
            if self._come.is_set() and self._trial.kind == "error":
                raise RuntimeError(f"broken in process {self._index}")
            if self._come.is_set() and self._trial.kind == "early end":
                return
            yield batch(number)

    def validation(self) -> Iterator[Any]:
        """The same for the validation of the second epoch."""
        for number, each in enumerate(self.batches()):
            if number == VALIDATION + 3:
                self.at("validation")
                if self._trial.place == "validation" and self._come.is_set():
                    yield from self.batches()
                    return
            yield each


def batch(number: int) -> Any:
    """A batch that follows from its number."""
    time.sleep(0.005)
    x = np.random.default_rng(number).normal(size=(16, 8)).astype("float32")
    return x, x[:, :1] ** 2


class Traced(keras.layers.Layer):
    """Is where the fault comes that comes in tracing."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._fault = fault

    def call(self, x: Any) -> Any:
        if isinstance(x, tf.Tensor) and not tf.executing_eagerly():
            self._fault.at("tracing")
        return x


class Hooks(keras.callbacks.Callback):
    """Is where the faults come that come in an epoch, or at its end."""

    def __init__(self, fault: Fault, writes: Path) -> None:
        super().__init__()
        self._fault = fault
        self._epoch = 0
        self._writes = writes

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._epoch and batch == 5:
            self._fault.at("epoch")
        if self._writes.exists():  # process 0 is writing
            self._fault.at("checkpoint")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._epoch += 1
        self._fault.at("end")


def train(trial: Trial, index: int, ports: list[int]) -> None:
    """What one process does; it says what became of its call."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": cluster, "task": {"type": "worker", "index": index}}
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    fault, writes = Fault(trial, index), Path(trial.folder) / "writes"
    with strategy.scope():
        layers = [keras.Input((8,)), Traced(fault), keras.layers.Dense(16), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        model.compile("adam", "mse", metrics=["mae"])
    own = archive.write

    def write(*args: Any) -> None:
        writes.touch()
        if trial.place == "checkpoint":
            time.sleep(WRITING)
        own(*args)
        writes.unlink()

    archive.write = write
    signals = trial.kind in SIGNALS
    source: Any = fitgenerator.batch_sequence(batch, STEPS) if signals else fault.batches()
    saved = fitgenerator.Checkpoint(Path(trial.folder) / f"{index}" / "training.npz", every=5)
    print("training", flush=True)
    fault.armed = True
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        error = ""
        try:
            fitgenerator.fit_generator(
                model,
                source,
                STEPS,
                epochs=EPOCHS,
                verbose=0,
                validation_data=fault.validation(),
                validation_steps=VALIDATION,
                callbacks=[Hooks(fault, writes), saved],
            )
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"
    words = [error, *(str(each.message) for each in caught if "ended early" in str(each.message))]
    print(f"done {json.dumps([time.time(), ' '.join(words)])}", flush=True)


# -- of both ------------------------------------------------------------------------------------


@dataclass
class Found:
    """What came of the trials."""

    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)


def said(process: Process) -> tuple[float, str]:
    """When a process has ended its call, and with which words."""
    line = next((line for line in process.lines if line.startswith("done ")), None)
    return tuple(json.loads(line[5:])) if line else (float("inf"), "")


def run(trial: Trial, found: Found) -> None:
    """One trial."""
    ports = free_ports(2)

    def work(index: int) -> Callable[[], None]:
        return lambda: train(trial, index, ports)

    processes = [forked(work(index)) for index in range(2)]
    failing, other = processes[trial.failing], processes[1 - trial.failing]
    title = f"{trial.kind:<12}{trial.place:<11}process {trial.failing}"
    try:
        if not failing.wait_for("fails", PATIENCE):
            found.bad.append(f"{title}: no fault came: {failing.text[-300:]} {other.text[-300:]}")
            return
        line = next(line for line in failing.lines if line.startswith("fails"))
        longest = LONGEST.get(trial.kind, 60.0)
        other.wait_for("done", longest)
        at, words = said(other)
        spent = at - float(line.split()[1])
        named = f"rocess {trial.failing} " in words
        own = ""
        if trial.kind not in ("killed", "stopped"):
            failing.wait_for("done", longest)
            own = said(failing)[1]
            named &= bool(own)
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                process.end()
    good = named and spent <= longest
    print(f"{title}  {spent:6.1f} s  {words[:150]}{' | ' + own[:60] if own else ''}", flush=True)
    if good:
        found.seconds.setdefault((trial.kind, trial.place), []).append(spent)
    else:
        found.bad.append(f"{title}: {spent:.1f} s, {words[:300]!r}; {other.text[-300:]!r}")


def main() -> None:
    """Run so many trials, and print a table of the seconds until the other process ended."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    pairs, found = itertools.cycle(itertools.product(PLACES, KINDS)), Found()
    for number, (place, kind) in enumerate(itertools.islice(pairs, count)):
        failing = (number + number // (len(PLACES) * len(KINDS))) % 2
        with tempfile.TemporaryDirectory() as folder:
            run(Trial(kind, place, failing, folder), found)
    good = sum(map(len, found.seconds.values()))
    print(f"\n{good} of {count} ended in words and in time; median and longest seconds:")
    for kind, name in KINDS.items():
        own = [spent for key, each in found.seconds.items() if key[0] == kind for spent in each]
        if own:
            print(f"  {name:<26}{statistics.median(own):6.1f} {max(own):6.1f}  ({len(own)})")
    for place, name in PLACES.items():
        own = [spent for key, each in found.seconds.items() if key[1] == place for spent in each]
        if own:
            print(f"  {name:<30}{statistics.median(own):6.1f} {max(own):6.1f}  ({len(own)})")
    for each in found.bad:
        print(f"bad: {each}")


if __name__ == "__main__":
    main()
