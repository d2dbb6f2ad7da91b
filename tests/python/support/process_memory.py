"""The memory of this process, as Linux tells of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MIB = 2**20
PROCESS = Path("/proc/self")
linux = pytest.mark.skipif(not PROCESS.exists(), reason="memory is read from /proc")


def resident() -> float:
    """The resident set of this process, in MiB."""
    return int((PROCESS / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


def peak() -> float:
    """The largest resident set since `forget_peak`, in MiB."""
    lines = (PROCESS / "status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def forget_peak() -> None:
    """Let the peak be what is resident now."""
    (PROCESS / "clear_refs").write_text("5")
