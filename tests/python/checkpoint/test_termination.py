"""SIGTERM, and two processes on one file: in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fitgenerator import ArgumentError, Checkpoint
from fitgenerator.checkpoint import archive
from fitgenerator.checkpoint.lock import Lock
from fitgenerator.checkpoint.within import Within
from support.tiny_trainings import PATIENCE, echo_model, numbered, numbered_batch, run

PROGRAM = Path(__file__).parents[1] / "support" / "program_terminated.py"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")


def started(environment: dict[str, str], folder: Path, *arguments: str) -> Any:
    """The program, which trains by now."""
    command = [sys.executable, str(PROGRAM), str(folder), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "training\n"
    return process


def stand(folder: Path) -> Within:
    return Within.of(archive.read_note(folder / "c.npz") or {})


@pytest.mark.parametrize(
    ("source", "how"),
    [("quick", ""), ("slow", ""), ("slow", "lock-step"), ("quick", "caught"), ("quick", "handler")],
)
def test_SIGTERM_keeps_the_training_and_ends_the_script_with_143(
    source: str, how: str, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    process = started(clean_environment, tmp_path, source, how)
    time.sleep(0.7)
    sent = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    said = process.stdout.readline()
    spent = time.perf_counter() - sent
    rest = process.stdout.read()
    assert process.wait(PATIENCE) == (0 if how == "caught" else 143)
    within = stand(tmp_path)
    assert within.steps > 2
    assert f"terminated: SIGTERM came: the training was stopped after step {within.steps} " in said
    assert spent < 2
    assert rest == ("handler\n" if how == "handler" else "")
    assert [file.name for file in tmp_path.iterdir()] == ["c.npz"]


def test_a_second_SIGTERM_acts_as_without_us(
    tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    process = started(clean_environment, tmp_path, "generator")
    process.send_signal(signal.SIGSTOP)  # so that both are there before the first is obeyed
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    assert "What is kept of it is in" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) in (143, -signal.SIGTERM)
    assert not list(tmp_path.glob("*.npz"))


def test_the_handler_before_is_put_back_and_other_threads_are_refused(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    batches, seen = [numbered_batch(k) for k in range(3)], []

    def note(epoch: int, logs: Any = None) -> None:
        seen.append(signal.getsignal(signal.SIGTERM))

    import keras

    noting = keras.callbacks.LambdaCallback(on_epoch_end=note)
    run(echo_model(), batches, None, 1, [noting, Checkpoint(tmp_path / "c.npz", on_signal=True)])
    assert seen != [before]
    assert signal.getsignal(signal.SIGTERM) is before
    errors: list[Any] = []

    def refused() -> None:
        try:
            saved = Checkpoint(tmp_path / "c.npz", on_signal=True)
            run(echo_model(), numbered(), 3, 2, [saved])
        except ArgumentError as error:
            errors.append(error)

    thread = threading.Thread(target=refused)
    thread.start()
    thread.join(PATIENCE)
    assert "`on_signal` needs the main thread" in str(errors[0])


def test_two_processes_on_one_file_the_second_is_refused_and_the_lock_dies_with_the_first(
    tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    process = started(clean_environment, tmp_path, "quick")
    source = [numbered_batch(1)]
    with pytest.raises(ArgumentError, match="`path` is used by another training"):
        run(echo_model(), source, None, 1, [Checkpoint(tmp_path / "c.npz")])
    process.kill()
    process.wait(PATIENCE)
    assert (tmp_path / "c.npz.lock").exists()
    run(echo_model(), source, None, 1, [Checkpoint(tmp_path / "c.npz")])
    assert [file.name for file in tmp_path.iterdir()] == ["c.npz"]


def test_a_fork_does_not_hold_the_lock(tmp_path: Path) -> None:
    one, two = Lock(tmp_path / "c.npz"), Lock(tmp_path / "c.npz")
    assert one.take()
    assert not two.take()
    child = os.fork()
    if child == 0:
        time.sleep(100)
        os._exit(0)
    one.release()
    taken = two.take()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert taken
    two.release()
    assert not list(tmp_path.iterdir())
