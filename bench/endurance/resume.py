"""Training killed at random moments and restarted: does it end as an undisturbed one?

    tools/with-env python bench/endurance/resume.py [TRIALS] [WAY ...]

The ways are `python` (a generator function), `r` (an R closure, in R) and, for comparison, `keras`
(the callback `BackupAndRestore`; weights only, and without Dropout, since this callback keeps
neither the history nor the state of random layers). Each trial trains in a process of its own,
which is killed (SIGKILL) at a random moment and restarted, until one process reaches the end (the
last is not killed). Half of the kills are aimed at a moment when the checkpoint is written. The
history of the last process, and all variables of the model and the optimizer, must equal those of
an undisturbed training, to the bit.

In Python, each process is forked from this one, which has imported TensorFlow but not used it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import fitgenerator
import keras
import numpy as np

STEPS, EPOCHS = 4, 12
FEATURES, ROWS = 64, 16
# Kills of one trial, after which a process is left to itself; R takes long to start.
MOST_KILLS = {"python": 6, "r": 2, "keras": 6}
# Part of the kills that is aimed at the writing of a checkpoint.
AIMED = 0.5
# Seconds within which an aimed kill comes after the writing has begun; it takes some 0.04.
WRITING = 0.04
# Seconds that a process may take before it counts as hung.
PATIENCE = 120


# -- one process --------------------------------------------------------------------------------


def new_model(dropout: float = 0.3) -> Any:
    """1.2 million weights, random and normalising layers, Adam: a checkpoint of 14 MB."""
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((FEATURES,)),
        keras.layers.Dense(2048, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(dropout),
        keras.layers.Dense(512, activation="relu"),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "mse", metrics=["mae"])
    return model


def batches(epoch: int, seed: int) -> Iterator[Any]:
    """Batches that follow from a seed and the number of the epoch."""
    while True:
        numbers = np.random.default_rng([seed, epoch])
        for _ in range(STEPS):
            x = numbers.normal(size=(ROWS, FEATURES)).astype("float32")
            yield x, x.sum(axis=1, keepdims=True)
        epoch += 1


def digest(model: Any) -> str:
    """A hash of all that training has changed."""
    found = hashlib.sha256()
    for variable in [*model.variables, *model.optimizer.variables]:
        found.update(np.ascontiguousarray(variable.numpy()).tobytes())
    return found.hexdigest()


def say(line: str) -> None:
    """A line for the process that kills."""
    print(line, flush=True)


def train(folder: Path, keras_way: bool = False) -> None:
    """Train from where the last process came to, and say how it ended."""
    if keras_way:
        saved: Any = keras.callbacks.BackupAndRestore(folder / "backup", delete_checkpoint=False)
        epoch = keras_epoch(folder / "backup" / "training_metadata.json")
    else:
        saved = fitgenerator.Checkpoint(folder / "training.npz")
        epoch = saved.epoch
    started = keras.callbacks.LambdaCallback(on_train_begin=lambda logs=None: say("training"))
    model = new_model(0.0) if keras_way else new_model()
    history = fitgenerator.fit_generator(
        model,
        batches(epoch, 1),
        STEPS,
        EPOCHS,
        verbose=0,
        callbacks=[started, saved],
        validation_data=batches(epoch, 2),
        validation_steps=STEPS,
    )
    kept = {} if keras_way else history.history  # Keras's keeps no history
    say("done " + json.dumps([kept, digest(model)]))


def keras_epoch(metadata: Path) -> int:
    """The epoch that `BackupAndRestore` will go on with, where its file can be read."""
    try:
        return int(json.loads(metadata.read_text())["epoch"])
    except (OSError, ValueError):
        return 0


# -- starting and killing -----------------------------------------------------------------------


@dataclass
class Process:
    """A process that trains: its number, and what it says."""

    number: int
    output: int
    text: str = ""
    ended: bool = False

    def wait_for(self, word: str, seconds: float) -> bool:
        """Whether it says a line that begins with `word`, before it ends and in time."""
        deadline = time.perf_counter() + seconds
        while not any(line.startswith(word) for line in self.lines):
            left = deadline - time.perf_counter()
            if left <= 0 or not select.select([self.output], [], [], left)[0]:
                return False
            heard = os.read(self.output, 65536)
            if not heard:
                self.ended = True
                return False
            self.text += heard.decode()
        return True

    @property
    def lines(self) -> list[str]:
        """What it has said, in whole lines."""
        return self.text.split("\n")[:-1]

    @property
    def result(self) -> str:
        """What a process that got to the end found."""
        return next(line for line in self.lines if line.startswith("done "))

    def end(self) -> None:
        """Kill it, if it still lives."""
        os.kill(self.number, signal.SIGKILL)
        os.waitpid(self.number, 0)
        os.close(self.output)


def forked(work: Callable[[], None]) -> Process:
    """A process that does `work`."""
    reading, writing = os.pipe()
    number = os.fork()
    if number == 0:
        os.dup2(writing, 1)
        try:
            work()
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        os._exit(0)
    os.close(writing)
    return Process(number, reading)


def in_r(folder: Path) -> Process:
    """A process of R's that trains."""
    script = str(Path(__file__).with_name("resume_trial.R"))
    reading, writing = os.pipe()
    command = ["Rscript", script, str(folder), str(STEPS), str(EPOCHS)]
    started = subprocess.Popen(command, stdout=writing, stderr=writing)
    started.returncode = 0  # it is waited for here, not there
    os.close(writing)
    return Process(started.pid, reading)


