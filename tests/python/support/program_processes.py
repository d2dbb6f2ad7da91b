"""One of the processes of a training on several machines, here on one: prints JSON, a line a case.

    python program_processes.py INDEX PORT,PORT FOLDER CASE ...

With one port, it trains alone on the batches of all.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

INDEX, PORTS, FOLDER = int(sys.argv[1]), sys.argv[2].split(","), Path(sys.argv[3])
COUNT = len(PORTS)
if COUNT > 1:
    os.environ["TF_CONFIG"] = json.dumps(
        {
            "cluster": {"worker": [f"127.0.0.1:{port}" for port in PORTS]},
            "task": {"type": "worker", "index": INDEX},
        }
    )

import fitgenerator as fg  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from fitgenerator.agreement import lookout  # noqa: E402
from fitgenerator.checkpoint import archive  # noqa: E402
from fitgenerator.training import call_policy  # noqa: E402

from support.shared_batches import sentences, vectors  # noqa: E402

layers = keras.layers
STRATEGY = (
    tf.distribute.MultiWorkerMirroredStrategy() if COUNT > 1 else tf.distribute.get_strategy()
)
Batches = list[Any]


def share(batches: Batches) -> Batches:
    """What this process has of the batches of all: its part of the rows, in order."""

    def part(array: Any) -> Any:
        low, high = (-(-len(array) * i // COUNT) for i in (INDEX, INDEX + 1))
        return array[low:high]

    return [keras.tree.map_structure(part, batch) for batch in batches]


def dense(optimizer: Any = "adam", *more: Any, **options: Any) -> Any:
    """A compiled model of two dense layers."""
    keras.utils.set_random_seed(1)
    with STRATEGY.scope():
        hidden = layers.Dense(16, activation="tanh")
        model = keras.Sequential([keras.Input((8,)), hidden, *more, layers.Dense(1)])
        model.compile(optimizer() if callable(optimizer) else optimizer, "mse", metrics=["mae"])
    return model


def masked() -> Any:
    """A model whose loss is a mean over the words that are there; the first batch builds it."""
    keras.utils.set_random_seed(1)
    with STRATEGY.scope():
        words = layers.Embedding(20, 4, mask_zero=True)
        model = keras.Sequential([words, layers.LSTM(6, return_sequences=True), layers.Dense(1)])
        model.compile("adam", "mse", metrics=["mae"])
    return model


def two_outputs() -> Any:
    """A model of two outputs, each with a loss and a weight."""
    keras.utils.set_random_seed(1)
    with STRATEGY.scope():
        inputs = keras.Input((8,))
        hidden = layers.Dense(16, activation="tanh")(inputs)
        model = keras.Model(inputs, [layers.Dense(1, name=name)(hidden) for name in "ab"])
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        weights = {"a": 1.0, "b": 0.3}
        model.compile(optimizer, {"a": "mse", "b": "mae"}, loss_weights=weights)
    return model


def normalised() -> Any:
    """A model that normalises over the rows of all processes."""
    return dense("adam", layers.BatchNormalization(synchronized=True))


def mixed() -> Any:
    """A model that computes in 16 bits, with a scaled loss that does not overflow."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        own = keras.optimizers.SGD(0.01)
        return dense(lambda: keras.optimizers.LossScaleOptimizer(own, initial_scale=64.0))
    finally:
        keras.config.set_dtype_policy("float32")


class OwnStep(keras.Model):
    """A step that returns a number that is no metric."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def train_step(self, data: Any) -> Any:
        return {**super().train_step(data), "size": keras.ops.mean(data[0])}


def own_step() -> Any:
    keras.utils.set_random_seed(1)
    with STRATEGY.scope():
        model = OwnStep()
        model.compile("sgd", "mse")
    return model


def numbers(make: Callable[[], Any], batches: Batches, **options: Any) -> dict[str, Any]:
    """A training with validation, and an evaluation."""
    model, own = make(), share(batches)
    history = fg.fit_generator(
        model, own, epochs=2, verbose=0, validation_data=own[:2], **options
    ).history
    evaluated = np.ravel(fg.evaluate_generator(model, own)).tolist()
    return {"history": history, "evaluated": evaluated, "weights": weights_of(model)}


def weights_of(model: Any) -> list[float]:
    return [float(x) for w in model.get_weights() for x in np.ravel(w)]


def said(call: Callable[[], Any]) -> dict[str, Any]:
    """What became of a call: its error, its warnings, the seconds, and our threads after it."""
    begun, value, error = time.monotonic(), None, ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            value = call()
        except BaseException as raised:
            error = f"{type(raised).__name__}: {raised}"
    ours = [t.name for t in threading.enumerate() if t.name.startswith("fitgenerator")]
    return {
        "error": error,
        "warnings": [str(w.message) for w in caught if "fitgenerator" in str(w.category)],
        "seconds": time.monotonic() - begun,
        "threads": ours,
        "value": value,
    }


def history_of(*args: Any, **options: Any) -> dict[str, Any]:
    """A training of a new model: how many epochs, and whether these were all."""

    def fit() -> Any:
        history = fg.fit_generator(dense(), *args, verbose=0, **options)
        return {"epochs": len(history.epoch), "incomplete": history.incomplete}

    return said(fit)


class Passes:
    """So many batches in each pass, of a length that nobody knows."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __iter__(self) -> Iterator[Any]:
        return iter(vectors(*[8] * self._count))


