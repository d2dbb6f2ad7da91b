"""When the calling thread makes a batch, if it is also to run a hook at each step.

A hook that comes while a batch is made waits for it. So a pull begins when the next step would lack
a batch, or where it should end before the running step does; else it waits for the next step. The
lead grows to what fits beside the steps, and order and values of the batches are the same.
"""

from __future__ import annotations

import time


class Pace:
    """What the training loop tells of its steps, and the host asks before a pull."""

    def __init__(self) -> None:
        self.hooked = False
        self._begun: float | None = None
        self._step = 0.0

    def begin(self) -> None:
        """A step begins that a hook follows."""
        self._begun = time.perf_counter()

    def end(self) -> None:
        """It has ended; the hook, and the next step, are to come."""
        if self._begun is not None:
            self._step = time.perf_counter() - self._begun

    def rest(self) -> None:
        """No hook is to come for now."""
        self._begun = None

    def allows(self, seconds: float, ahead: int) -> bool:
        """Whether a pull of so many seconds may begin, when `ahead` batches are there already."""
        begun = self._begun
        if not self.hooked or begun is None or ahead <= 0:
            return True
        return time.perf_counter() + seconds <= begun + self._step
