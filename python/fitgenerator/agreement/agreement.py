"""What the processes of one training agree on: what each of them does next, and how all end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Value = Any  # of JSON: numbers, texts, lists and dicts


class Agreement:
    """A single process agrees with itself."""

    index = 0  # of this process
    count = 1  # of processes

    @property
    def several(self) -> bool:
        """Whether there are other processes."""
        return self.count > 1

    def join(self, check: Callable[[], None], wake: Callable[[], None]) -> None:
        """Meet the other processes, which make the same call.

        `check` raises interrupts in waits; `wake` is called, on another thread, where a process has
        failed: nothing is to wait for batches any more.
        """

    def agree(self, place: str, value: Value) -> list[Value]:
        """What each process gives, in their order; all of them have to be at the same place.

        Raises:
            ProcessError: Another process has failed.
            ClosedError: The call is over.
        """
        return [value]

    def any(self, place: str, *, flag: bool) -> bool:
        """Whether one process or more say so."""
        return any(self.agree(place, flag)) if self.several else flag

    def spread(self, data: bytes) -> bytes:
        """What process 0 gives."""
        return data

    @contextmanager
    def told(self) -> Iterator[None]:
        """Context manager: the others are told of an error, and of theirs, one is raised here."""
        yield

    def leave(self) -> None:
        """The call has ended well; wait until it has in all processes."""

    def shut(self) -> None:
        """Let nobody wait any more; any thread may call it, more than once."""

    def close(self) -> None:
        """Let go of the others, and wait for our threads. It can be repeated."""

    def named(self, index: int) -> str:
        """A process, in messages."""
        return f"process {index}"
