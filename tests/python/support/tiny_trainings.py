"""Tiny models, deterministic batches and sources that watch how they are read."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import keras
import numpy as np
from fitgenerator import History, fit_generator

Array = np.ndarray[Any, Any]
Batch = tuple[Any, ...]

# Longest wait for another thread to do what it must do; reached only where something hangs.
PATIENCE = 30.0
# The `max_queue_size` of tests that are run for several; lock-step is the first.
QUEUES = (0, 1, 10)
# How long a test waits for something that must not happen.
LULL = 0.15


# -- batches ------------------------------------------------------------------------------------


def make_batches(
    count: int, rows: int = 4, features: int = 3, seed: int = 0, last_rows: int | None = None
) -> list[Batch]:
    """`count` batches of (inputs, targets), float32; the last may have fewer rows."""
    random = np.random.default_rng(seed)
    batches = []
    for number in range(count):
        n = last_rows if last_rows and number == count - 1 else rows
        inputs = random.normal(size=(n, features)).astype("float32")
        batches.append((inputs, inputs.sum(axis=1, keepdims=True) + 1))
    return batches


def numbered(first: int = 1, rows: int = 2) -> Iterator[Batch]:
    """Endless batches for `echo_model`: all values of batch k are k."""
    number = first
    while True:
        yield numbered_batch(number, rows)
        number += 1


def numbered_batch(number: float, rows: int = 2) -> Batch:
    """One batch of `numbered`."""
    return np.full((rows, 1), number, "float32"), np.zeros((rows, 1), "float32")


def forever(batches: Sequence[Batch]) -> Iterator[Batch]:
    """A generator that cycles over `batches`."""
    while True:
        yield from batches


def batches_from(epoch: int, steps: int = 3) -> Iterator[Batch]:
    """Batches that follow from the number of the epoch, beginning with this one."""
    while True:
        random = np.random.default_rng(epoch)
        for _ in range(steps):
            inputs = random.normal(size=(8, 3)).astype("float32")
            yield inputs, inputs.sum(axis=1, keepdims=True)
        epoch += 1


# -- models -------------------------------------------------------------------------------------


def linear_model(
    features: int = 3, *, optimizer: Any = None, metrics: Any = None, **settings: Any
) -> Any:
    """One dense unit, mean squared error, the same weights each time."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential([keras.Input((features,)), keras.layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.SGD(0.05), "mse", metrics=metrics, **settings)
    return model


def outputs_alone(_: Any, outputs: Any) -> Any:
    """A loss that is the model's output."""
    return outputs


@cache
def echo_model() -> Any:
    """Never learns; its loss is the mean of its inputs, so a history tells which batches came.

    The same model each time, so that its steps are traced only once.
    """
    return new_echo_model()


def new_echo_model(**settings: Any) -> Any:
    """A model like `echo_model`, that no other test has used."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    model.compile(keras.optimizers.SGD(0.0), outputs_alone, **settings)
    return model


def rich_model(**settings: Any) -> Any:
    """Normalises over batches and draws random numbers."""
    keras.utils.set_random_seed(7)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"], **settings)
    return model


def weights_of(model: Any) -> list[Array]:
    """Copies of all of a model's weights."""
    return [np.array(w) for w in model.get_weights()]


def everything(model: Any) -> list[Array]:
    """Copies of all that training changes: weights, seeds, the optimizer's variables."""
    return [np.array(v.numpy()) for v in [*model.variables, *model.optimizer.variables]]


def same_weights(left: Iterable[Array], right: Iterable[Array]) -> bool:
    """Whether two lists of weights are equal to the bit."""
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


# -- sources ------------------------------------------------------------------------------------


class Watched:
    """An iterator over `batches` that counts pulls and remembers the threads that pulled.

    `hook`, where given, is called with the number of the pull (from 1) before its batch is given.
    """

    def __init__(
        self, batches: Iterable[Any], hook: Callable[[int], object] = lambda number: None
    ) -> None:
        self.pulls = 0
        self.threads: set[threading.Thread] = set()
        self._batches = iter(batches)
        self._hook = hook

    def __iter__(self) -> Watched:
        return self

    def __next__(self) -> Any:
        self.pulls += 1
        self.threads.add(threading.current_thread())
        self._hook(self.pulls)
        return next(self._batches)