def failing(after: int) -> Iterator[Any]:
    """Batches, in process 1 only so many and then an error."""
    for number in range(10):
        if INDEX == 1 and number == after:
            raise RuntimeError("broken in process 1")
        yield vectors(8)[0]


class StopsOne(keras.callbacks.Callback):
    """Stops the training in process 1 alone, after a batch."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if INDEX == 1 and batch == 4:
            self.model.stop_training = True


class StopsForGood(keras.callbacks.Callback):
    """Stops process 1 itself, by SIGSTOP; it is killed when process 0 has ended its call."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        marked = FOLDER / "pid"
        if INDEX == 1 and batch == 7:
            marked.write_text(str(os.getpid()), encoding="utf-8")
            os.kill(os.getpid(), signal.SIGSTOP)


def stopped_for_good() -> dict[str, Any]:
    """Process 1 neither ends nor goes on, which counts as its end after a shorter time."""
    lookout.SILENCE = 10.0
    found = history_of(vectors(*[8] * 20), epochs=20, callbacks=[StopsForGood()])
    os.kill(int((FOLDER / "pid").read_text(encoding="utf-8")), signal.SIGKILL)
    return found


class Signals(keras.callbacks.Callback):
    """Sends process 1 a signal after a batch."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if INDEX == 1 and batch == 7:
            os.kill(os.getpid(), self._number)
            time.sleep(0.5)


def refused_in_a_step() -> dict[str, Any]:
    """Process 1 cannot trace the step, for which process 0 waits in TensorFlow."""

    def loss(target: Any, found: Any) -> Any:
        if INDEX == 1:
            raise RuntimeError("no such loss in process 1")
        return keras.ops.mean((target - found) ** 2)

    model = dense()
    with STRATEGY.scope():
        model.compile("sgd", loss)
    return said(lambda: fg.fit_generator(model, vectors(8), verbose=0))


def resumed() -> dict[str, Any]:
    """Two epochs, and then two more with a new model: of the file, process 0 alone has one."""
    own = FOLDER / f"of {INDEX}"

    def fit(epochs: int) -> list[float]:
        batches = fg.flow_from_data(*share(vectors(40))[0], batch_size=5, seed=INDEX)
        model = dense()
        saved = fg.Checkpoint(own / "training.npz")
        fg.fit_generator(model, batches, epochs=epochs, verbose=0, callbacks=[saved])
        return weights_of(model)

    fit(2)
    again = fit(4)
    files = [path.name for path in own.iterdir()] if own.exists() else []
    whole = fg.flow_from_data(*share(vectors(40))[0], batch_size=5, seed=INDEX)
    model = dense()
    fg.fit_generator(model, whole, epochs=4, verbose=0)
    return {"resumed": again, "undisturbed": weights_of(model), "files": files}


def within_an_epoch() -> dict[str, Any]:
    """Process 0 fails within the second epoch, after a file; all go on from it with a new model."""
    own = FOLDER / f"within of {INDEX}"

    def fit(*callbacks: Any) -> list[float]:
        batches = fg.share_of(fg.flow_from_data(*vectors(40)[0], batch_size=2, seed=1))
        model = dense("adam", layers.BatchNormalization(synchronized=True))
        options: Any = {"validation_data": share(vectors(8)), "verbose": 0}
        history = fg.fit_generator(model, batches, epochs=3, callbacks=[*callbacks], **options)
        return [*weights_of(model), *(x for each in history.history.values() for x in each)]

    saved = lambda: fg.Checkpoint(own / "training.npz", every=3)  # noqa: E731
    error = said(lambda: fit(saved(), Breaks(15)))["error"]
    note = archive.read_note(own / "training.npz")
    return {
        "error": error,
        "resumed": fit(saved()),
        "undisturbed": fit(),
        "steps": note and note["within"]["steps"],
    }


class Breaks(keras.callbacks.Callback):
    """Fails in process 0, after so many batches in all."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._left = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._left -= 1
        if INDEX == 0 and self._left == 0:
            raise RuntimeError("broken in process 0")


