"""The last state, for everyone who watches: nothing older is kept."""

from __future__ import annotations

import threading


class Feed:
    """Texts of some kinds, of which the last one of each kind counts; for any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._last: dict[str, tuple[int, str]] = {}
        self._number = 0
        self._ended = False
        self.watchers = 0  # how many wait for news

    def put(self, kind: str, text: str) -> None:
        """Replace the text of this kind."""
        with self._changed:
            self._number += 1
            self._last[kind] = (self._number, text)
            self._changed.notify_all()

    def end(self) -> None:
        """Nothing comes after what is there."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def watch(self, come: int) -> None:
        """One watcher came, or went (-1)."""
        with self._changed:
            self.watchers += come

    def news(self, seen: int) -> tuple[int, dict[str, str]]:
        """Wait for what is newer than `seen`: its number and the texts; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > seen or self._ended)
            newer = {kind: text for kind, (at, text) in self._last.items() if at > seen}
            return self._number, newer