WAYS: dict[str, Callable[[Path], Process]] = {
    "python": lambda folder: forked(lambda: train(folder)),
    "r": in_r,
    "keras": lambda folder: forked(lambda: train(folder, keras_way=True)),
}


@dataclass
class Count:
    """What came of the trials of one way."""

    equal: int = 0
    other: int = 0
    failed: int = 0
    kills: int = 0
    writing: int = 0
    complaints: set[str] = field(default_factory=set)


def undisturbed(way: str) -> tuple[str, float]:
    """What a training that nobody kills ends with, and how many seconds it trains."""
    with tempfile.TemporaryDirectory() as folder:
        process = WAYS[way](Path(folder))
        begun = time.perf_counter()
        if process.wait_for("training", PATIENCE):
            begun = time.perf_counter()
        if not process.wait_for("done", PATIENCE):
            raise RuntimeError(f"The undisturbed training failed:\n{process.text}")
        spent = time.perf_counter() - begun
        process.end()
        return process.result, spent


def trial(way: str, expected: str, seconds: float, count: Count) -> None:
    """Kill and start again until a process gets to the end."""
    folder, most = Path(tempfile.mkdtemp()), MOST_KILLS[way]
    for attempt in range(most + 1):
        process = WAYS[way](folder)
        patience = random.uniform(0, 0.7 * seconds) if attempt < most else PATIENCE
        done = process.wait_for("training", PATIENCE) and process.wait_for("done", patience)
        if not done and random.random() < AIMED:
            await_writing(folder)
        process.end()
        if done or process.ended or attempt == most:
            break
        count.kills += 1
        count.writing += any(folder.glob("*.tmp"))
    judge(process, expected, count)
    if way != "keras" and [file.name for file in folder.iterdir()] != ["training.npz"]:
        count.complaints.add("more than the checkpoint is left")
    shutil.rmtree(folder)


def await_writing(folder: Path) -> None:
    """Return at a random moment of the writing of a checkpoint, where one comes within a second."""
    deadline = time.perf_counter() + 1
    while time.perf_counter() < deadline:
        if any(folder.glob("*.tmp")):
            time.sleep(random.uniform(0, WRITING))
            return
        time.sleep(0.001)


def judge(process: Process, expected: str, count: Count) -> None:
    """Compare how a trial ended with how it should have."""
    if not any(line.startswith("done ") for line in process.lines):
        count.failed += 1
        errors = [line for line in process.lines if "Error" in line.partition(":")[0]]
        count.complaints.add((errors or process.lines or ["nothing was said"])[-1][:100])
    elif process.result == expected:
        count.equal += 1
    else:
        count.other += 1


def main() -> None:
    """Run every way and print a line for each."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for way in sys.argv[2:] or ["python", "r"]:
        expected, seconds = undisturbed(way)
        again, other = undisturbed(way)
        seconds = min(seconds, other)
        if again != expected:
            raise SystemExit(f"{way}: two undisturbed trainings differ; nothing can be compared.")
        count = Count()
        for _ in range(trials):
            trial(way, expected, seconds, count)
        print(
            f"{way:<8}{count.equal:>4} of {trials} equal, {count.other} other, "
            f"{count.failed} failed; {count.kills} kills, {count.writing} while the checkpoint "
            f"was written; {seconds:.1f} s undisturbed"
        )
        for complaint in sorted(count.complaints):
            print(f"          {complaint}")


if __name__ == "__main__":
    main()
