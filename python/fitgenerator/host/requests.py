"""What the calling thread is asked for, and the place of its answer."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from typing import Any

from .current_host import Applied
from .interface import Job, Line, Shown


@dataclass
class Request:
    """Something that the calling thread is asked for, and the place of its answer."""

    kind: str  # "job", "apply", "pull", "say" or "end"
    job: Job | None = None
    applied: Applied | None = None
    line: Line | None = None  # what to pull from
    most: int = 0  # batches, at a pull
    shown: Shown = ""
    reply: queue.SimpleQueue[tuple[bool, Any]] = field(default_factory=queue.SimpleQueue)
    begun: float = 0.0  # when the host took it up, in seconds

    def answer(self, value: Any) -> None:
        """Give the asking thread its value."""
        self.reply.put((True, value))

    def fail(self, error: BaseException) -> None:
        """Raise `error` in the asking thread."""
        self.reply.put((False, error))
