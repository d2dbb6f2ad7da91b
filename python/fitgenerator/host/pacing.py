"""When the calling thread makes a batch, if it also runs a hook at each step.

Thread rule 6: a hook that comes while the calling thread makes a batch waits for it. So a batch is
begun when the next step would lack one, or where it should be made before the running step ends;
else at the next step. The lead grows to what fits in parallel with the steps.
"""

from __future__ import annotations

import time


class Pacing:
    """What the training loop tells of its steps, and the host asks before it makes a batch."""

    def __init__(self) -> None:
        self.hooked = False
        self._begun: float | None = None
        self._length = 0.0  # of the last step, in seconds

    def begin(self) -> None:
        """A step begins that a hook follows."""
        self._begun = time.perf_counter()

    def end(self) -> None:
        """The step has ended; the hook, and the next step, are to come."""
        if self._begun is not None:
            self._length = time.perf_counter() - self._begun

    def rest(self) -> None:
        """No hook is to come for now."""
        self._begun = None

    def allows(self, length: float, ahead: int) -> bool:
        """Whether a batch that takes so many seconds may be begun, with `ahead` there already."""
        begun = self._begun
        if not self.hooked or begun is None or ahead <= 0:
            return True
        return time.perf_counter() + length <= begun + self._length
