"""What not every platform has, and tests need: marks that skip these tests, with the reason."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest

WINDOWS = os.name == "nt"

# Sends signals to processes; on Windows, os.kill() ends them instead.
posix = pytest.mark.skipif(WINDOWS, reason="there are no POSIX signals on Windows")
named_pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
timers = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="there is no SIGALRM")
terminals = pytest.mark.skipif(WINDOWS, reason="there are no pseudo-terminals on Windows")


def _can_link() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            Path(folder, "link").symlink_to(folder)
        except OSError:  # on Windows, they need a right of their own
            return False
    return True


links = pytest.mark.skipif(not _can_link(), reason="symbolic links are not allowed here")


def press_ctrl_c() -> None:
    """Send this process what a terminal sends on Ctrl-C."""
    if WINDOWS:  # where os.kill() would end it
        signal.raise_signal(signal.SIGINT)
    else:
        os.kill(os.getpid(), signal.SIGINT)


def open_files() -> int:
    """How many files the process has open; 0 where the system does not tell."""
    folder = Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.exists() else 0
