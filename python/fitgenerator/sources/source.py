"""What the engine reads batches from, whatever was given as a generator.

A reader hands out *claims*: calls that fetch one batch. Claims are made one at a time and in order;
the claims of an indexed source may then run on several threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import Warned, Warns

Claim = Callable[[], Any]


class Reader(ABC):
    """Reads one source from one feed."""

    @abstractmethod
    def begin(self, *, fresh: bool, wrap: bool, epoch: int = 0, count: int | None = None) -> None:
        """Start a round: from the first batch where `fresh`; starting over at the end if `wrap`.

        It is for the epoch of that number, from 0, and has `count` batches, or those of one pass.
        """

    @abstractmethod
    def claim(self) -> Claim:
        """The call that fetches the next batch; at the end it, or this, raises `StopIteration`."""


@dataclass(frozen=True)
class Source:
    """A generator as the engine sees it.

    Attributes:
        open: Makes a reader.
        length: Batches in one pass, where it is known.
        restarts: It can be read again from its first batch.
        parallel: Its claims may run on several threads.
        function: What the host knows it by, where the calling thread makes its batches on request.
        endless: One pass never ends.
        shuffled: Each pass has an order of its own.
        asks: Its batches need the calling thread while they are made: never there.
        exclusive: It makes each batch's arrays anew, and nobody has them but who reads it.
        identity: What it reads.
    """

    open: Callable[[], Reader]
    identity: Any
    length: int | None = None
    restarts: bool = False
    parallel: bool = False
    endless: bool = False
    shuffled: bool = False
    asks: bool = False
    exclusive: bool = False
    function: Any = None

    @property
    def hosted(self) -> bool:
        """The calling thread makes its batches, on request."""
        return self.function is not None

    def take_warnings(self) -> list[Warned]:
        """What there is to warn of since the last time, on the thread that may."""
        return self.identity.take_warnings() if isinstance(self.identity, Warns) else []


class Readable(ABC):
    """An object that knows what the engine reads of it."""

    @abstractmethod
    def as_source(self, argument: str) -> Source:
        """The `Source` that it stands for, given as `argument`."""
