"""Memory: bounded by the queue while it runs, not growing with the steps, released at the end."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from fitgenerator import evaluate_generator, fit_generator, predict_generator
from support.process_memory import forget_peak, linux, peak, resident
from support.tiny_trainings import (
    at_batch_begin,
    at_epoch_end,
    echo_model,
    numbered,
    numbered_batch,
    outputs_alone,
    run,
)


def wide_model(*shape: int) -> Any:
    """A model without work to do, of inputs as large as wanted."""
    pooled = keras.layers.GlobalAveragePooling1D()
    model = keras.Sequential([keras.Input(shape), pooled, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), outputs_alone)
    return model


def large(rows: int, *shape: int) -> Iterator[Any]:
    """Batches that are made anew each time."""
    number = 0
    while True:
        number += 1
        yield np.full((rows, *shape), number, "float32"), np.zeros((rows, 1), "float32")


@linux
def test_M1_a_queue_of_one_holds_less_than_five_batches_of_100_mb() -> None:
    model = wide_model(256, 1000)
    run(model, large(1, 256, 1000), 2, max_queue_size=1)
    gc.collect()
    before = resident()
    forget_peak()
    run(model, large(100, 256, 1000), 12, max_queue_size=1)  # of 98 MiB
    assert 98 < peak() - before < 5 * 98


@linux
@pytest.mark.parametrize("hooked", [False, True])
def test_M2_3000_steps_of_1_mb_do_not_grow(hooked: bool) -> None:
    model, seen = wide_model(16, 256), []
    every = at_epoch_end(lambda epoch: seen.append(resident()))
    hooks = [at_batch_begin(lambda batch: None)] if hooked else []
    run(model, large(64, 16, 256), 300, 10, [every, *hooks])
    assert max(seen) - seen[0] < 50


def test_M2_a_generator_and_what_it_holds_is_released(queue: int) -> None:
    class Held:
        """Something large."""

    def holding(held: Held) -> Iterator[Any]:
        for batch in numbered():
            yield batch
            assert held

    held = Held()
    gone = weakref.ref(held)
    unseen = holding(held)
    options = {"validation_data": unseen, "validation_steps": 1, "max_queue_size": queue}
    run(echo_model(), holding(held), 5, 2, **options)
    del held, unseen, options
    gc.collect()
    assert gone() is None


@linux
def test_M3_a_callback_that_predicts_does_not_grow() -> None:
    model, seen = echo_model(), []
    x = np.ones((8, 1), "float32")

    def predict(epoch: int) -> None:
        for _ in range(10):
            model.predict_on_batch(x)
        seen.append(resident())

    run(model, numbered(), 1, 200, [at_epoch_end(predict)])
    assert seen[-1] - seen[20] < 50


class Large:
    """What a generator holds."""

    def __init__(self) -> None:
        self.block = np.ones(12 * 2**20)  # 96 MiB


def holding(large: Large, ended: list[str]) -> Iterator[Any]:
    """A generator that does not end by itself."""
    try:
        while True:
            yield numbered_batch(1) if large.block[0] else None
    finally:
        ended.append(threading.current_thread().name)


def fails(epoch: int) -> None:
    raise ZeroDivisionError


def catch(call: Callable[[], object]) -> None:
    with pytest.raises(ZeroDivisionError):
        call()


CALLS: dict[str, Callable[[Any], object]] = {
    "fit": lambda given: run(echo_model(), given, 3),
    "lock-step": lambda given: run(echo_model(), given, 3, max_queue_size=0),
    "unbuilt": lambda given: run(unbuilt_model(keras), given, 3),
    "Keras 2": lambda given: run(unbuilt_model(tf_keras), given, 3),
    "iterable": lambda given: run(echo_model(), iter(lambda: next(given), None), 3),
    "validation": lambda given: run(
        echo_model(), numbered(), 2, validation_data=given, validation_steps=2
    ),
    "evaluate": lambda given: evaluate_generator(echo_model(), given, 2),
    "predict": lambda given: predict_generator(echo_model(), given, 2),
    "failing": lambda given: catch(
        lambda: fit_generator(echo_model(), given, 2, verbose=0, callbacks=[at_epoch_end(fails)])
    ),
}


def unbuilt_model(package: Any) -> Any:
    model = package.Sequential([package.layers.Dense(1, use_bias=False)])
    model.compile(package.optimizers.SGD(0.0), "mse")
    return model


@pytest.mark.parametrize("name", CALLS)
def test_T17_a_generator_ends_with_the_call_on_the_callers_thread(name: str) -> None:
    gc.collect()
    gc.disable()  # nothing of ours may refer to it, garbage neither
    try:
        ended: list[str] = []
        large = Large()
        held = weakref.ref(large)
        given = holding(large, ended)
        del large
        CALLS[name](given)
        del given
        assert (held(), ended) == (None, ["MainThread"])
    finally:
        gc.enable()


@linux
def test_T17_the_memory_of_one_large_generator_is_held() -> None:
    model, ended = echo_model(), list[str]()
    run(model, holding(Large(), ended), 2)
    forget_peak()
    before = resident()
    for _ in range(4):
        run(model, holding(Large(), ended), 2)
    assert peak() - before < 1.5 * 96
    assert ended == ["MainThread"] * 5
