"""What a checkpoint has of the call that it keeps: the engine gives it, and it ends with that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..models.protocol import Array
from .lock import Lock
from .within import Due, Within
from .writer import Writer

Saved = tuple[dict[str, Any], dict[str, Array]]  # a file: its JSON entry, and its arrays by name
States = dict[str, list[int]]  # of random number generators, by name


@dataclass
class Streams:
    """R's random numbers, where the call is from R."""

    states: Callable[[], States | None] = lambda: None  # as they are
    restore: Callable[[States], object] = lambda states: None
    kept: States | None = None  # those of the file that the training goes on from


@dataclass
class Call:
    """One call; the fields that the engine gives are functions, which are called for each file."""

    others: list[Any] = field(default_factory=list)  # its callbacks that come before the checkpoint
    used: Callable[[], int] = lambda: 0  # batches that were trained on
    between: Callable[[], Within] = Within  # where the next epoch begins
    streams: Streams = field(default_factory=Streams)
    stand: tuple[int, Within] = (0, Within())  # what the call counts on
    due: Due = field(default_factory=lambda: Due(None, None))
    writer: Writer = field(default_factory=Writer)
    saved: Saved | None = None  # the file that the training goes on from
    # The file of another process, which writes it for all; this one only goes on from it.
    copy: Path | None = None
    _lock: Lock | None = None

    def locked(self, path: Path) -> Lock:
        """The lock of the file, which is held until `close`."""
        self._lock = Lock(path)
        return self._lock

    def close(self) -> BaseException | None:
        """Wait for the file that is being written, and give the lock back. It can be repeated.

        What the writing has raised, if nobody has raised it.
        """
        error = self.writer.end()
        if self.copy is not None:
            self.copy.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()
        return error
