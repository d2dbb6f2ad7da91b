"""U1: forks of a process in which TensorFlow ran, whose threads are lost in them."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fitgenerator.backends import forks
from fitgenerator.errors import SetupError

SCRIPT = Path(__file__).parents[1] / "support" / "program_forked.py"


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="there are no forks here"
)
def test_U1_a_fork_trains_where_it_can_and_is_refused_where_it_would_hang(
    clean_environment: dict[str, str],
) -> None:
    said = subprocess.run(
        [sys.executable, str(SCRIPT)],
        capture_output=True,
        text=True,
        env=clean_environment,
        timeout=110,
        check=True,
    ).stdout
    lines = [line.split("; ", 2) for line in said.splitlines()]
    told = {when: (float(seconds), text) for when, seconds, text in lines}
    assert told["before"][1] == told["here"][1] == "trained"
    for when in ("built", "trained"):
        seconds, text = told[when]
        assert seconds < 8
        assert "fork of one in which TensorFlow ran" in text
        assert 'multiprocessing.get_context("spawn")' in text


def test_U1_a_backend_that_starts_slowly_in_a_fork_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start_slowly() -> None:
        until = time.monotonic() + 2.5 * forks.PATIENCE
        while time.monotonic() < until:
            sum(range(1000))

    def use_lost_threads() -> None:
        threading.Event().wait(10)

    monkeypatch.setattr(forks._Known, "forked", True)
    monkeypatch.setattr(forks._Known, "sound", None)
    with pytest.raises(SetupError, match="fork of one in which Any ran"):
        forks.check_process("Any", use_lost_threads)
    forks.check_process("Any", start_slowly)