def predicted() -> dict[str, Any]:
    """What each process has of a prediction: the rows of its own batches."""
    model, batches = dense(), share(vectors(*[8, 8, 8, 31, 5, 2] * 10))
    found = fg.predict_generator(model, batches)
    rows = np.concatenate([batch[0] for batch in batches])
    expected = model(rows).numpy()
    far = float(np.abs(found - expected).max()) if found.shape == expected.shape else 1.0
    short = said(lambda: fg.predict_generator(dense(), iter(vectors(*[8] * (5 - INDEX))), 5))
    return {"far": far, "rows": len(found), "short": short["error"]}


def several_steps() -> dict[str, Any]:
    """Calls of several steps; process 1 is late with its batches, and has shorter ones."""
    kept = call_policy.SAVED, call_policy.LONGEST_CALL
    call_policy.SAVED, call_policy.LONGEST_CALL = 1.0, 60.0  # however slow this machine is
    rows = [12] * 40 + [11] * 3 + [12] * 17
    batches = share(vectors(*rows))

    def late() -> Iterator[Any]:
        for number, batch in enumerate(batches * 8):
            if INDEX == 1 and number % 50 == 0:
                time.sleep(0.02)
            yield batch

    model = dense(lambda: keras.optimizers.SGD(0.01, momentum=0.9))
    history = fg.fit_generator(model, late(), 60, epochs=8, verbose=0, jit_compile=False)
    call_policy.SAVED, call_policy.LONGEST_CALL = kept
    return {
        "history": history.history,
        "weights": weights_of(model),
        "calls": history.pipeline.calls,
        "steps": history.pipeline.steps,
    }


def forms() -> dict[str, Any]:
    """Only process 0 gives sample weights."""
    return history_of(vectors(8, weighted=INDEX == 0))


def alone() -> dict[str, Any]:
    """Process 0 makes a call that process 1 does not make, which ends."""
    model = dense()
    return said(lambda: fg.fit_generator(model, vectors(8), verbose=0)) if INDEX == 0 else {}


CASES: dict[str, Callable[[], dict[str, Any]]] = {
    "uneven rows": lambda: numbers(dense, vectors(32, 31, 5, 2, 17)),
    "sample weights": lambda: numbers(dense, vectors(9, 12, weighted=True)),
    "masked": lambda: numbers(masked, sentences(9, 12)),
    "two outputs": lambda: numbers(two_outputs, [(x, (y, -y)) for x, y in vectors(9, 12)]),
    "normalised": lambda: numbers(normalised, vectors(10, 13)),
    "mixed precision": lambda: numbers(mixed, vectors(9, 12)),
    "own step": lambda: numbers(own_step, vectors(9, 12)),
    "resumed": resumed,
    "other steps": lambda: history_of(iter(vectors(*[8] * 9)), 3 + INDEX),
    "early end": lambda: history_of(iter(vectors(*[8] * (9 - 2 * INDEX))), 3, 3),
    "shorter pass": lambda: history_of(Passes(5 - INDEX), epochs=2),
    "nothing": lambda: history_of(iter(vectors(*[8] * (3 - 3 * INDEX))), 3),
    "other forms": forms,
    "other seeds": lambda: history_of(
        fg.share_of(fg.flow_from_data(*vectors(40)[0], batch_size=2, seed=INDEX))
    ),
    "broken": lambda: history_of(failing(5), 10),
    "broken at once": lambda: history_of(failing(0), 10),
    "stopped": lambda: history_of(vectors(*[8] * 9), epochs=2, callbacks=[StopsOne()]),
    "on signal": lambda: history_of(
        vectors(8), callbacks=[fg.Checkpoint(FOLDER / "within.npz", on_signal=True)]
    ),
    "within an epoch": within_an_epoch,
    "predicted": predicted,
    "several steps": several_steps,
    "interrupted": lambda: history_of(
        vectors(*[8] * 20), epochs=20, callbacks=[Signals(signal.SIGINT)]
    ),
    "killed": lambda: history_of(
        vectors(*[8] * 20), epochs=20, callbacks=[Signals(getattr(signal, "SIGKILL", 9))]
    ),
    "stopped for good": stopped_for_good,
    "in a step": refused_in_a_step,
    "alone": alone,
}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
    for name in sys.argv[4:]:
        print(json.dumps([name, CASES[name]()]), flush=True)
    print(json.dumps(["over", {}]), flush=True)
