"""Passes that are read before their time: those of a stopped training, and of one object (T5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras
import pytest
import tensorflow as tf
from fitgenerator import batch_sequence
from support.r_code import closure
from support.tiny_trainings import at_epoch_end, echo_model, numbered_batch, run

LENGTH = 2  # batches of a pass
NUMBERED = "function(i) list(matrix(i + 0, 2L, 1L), matrix(0, 2L, 1L))"


class Told(keras.utils.PyDataset):
    """Calls `hook` with the number of each pass that has ended, from 0."""

    def __init__(self, hook: Callable[[int], object], read: Callable[[], object]) -> None:
        super().__init__()
        self.hook, self.read, self.passes = hook, read, 0

    def __len__(self) -> int:
        return LENGTH

    def __getitem__(self, index: int) -> Any:
        self.read()
        return numbered_batch(index + 1)

    def on_epoch_end(self) -> None:
        self.passes += 1
        self.hook(self.passes - 1)


def python_sequence(hook: Callable[[int], object], read: Callable[[], object]) -> Any:
    return batch_sequence(lambda n: read() or numbered_batch(n + 1), LENGTH, on_epoch_end=hook)


def r_sequence(hook: Callable[[int], object], read: Callable[[], object]) -> Any:
    return batch_sequence(closure(NUMBERED), LENGTH, on_epoch_end=hook)


KINDS = [Told, python_sequence, r_sequence]


@pytest.fixture(scope="module")
def slow_model() -> Any:
    """While it runs one step, all that may be fetched is."""

    def loss(_: Any, outputs: Any) -> Any:
        waited = tf.numpy_function(lambda: time.sleep(0.1) or 0.0, [], tf.float64)
        return outputs + tf.cast(tf.ensure_shape(waited, ()), "float32")

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", loss, jit_compile=False)
    return model


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("failing", [0, 1])
@pytest.mark.parametrize("size", [1, 10])  # read ahead to the second pass's end, and beyond it
def test_T5_a_training_that_stops_fails_for_no_pass_that_it_did_not_need(
    make: Any, failing: int, size: int, slow_model: Any
) -> None:
    told: list[int] = []

    def hook(ended: int) -> None:
        told.append(ended)
        if ended == failing:
            raise LookupError("mine")

    def stop(epoch: int) -> None:
        slow_model.stop_training = True

    source = make(hook, lambda: None)

    def train() -> Any:
        return run(slow_model, source, None, 5, [at_epoch_end(stop)], max_queue_size=size)

    if failing == 0:
        with pytest.raises(LookupError, match="mine"):
            train()
    else:
        assert train().epoch == [0]
    assert told == [*range(failing + 1)]


@pytest.mark.parametrize("make", KINDS)
def test_T5_one_object_is_not_read_for_validation_while_its_hook_runs(
    make: Any, queue: int
) -> None:
    order: list[str] = []

    def hook(ended: int) -> None:
        order.append("begin")
        time.sleep(0.1)
        order.append("end")

    source = make(hook, lambda: order.append("read"))
    run(echo_model(), source, None, 2, None, source, max_queue_size=queue)
    reads = 0 if make is r_sequence else LENGTH
    assert order == [*["read"] * reads, "begin", "end"] * 4  # in training and validation, twice