class Indexed(keras.utils.PyDataset):
    """An indexed source that writes down what it was asked, `("batch", i)` or a hook's name."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        super().__init__()
        self.batches = list(batches)
        self.asked: list[Any] = []
        self.threads: set[threading.Thread] = set()

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> Batch:
        self.asked.append(("batch", index))
        self.threads.add(threading.current_thread())
        return self.batches[index]

    def on_epoch_begin(self) -> None:
        self.asked.append("begin")

    def on_epoch_end(self) -> None:
        self.asked.append("end")

    @property
    def order(self) -> list[int]:
        """The indices in the order in which they were read."""
        return [entry[1] for entry in self.asked if isinstance(entry, tuple)]


class Loader:
    """Like PyTorch's DataLoader: re-iterable, with a length, without an index."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = list(batches)
        self.passes = 0

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        self.passes += 1
        yield from self._batches


class Reiterable:
    """Re-iterable without a length."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = list(batches)

    def __iter__(self) -> Iterator[Batch]:
        yield from self._batches


# -- callbacks ----------------------------------------------------------------------------------

_HOOKS = [
    f"on_{mode}_{when}"
    for mode in ("train", "test", "predict", "epoch", "train_batch", "test_batch", "predict_batch")
    for when in ("begin", "end")
]


class HookLog(keras.callbacks.Callback):
    """Writes down every hook: its name, its number where it has one, the names in its logs."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[Any, ...]] = []
        self.threads: set[threading.Thread] = set()
        for hook in _HOOKS:
            setattr(self, hook, self._writer(hook))

    def _writer(self, hook: str) -> Callable[..., None]:
        def write(*args: Any, logs: Any = None) -> None:
            self.threads.add(threading.current_thread())
            if args and (args[-1] is None or isinstance(args[-1], dict)):
                *args, logs = args
            self.log.append((hook, *args, *(logs or {})))

        return write


class Seen(keras.callbacks.Callback):
    """The numbers of the batches that an `echo_model` was trained or tested on, one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.train: list[float] = []
        self.test: list[float] = []
        self._sum = 0.0

    def _add(self, seen: list[float], batch: int, mean: float) -> None:
        total = mean * (batch + 1)
        seen.append(round(total - (self._sum if batch else 0.0), 3))
        self._sum = total

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._add(self.train, batch, logs["loss"])

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._add(self.test, batch, logs["loss"])


def at_batch_begin(call: Callable[[int], object]) -> Any:
    """A callback that calls `call(batch)` before each training step."""
    return keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs=None: call(batch))


def at_epoch_end(call: Callable[[int], object]) -> Any:
    """A callback that calls `call(epoch)` after each epoch."""
    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs=None: call(epoch))


# -- runs ---------------------------------------------------------------------------------------


def keras_history(model: Any, source: Any, **arguments: Any) -> dict[str, list[float]]:
    """What Keras's own `fit` gives, without its warning about shuffling."""
    return dict(model.fit(source, shuffle=False, verbose=0, **arguments).history)


def run(
    model: Any,
    generator: Any,
    steps: Any = None,
    epochs: Any = 1,
    callbacks: Any = None,
    validation_data: Any = None,
    *,
    verbose: int = 0,
    **options: Any,
) -> History:
    """`fit_generator`, silent; any warning fails the test."""
    return fit_generator(
        model, generator, steps, epochs, verbose, callbacks, validation_data, **options
    )


def same_history(ours: History, theirs: dict[str, list[float]]) -> bool:
    """Same keys in the same order, equal to the bit."""
    return list(ours.history) == list(theirs) and ours.history == theirs


def close_history(left: dict[str, list[float]], right: dict[str, list[float]]) -> bool:
    """Same keys in the same order, nearly equal numbers."""
    return list(left) == list(right) and all(
        np.allclose(left[name], right[name], rtol=1e-5) for name in left
    )


def catch(call: Callable[[], Any]) -> list[warnings.WarningMessage]:
    """The warnings that `call` gave, without what Keras and NumPy have to settle."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy keyword")
        call()
    return caught


def notes_of(error: BaseException) -> str:
    """The notes on an error, in one string."""
    return "\n".join(getattr(error, "__notes__", ()))


def shown(error: BaseException) -> str:
    """All that a user reads of an error: its message and its notes."""
    return f"{error}\n{notes_of(error)}"
