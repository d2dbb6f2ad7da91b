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

import keras
import pytest
from fitgenerator import ArgumentError, Checkpoint
from fitgenerator.checkpoint import archive
from fitgenerator.checkpoint.lock import Lock
from fitgenerator.checkpoint.within import Within
from fitgenerator.host.termination import SignalTermination
from support.tiny_trainings import PATIENCE, echo_model, numbered, numbered_batch, run

PROGRAM = Path(__file__).parents[1] / "support" / "program_terminated.py"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")


def started(environment: dict[str, str], folder: Path, *arguments: str) -> Any:
    """The program, which trains by now."""
    command = [sys.executable, str(PROGRAM), str(folder), *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "training\n"
    return process


def stand(folder: Path) -> Within:
    return Within.of(archive.read_note(folder / "c.npz") or {})


def ended(process: Any, folder: Path) -> list[str]:
    """Send SIGTERM; what the program says then."""
    sent = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    said = [process.stdout.readline()]
    spent = time.perf_counter() - sent
    with process.stdout, process.stderr:
        said += process.stdout.read().splitlines()
        told = process.stderr.read()
    assert process.wait(PATIENCE) == 143
    within = stand(folder)
    assert within.steps > 40
    assert ("SIGTERM came" in told) == ("telling" in process.args)
    assert f"SIGTERM came: the training was stopped after step {within.steps} of" in said[0]
    assert spent < 2
    assert [file.name for file in folder.iterdir()] == ["c.npz"]
    return said[1:]


def test_SIGTERM_keeps_the_training_and_two_processes_on_one_file_are_refused(
    tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    process = started(clean_environment, tmp_path, "quick", "handler")
    with pytest.raises(ArgumentError, match="`path` is used by another training"):
        run(echo_model(), [numbered_batch(1)], None, 1, [Checkpoint(tmp_path / "c.npz")])
    assert ended(process, tmp_path) == ["handler"]  # which is back by then


@pytest.mark.parametrize("how", ["", "lock-step", "telling"])
def test_SIGTERM_waits_for_no_batch(
    how: str, tmp_path: Path, clean_environment: dict[str, str]
) -> None:
    assert ended(started(clean_environment, tmp_path, "slow", how), tmp_path) == []


def test_a_second_SIGTERM_acts_as_without_us() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        termination = SignalTermination()
        termination.watch()
        signal.raise_signal(signal.SIGTERM)
        assert (termination.asked, seen) == (True, [])
        signal.raise_signal(signal.SIGTERM)
        assert seen == [signal.SIGTERM]
        termination.restore()
        signal.raise_signal(signal.SIGTERM)
        assert len(seen) == 2
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_handler_before_is_put_back_and_other_threads_are_refused(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    batches, seen = [numbered_batch(k) for k in range(3)], []

    def note(epoch: int, logs: Any = None) -> None:
        seen.append(signal.getsignal(signal.SIGTERM))

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


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    code = (
        "import runpy, sys, pathlib, time\n"
        f"lock = runpy.run_path({sys.modules[Lock.__module__].__file__!r})['Lock']\n"
        "print(lock(pathlib.Path(sys.argv[1])).take(), flush=True); time.sleep(100)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "c.npz")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    lock = Lock(tmp_path / "c.npz")
    assert not lock.take()
    process.kill()
    process.communicate()
    assert lock.take()
    lock.release()
    assert not list(tmp_path.iterdir())


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
