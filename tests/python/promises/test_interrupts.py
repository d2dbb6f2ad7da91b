"""Ctrl-C: a `KeyboardInterrupt` within one step, nothing left, all of it usable."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import pytest
from fitgenerator import evaluate_generator, last_history, predict_generator
from support.platforms import press_ctrl_c
from support.tiny_trainings import Watched, at_epoch_end, echo_model, numbered, run

TRIALS = 10
MODES = ["sleeping generator", "running steps", "lockstep", "stuck"]
SCRIPT = Path(__file__).parents[1] / "support" / "program_interrupted.py"


@pytest.fixture(autouse=True)
def python_takes_interrupts() -> Iterator[None]:
    """Also where the tests run in a shell's background, which ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


interrupt = press_ctrl_c


# -- from within --------------------------------------------------------------------------------


def test_F1_while_the_generator_runs(queue: int) -> None:
    # Late enough that the first epoch is over, however far ahead the generator runs.
    source = Watched(numbered(), lambda number: interrupt() if number == 60 else None)
    with pytest.raises(KeyboardInterrupt):
        run(echo_model(), source, 2, 10**5, max_queue_size=queue)
    history = last_history()
    assert history is not None
    assert history.incomplete
    assert history.history["loss"][:1] == [1.5]
    assert run(echo_model(), numbered(), 2, max_queue_size=queue).history["loss"] == [1.5]


def test_F2_while_the_model_waits_for_a_generator_that_takes_long(short_grace: float) -> None:
    release, waiting = threading.Event(), threading.Event()

    def long(number: int) -> None:
        if number == 3:
            release.wait()

    def press() -> None:
        waiting.wait()
        interrupt()

    finger = threading.Thread(target=press)
    callbacks = [at_epoch_end(lambda epoch: waiting.set())]
    finger.start()
    begun = time.perf_counter()
    with (
        pytest.warns(UserWarning, match="did not return within"),
        pytest.raises(KeyboardInterrupt),
    ):
        run(echo_model(), Watched(numbered(), long), 2, 1000, callbacks)
    assert time.perf_counter() - begun < 10
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("fitgenerator"):
            thread.join()
    finger.join()
    history = last_history()
    assert history is not None
    assert history.epoch == [0]


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_epoch_begin", "on_test_batch_begin"])
def test_F1_in_a_callback(hook: str, queue: int) -> None:
    callback, ended = keras.callbacks.Callback(), []

    def press(number: int, logs: Any = None) -> None:
        if number == 1:
            interrupt()

    setattr(callback, hook, press)
    callback.on_train_end = ended.append
    options = {"validation_steps": 2, "max_queue_size": queue}
    with pytest.raises(KeyboardInterrupt):
        run(echo_model(), numbered(), 2, 1000, [callback], numbered(), **options)
    assert not ended


def test_F1_in_evaluate_and_predict(queue: int) -> None:
    for function in (evaluate_generator, predict_generator):
        source = Watched(numbered(), lambda number: interrupt() if number == 6 else None)
        with pytest.raises(KeyboardInterrupt):
            function(echo_model(), source, 10**6, queue)
        assert source.pulls <= 10**5


def test_a_second_interrupt_while_the_first_cleans_up_leaves_no_thread(short_grace: float) -> None:
    release, entered = threading.Event(), threading.Event()

    def slow(number: int) -> None:
        if number == 3:
            entered.set()
            release.wait()

    def press_twice() -> None:
        entered.wait()
        interrupt()
        time.sleep(short_grace / 3)  # the first has been taken, its clean-up waits
        interrupt()
        release.set()

    finger = threading.Thread(target=press_twice)
    finger.start()
    with pytest.raises(KeyboardInterrupt):
        run(echo_model(), Watched(numbered(), slow), 2, 1000)
    finger.join()
    assert run(echo_model(), numbered(), 2).history["loss"] == [1.5]


# -- from outside -------------------------------------------------------------------------------


def test_F1_ctrl_c_from_outside_ten_times_each(clean_environment: dict[str, str]) -> None:
    answers = []
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), str(TRIALS), *MODES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment,
    ) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(TRIALS * len(MODES)):
            if (line := process.stdout.readline()) != "ready\n":
                answers.append(f"not ready but {line!r}")
                process.kill()
                break
            time.sleep(random.uniform(0, 0.1))  # anywhere in its work
            process.send_signal(signal.SIGINT)
            answers.append(process.stdout.readline().strip())
            with suppress(BrokenPipeError):  # it has ended: the next line will not come
                process.stdin.write("next\n")
                process.stdin.flush()
        begun = time.perf_counter()
        _, errors = process.communicate()  # where it hangs it ends itself, and says where
        seconds = time.perf_counter() - begun
    expected = ["interrupted, history kept, no thread left, trains on"] * TRIALS * len(MODES)
    assert answers == expected, errors
    assert process.returncode == 0, errors
    assert seconds < 10
