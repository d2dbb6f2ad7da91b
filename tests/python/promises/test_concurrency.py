"""Trainings side by side and within each other; generators with threads and processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fitgenerator import ArgumentError, evaluate_generator, last_history
from support.tiny_trainings import (
    PATIENCE,
    Watched,
    at_batch_begin,
    at_epoch_end,
    echo_model,
    new_echo_model,
    numbered,
    numbered_batch,
    run,
)

SCRIPT = Path(__file__).parents[1] / "support" / "program_pooled.py"


def in_threads(*calls: Callable[[], object]) -> None:
    """Run every call in a thread of its own, side by side."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)


# -- one model ----------------------------------------------------------------------------------


def refused_within(refused: list[str], model: Any, **options: Any) -> None:
    with pytest.raises(ArgumentError) as caught:
        run(model, numbered(), 2, **options)
    refused.append(str(caught.value))


def test_A6_a_second_training_of_one_model_in_another_thread_is_refused(queue: int) -> None:
    model, refused, training = new_echo_model(), list[str](), threading.Event()
    done = threading.Event()

    def first() -> None:
        def wait(batch: int) -> None:
            training.set()
            assert done.wait(PATIENCE)

        histories.append(
            run(model, numbered(), 3, callbacks=[at_batch_begin(wait)], max_queue_size=queue)
        )

    def second() -> None:
        assert training.wait(PATIENCE)
        refused_within(refused, model)
        done.set()

    histories: list[Any] = []
    in_threads(first, second)
    assert "being trained by another call of fit_generator()" in refused[0]
    assert histories[0].history == {"loss": [2]}
    assert model.history is histories[0] is last_history()
    assert run(model, numbered(), 3).history == {"loss": [2]}


def test_A6_a_training_of_the_same_model_within_a_callback_is_refused(queue: int) -> None:
    model, refused = echo_model(), list[str]()
    callbacks = [at_epoch_end(lambda epoch: refused_within(refused, model))]
    history = run(model, numbered(), 2, 2, callbacks, max_queue_size=queue)
    assert len(refused) == 2
    assert history.history["loss"] == [1.5, 3.5]
    assert model.history is history is last_history()


def test_A6_a_training_of_the_same_model_within_its_generator_is_refused(queue: int) -> None:
    model = echo_model()
    refused: list[str] = []
    source = Watched(numbered(), lambda number: refused_within(refused, model))
    assert run(model, source, 2, max_queue_size=queue).history["loss"] == [1.5]
    assert len(refused) == 2


def test_A6_after_an_error_the_model_is_free() -> None:
    model = echo_model()
    for bad in (iter(()), iter([numbered_batch(1), "no batch"])):
        with pytest.raises(ValueError, match="generator"):
            run(model, bad, 2)
        assert run(model, numbered(), 2).history["loss"] == [1.5]


# -- several models -----------------------------------------------------------------------------


def test_A6_a_training_within_a_generator_of_another(queue: int) -> None:
    other, losses = new_echo_model(), []

    def train_other(number: int) -> None:
        losses.append(run(other, numbered(number), 2, max_queue_size=queue).history["loss"])

    history = run(echo_model(), Watched(numbered(), train_other), 2, 2, max_queue_size=queue)
    assert history.history["loss"] == [1.5, 3.5]
    assert losses == [[1.5], [2.5], [3.5], [4.5]]
    assert last_history() is history  # not that of the calls within it


def test_A6_several_trainings_and_evaluations_at_once() -> None:
    models, results = [new_echo_model() for _ in range(4)], dict[int, list[Any]]()

    def train(number: int) -> None:
        results[number] = [run(models[number], numbered(), 20).history for _ in range(5)]

    def evaluate(number: int) -> None:
        results[number] = [evaluate_generator(models[number], numbered(), 20) for _ in range(5)]

    in_threads(*(partial(train if n % 2 else evaluate, n) for n in range(4)))
    assert results == {n: [{"loss": [10.5]} if n % 2 else 10.5] * 5 for n in range(4)}


# -- generators with threads and processes of their own -----------------------------------------


def test_A8_a_generator_with_a_pool_of_threads() -> None:
    with ThreadPoolExecutor(4) as pool:
        history = run(echo_model(), pool.map(numbered_batch, range(1, 51)), 50)
    assert history.history["loss"] == [25.5]


def test_A8_generators_with_pools_of_processes(clean_environment: dict[str, str]) -> None:
    ways = ["fork", "executor", "callback"]
    # Python 3.12 warns of every fork beside threads.
    flags = ["-W", "error", "-W", "ignore::DeprecationWarning"]
    done = subprocess.run(
        [sys.executable, *flags, str(SCRIPT), *ways],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        env=clean_environment,
    )
    expected = [f"{way}: trained [25.5], no thread left" for way in ways]
    assert done.stdout.splitlines() == expected, done.stderr
    assert done.returncode == 0, done.stderr
