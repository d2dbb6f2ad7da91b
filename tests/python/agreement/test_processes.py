"""Several processes train as one: its numbers, one end for all, and words for what cannot be."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.keras_floor import serves_replicas

PROGRAM = Path(__file__).parents[1] / "support" / "program_processes.py"
NUMBERS = ("uneven rows", "sample weights", "masked", "two outputs", "normalised", "own step")
NUMBERS += ("mixed precision",)
# After these, both processes can go on with another call.
WORDS = ("other steps", "early end", "shorter pass", "nothing", "other forms", "broken")
WORDS += ("broken at once", "stopped", "on signal", "other seeds", "interrupted")
MORE = ("predicted", "several steps", "resumed", "within an epoch")

Found = dict[str, dict[str, Any]]

pytestmark = [pytest.mark.timeout(900), serves_replicas]


def free_ports(count: int) -> str:
    """Ports that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = ",".join(str(one.getsockname()[1]) for one in held)
    for one in held:
        one.close()
    return ports


def run(count: int, folder: Path, environment: dict[str, str], *cases: str) -> list[Found]:
    """What so many processes have found, by case; a process that is killed finds less."""
    ports = free_ports(count)
    started = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(index), ports, str(folder), *cases],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
        )
        for index in range(count)
    ]
    try:
        said = [process.communicate(timeout=800) for process in started]
    finally:
        for process in started:
            process.kill()
    for process, (out, errors) in zip(started, said, strict=True):
        whole = '["over"' in out or process.returncode == -getattr(signal, "SIGKILL", 9)
        assert whole, errors[-3000:]
    return [dict(json.loads(line) for line in out.splitlines()) for out, _ in said]


@pytest.fixture(scope="module")
def pair(
    clean_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> list[Found]:
    """What two processes have found."""
    folder = tmp_path_factory.mktemp("processes")
    return run(2, folder, clean_environment, *NUMBERS, *WORDS, *MORE)


@pytest.fixture(scope="module")
def single(clean_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What one process has found, on the batches of both."""
    return run(1, tmp_path_factory.mktemp("process"), clean_environment, *NUMBERS, "several steps")[
        0
    ]


@pytest.mark.parametrize("case", NUMBERS)
def test_two_processes_give_the_numbers_of_one(case: str, pair: list[Found], single: Found) -> None:
    first, second, expected = pair[0][case], pair[1][case], single[case]
    assert first == second  # to the bit
    far = 1e-3 if case == "mixed precision" else 1e-5  # 16-bit floats have an epsilon of 1e-3
    assert first["weights"] == pytest.approx(expected["weights"], rel=far, abs=far / 10)
    assert first["evaluated"] == pytest.approx(expected["evaluated"], rel=far)
    assert set(first["history"]) == set(expected["history"])
    for name, values in expected["history"].items():
        assert first["history"][name] == pytest.approx(values, rel=far), name


def test_calls_that_differ_are_refused_in_both(pair: list[Found]) -> None:
    for found in pair:
        assert "the number of steps of an epoch is 3 in process 0" in found["other steps"]["error"]
        assert "another form in process 1" in found["other forms"]["error"]
        assert "the `seed` of the shared source is 0 in process 0" in found["other seeds"]["error"]
        assert "`on_signal` of a checkpoint is not supported" in found["on signal"]["error"]


def test_what_one_process_lacks_ends_all(pair: list[Found]) -> None:
    for found in pair:
        early = found["early end"]
        assert early["value"] == {"epochs": 2, "incomplete": True}
        (warning,) = early["warnings"]
        assert "9 batches were wanted, 7 came (epoch 3: 1 of 3), in process 1 (" in warning
        assert "no batch for step 5 of epoch 1 in process 1" in found["shorter pass"]["error"]
        assert "there is nothing to train on, in process 1" in found["nothing"]["error"]
        assert found["stopped"]["value"] == {"epochs": 1, "incomplete": False}


@pytest.mark.parametrize("case", ["broken", "broken at once"])
def test_an_error_in_one_process_is_told_to_the_others(case: str, pair: list[Found]) -> None:
    assert pair[1][case]["error"] == "RuntimeError: broken in process 1"
    told = pair[0][case]["error"]
    assert told.startswith("ProcessError: Process 1 of 2 (127.0.0.1:")
    assert "failed: broken in process 1." in told


def test_an_interrupt_of_one_process_ends_all(pair: list[Found]) -> None:
    assert pair[1]["interrupted"]["error"] == "KeyboardInterrupt: "
    assert "Process 1 of 2" in pair[0]["interrupted"]["error"]
    assert ") was interrupted." in pair[0]["interrupted"]["error"]


def test_all_go_on_from_the_file_of_process_0(pair: list[Found]) -> None:
    for found in pair:
        assert found["resumed"]["resumed"] == found["resumed"]["undisturbed"]
    assert "training.npz" in pair[0]["resumed"]["files"]
    assert pair[1]["resumed"]["files"] == []


def test_a_file_within_an_epoch_is_written_at_one_step_of_all(pair: list[Found]) -> None:
    for found in pair:
        assert "broken in process 0" in found["within an epoch"]["error"]
        resumed = found["within an epoch"]["resumed"]
        assert resumed == found["within an epoch"]["undisturbed"]
    assert pair[0]["within an epoch"]["steps"] == 3
    assert pair[1]["within an epoch"]["steps"] is None


def test_each_process_predicts_its_own_rows(pair: list[Found]) -> None:
    assert [found["predicted"]["rows"] for found in pair] == [320, 300]
    for found in pair:
        assert found["predicted"]["far"] < 1e-6
        assert "no batch for step 5 of the prediction in process 1" in found["predicted"]["short"]


def test_several_steps_run_in_one_call(pair: list[Found], single: Found) -> None:
    first, second = (found["several steps"] for found in pair)
    assert first == second  # to the bit, and in as many calls
    assert first["calls"] < first["steps"] / 3
    expected = single["several steps"]
    assert first["weights"] == pytest.approx(expected["weights"], rel=1e-5, abs=1e-6)
    assert first["history"]["loss"] == pytest.approx(expected["history"]["loss"], rel=1e-5)


def test_no_thread_is_left(pair: list[Found]) -> None:
    assert [case for found in pair for case in WORDS if found[case]["threads"]] == []


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("killed", "has ended without a word"),
        ("stopped for good", "has given no sign of life"),
        ("in a step", "failed: no such loss in process 1"),
        ("alone", "has ended before it made this call"),
    ],
)
def test_a_process_that_is_lost_ends_all(
    case: str, text: str, clean_environment: dict[str, str], tmp_path: Path
) -> None:
    found = run(2, tmp_path, clean_environment, case)[0][case]
    assert "ProcessError: Process 1 of 2 (127.0.0.1:" in found["error"]
    assert text in found["error"]
    assert found["seconds"] < 60
    assert found["threads"] == []
