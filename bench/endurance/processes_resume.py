"""Two processes that train together, killed at random moments and started again.

    tools/with-env python bench/endurance/processes_resume.py [TRIALS]

In turns, both processes, process 0 or process 1 are killed (SIGKILL), once in each trial. The
process that is not killed must end within 60 s, with words. Files are written within epochs, by
steps and by seconds in turns, in a folder of process 0 alone. Model and optimizer of both processes
must equal those of an undisturbed training, to the bit. The metrics of an epoch that was resumed
are added up in another order, so the history must equal within 1e-6.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fitgenerator
import keras
import numpy as np
import resume_training as training
import tensorflow as tf
from collectives import free_ports
from resume import DUE, PATIENCE, Process, Setting, forked, is_within

KILLED = ((0, 1), (0,), (1,))  # in turns
PROMPT = 60.0  # seconds that the other process may take to end


def new_model() -> Any:
    """Random and normalising layers, and Adam; small, so that a step takes milliseconds."""
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((training.FEATURES,)),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.BatchNormalization(synchronized=True),  # else it is each process's own
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "mse", metrics=["mae"])
    return model


def train(folder: Path, index: int, ports: list[int], setting: Setting) -> None:
    """What one process does: its share of the batches of `resume.py`."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": cluster, "task": {"type": "worker", "index": index}}
    )
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        model = new_model()
    path = folder / f"of process {index}" / "training.npz"
    saved = fitgenerator.Checkpoint(path, every=setting.every, seconds=setting.seconds)
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=0, min_delta=0.1)
    try:
        history = fitgenerator.fit_generator(
            model,
            fitgenerator.share_of(training.sequence(1, 2 * training.STEPS_WITHIN)),
            epochs=training.EPOCHS_WITHIN,
            verbose=0,
            callbacks=[training.started(), saved, plateau],
            validation_data=fitgenerator.share_of(training.sequence(2, 2 * training.VALIDATION)),
        )
    except fitgenerator.ProcessError as error:
        training.say(f"ended {error}")
        return
    training.done(history.history, model)


def start(folder: Path, setting: Setting) -> list[Process]:
    """Both processes."""
    ports = free_ports(2)

    def work(index: int) -> Callable[[], None]:
        return lambda: train(folder, index, ports, setting)

    return [forked(work(index)) for index in range(2)]


def ended(processes: list[Process]) -> Any:
    """What both processes have come to; they end."""
    for process in processes:
        process.wait_for("done", PATIENCE)
    results = []
    for process in processes:
        well = any(line.startswith("done ") for line in process.lines)
        results.append(process.result if well else f"failed: {process.text[-400:]}")
        process.end()
    return results


def await_file(folder: Path) -> None:
    """Return when process 0 has written its first file."""
    path, deadline = folder / "of process 0" / "training.npz", time.perf_counter() + PATIENCE
    while not path.exists() and time.perf_counter() < deadline:
        time.sleep(0.01)


def alike(result: str, expected: str) -> bool:
    """Whether a process has ended as in an undisturbed training."""
    if not result.startswith("done "):
        return False
    (history, digest), (other, as_other) = (json.loads(each[5:]) for each in (result, expected))
    same = digest == as_other and list(history) == list(other)
    return same and all(np.allclose(history[name], other[name], 1e-6, 0) for name in other)


def trial(number: int, seconds: float, complaints: list[str]) -> tuple[Any, int]:
    """Kill and start again; what both came to, and how many files within an epoch were met."""
    folder, setting, within = Path(tempfile.mkdtemp()), DUE[number % len(DUE)], 0
    processes = start(folder, setting)
    await_file(folder)
    killed = KILLED[number % len(KILLED)]
    processes[killed[0]].wait_for("done", random.uniform(0, 0.8 * seconds))
    at = time.perf_counter()
    for index in killed:
        processes[index].end()
    for index in {0, 1} - {*killed}:
        other = processes[index]
        other.wait_for("ended", PROMPT)
        words = any(line.startswith("ended Process ") for line in other.lines)
        done = any(line.startswith("done ") for line in other.lines)
        if not (words or done):
            complaints.append(f"trial {number}: the other one said {other.text[-300:]!r}")
        spent = time.perf_counter() - at
        print(f"  trial {number}: process {killed[0]} killed, {spent:.1f} s", flush=True)
        other.end()
    within += is_within(folder / "of process 0")
    results = ended(start(folder, setting))
    shutil.rmtree(folder)
    return results, within


def main() -> None:
    """Run so many trials, and print what came of them."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    folder = Path(tempfile.mkdtemp())
    processes = start(folder, DUE[0])
    await_file(folder)
    begun = time.perf_counter()
    processes[0].wait_for("done", PATIENCE)
    seconds = time.perf_counter() - begun
    expected = ended(processes)
    print(f"undisturbed: {seconds:.1f} s, {[each[:120] for each in expected]}", flush=True)
    equal, all_within, complaints = 0, 0, [] if expected[0] == expected[1] else ["they differ"]
    for number in range(count):
        results, within = trial(number, seconds, complaints)
        all_within += within
        good = all(map(alike, results, expected))
        equal += good
        if not good:
            complaints.append(f"trial {number}: {[each[-1500:] for each in results]}")
            print(complaints[-1], flush=True)
        print(f"trial {number}: {equal} equal of {number + 1}", flush=True)
    print(f"{equal} of {count} equal; {all_within} went on within an epoch")
    for complaint in complaints:
        print(complaint)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
