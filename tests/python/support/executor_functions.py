"""Functions that executors run in other processes: what a test asserts of them, a file tells."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np


def batch(number: int, epoch: int = 0) -> Any:
    """All values of batch `number` are `number`, as those of `numbered_batch`."""
    return np.full((2, 1), number, "float32"), np.zeros((2, 1), "float32")


def of_epoch(number: int, epoch: int) -> Any:
    """A batch that tells its pass, too."""
    return batch(10 * epoch + number)


def slow(number: int) -> Any:
    """Made in 60 ms."""
    time.sleep(0.06)
    return batch(number)


def where(folder: str, number: int) -> Any:
    """Notes the process that makes it."""
    Path(folder, f"{number}-{os.getpid()}").touch()
    return batch(number)


def failing(number: int) -> Any:
    """Fails at batch 4 of the sequence."""
    if number == 3:
        raise LookupError("no such picture: 3.png")
    return batch(number)


def dying(folder: str, times: int, number: int) -> Any:
    """Takes its process along at batch 4 of the sequence, so many times."""
    if number == 3:
        for k in range(times):
            try:
                Path(folder, f"death {k}").touch(exist_ok=False)
            except FileExistsError:
                continue
            os._exit(9)
    return batch(number)


def stuck(folder: str, number: int) -> Any:
    """Does not return from batch 5 of the sequence, until a file says so."""
    while number >= 4 and not Path(folder, "over").exists():
        time.sleep(0.02)
    Path(folder, f"made {number}").touch()
    return batch(number)
