"""Files that a flow leaves out because they cannot be read, and the warnings about them."""

from __future__ import annotations

import threading
from abc import abstractmethod

from ...errors import ImageWarning, LeftOutError, Warned, Warns
from ...host.current_host import tell
from ...models.protocol import Array


class Skipping(Warns):
    """What a flow of `n` files knows of those that it has left out.

    Attributes:
        skipped: Path to reason of the files that were left out.
    """

    @property
    @abstractmethod
    def n(self) -> int:
        """Files of the flow."""

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}
        self._skipping = threading.Lock()
        self._untold = 0  # files left out that no warning has mentioned
        self._empty = 0  # batches without images, likewise

    def _skip(self, path: str, why: str) -> None:
        """Note a file that cannot be read, and warn, or have the call warn at its end."""
        with self._skipping:
            self._untold += path not in self.skipped
            self.skipped[path] = why
        tell(self)

    def take_warnings(self) -> list[Warned]:
        """The warnings that have come up since the last call."""
        with self._skipping:
            untold, self._untold = self._untold, 0
            empty, self._empty = self._empty, 0
            if not (untold or empty):
                return []
            last = next(reversed(self.skipped.values()))
        text = (
            f"In this flow, {len(self.skipped)} of {self.n} files could not be read and were left "
            f'out (`on_error` = "skip"); `skipped` of the flow has all of them. The last: {last}'
        )
        if empty:
            text += f" Batches that were left out, because they had no other file: {empty}."
        return [(text, ImageWarning)]

    def _check_left(self, indices: Array) -> None:
        """Check that at least one image of a batch could be read."""
        if not len(indices):
            raise LeftOutError(self._nothing_of("batch"), self._nothing_of("whole pass"))

    def _nothing_of(self, what: str) -> str:
        with self._skipping:
            last = next(reversed(self.skipped.values()))
        return (
            f"Not one image of a {what} could be read; {len(self.skipped)} of {self.n} files were "
            f"left out so far. The last: {last}"
        )

    def _note_empty(self) -> None:
        """Note a batch in whose place the next one comes."""
        with self._skipping:
            self._empty += 1
