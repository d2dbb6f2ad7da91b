"""Two or three replicas on one machine give the numbers of a single device."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.keras_floor import serves_replicas

PROGRAM = Path(__file__).parents[1] / "support" / "program_replicas.py"
# Run by default; the others with FITGENERATOR_SWEEP=all.
QUICK = ("fewer rows than replicas", "several steps a call", "mean by sample weight")
QUICK += ("mixed precision", "masked and regularised", "two outputs", "step of its own")
OTHERS = ("resumed", "untrained", "overflowed", "decided", "failed")
HALF = 1e-3  # the epsilon of 16-bit floats

pytestmark = [pytest.mark.timeout(900), serves_replicas]


def cases() -> list[str]:
    """The names of the program's cases, which this process cannot import: it has one device."""
    if os.environ.get("FITGENERATOR_SWEEP") != "all":
        return list(QUICK)
    for node in ast.parse(PROGRAM.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "CASES":
            assert isinstance(node.value, ast.Dict)
            return [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
    raise AssertionError("there are no cases")


@pytest.fixture(scope="module")
def found(clean_environment: dict[str, str]) -> dict[str, Any]:
    """What the program has found, by case."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *cases(), *OTHERS],
        capture_output=True,
        text=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=800,
        check=False,
        env=clean_environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize("case", cases())
def test_replicas_give_the_numbers_of_one_device(case: str, found: dict[str, Any]) -> None:
    differences = dict(found[case])
    differences.pop("steps a call")
    assert {"weights", "predicted"} <= set(differences)
    bound = HALF if case == "mixed precision" else 1e-5
    assert {k: v for k, v in differences.items() if not v < bound} == {}


def test_a_step_that_overflows_in_one_replica_is_left_out(found: dict[str, Any]) -> None:
    assert found["overflowed"] == {"same": True, "scale": 2.0**29}


def test_models_that_were_never_trained_predict_and_are_evaluated(
    found: dict[str, Any],
) -> None:
    assert len(found["untrained"]) == 4
    assert {k: v for k, v in found["untrained"].items() if not v < 1e-5} == {}


def test_several_steps_run_in_one_call(found: dict[str, Any]) -> None:
    assert found["several steps a call"]["steps a call"] > 2
    assert found["decided"] > 2


def test_a_training_resumed_from_a_checkpoint_ends_as_one_that_never_stopped(
    found: dict[str, Any],
) -> None:
    assert found["resumed"]["two"] == 0
    assert found["resumed"]["one"] < 1e-5  # of one device, its epoch differs by rounding


def test_what_cannot_be_is_said_before_the_first_step(found: dict[str, Any]) -> None:
    said = found["failed"]
    assert said["generator"] == "RuntimeError: broken"
    assert "MirroredStrategy of 2 replicas, but the model was not made in it" in said["outside"]
    assert "parts of the batch have different numbers of rows, 4, 3," in said["uneven parts"]
    assert "sparse and ragged tensors" in said["ragged"]
    assert said["steps taken"] == "0"
    assert said["threads"] == "[]"
