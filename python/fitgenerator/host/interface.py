"""What background threads need of the calling thread, and what it fetches batches from."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Thread
from types import GeneratorType
from typing import Any, Protocol

from ..errors import Warns
from ..reporting.progress_bar import Bar
from .termination import Termination
from .watchdog import Watched

# A job: a function that the calling thread is to call. It may return a generator, which yields the
# hooks that only the host's own language can call.
Work = Callable[[], Any]
Hooks = Generator[Any, None, Any]
Shown = str | Bar  # lines of text, or a bar that is overwritten
# What the host knows a function of its own language by.
HostFunction = Any
RawBatch = Any  # as the user's function returned it


@dataclass(frozen=True)
class ForeignHook:
    """Yielded by a job that has to run a callback which only the host's own language can call."""

    table: int
    hook: str
    args: tuple[Any, ...]


@dataclass(frozen=True)
class Place:
    """What a function that can begin again is told of one batch."""

    opens: bool  # it is the first one of a pass
    epoch: int = 0  # the number of the pass, from 0
    index: int = 0  # what the function is called with, from 0; streams are not called with one
    seed: int = 0  # what its random numbers follow from
    ended: int | None = None  # the pass that has ended: the function is told, and makes no batch
    wrap: bool = False  # a stream that ends begins again at once
    ends: bool = False  # it is the last one of a pass whose end the function is told


class Host(Protocol):
    """What the training loop needs from the calling thread."""

    # Seconds that jobs waited until the calling thread took them up: it was making batches then.
    waited: float
    patience: float | None  # how long one batch may take, in seconds; `None` for ever
    termination: Termination  # whether the call is to stop, because the process is to end
    met: dict[Warns, None]  # what code on its threads has met that warns at the end of the call

    def call(self, work: Work) -> Any:
        """Run a job on the calling thread, return its result, raise what it raised."""

    def say(self, thing: Shown) -> None:
        """Show a bar, or lines, on the calling thread, soon."""

    def wake(self) -> None:
        """Let the calling thread look again at which batch it may fetch."""

    def serve(self, source: HostedSource) -> None:
        """Have the calling thread fetch the batches of a source."""

    def stop_late(self, source: Watched, threads: Iterable[Thread]) -> None:
        """Interrupt the function that a late batch of `source` needs; its error will come.

        It is that of the source, or one that its `threads` ask for. Where it does not run, another
        function is to blame, or what the threads do: raises the error for that.
        """

    def is_asked_by(self, threads: Iterable[Thread]) -> bool:
        """Whether code of the user's waits, on one of these threads, for a function of the host."""

    def check(self) -> None:
        """Raise an interrupt that came, where this is the calling thread."""

    def user_code(self) -> AbstractContextManager[None]:
        """Around code of the user's, which may be interrupted anywhere."""

    def making(self) -> AbstractContextManager[None]:
        """Around code of the user's that makes a batch, which SIGTERM may stop, too."""


class HostedSource(Watched, Protocol):
    """A source whose function only the host can call: the host fetches its batches when it is free.

    All methods are called by the host.
    """

    function: HostFunction
    rank: int  # sources of a lower rank are served first

    def wanted(self) -> int:
        """How many batches may be fetched now."""

    def places(self) -> Sequence[Place] | None:
        """What the function is told of each of them; `None` where it needs to know nothing."""

    def ready(self) -> bool:
        """Whether the host may begin with one."""

    def deliver(self, batches: list[RawBatch], begun: float, seconds: float) -> None:
        """Take batches that were fetched, in order, from `begun` on, each in `seconds`."""

    def end(self) -> None:
        """The function has no more batches."""

    def told(self) -> None:
        """The function knows that a pass has ended."""

    def fail(self, error: BaseException) -> None:
        """The function failed."""


def advance(hooks: Hooks) -> Any:
    """Run a job up to the next foreign hook, which is returned, or to its end, for its result."""
    try:
        return next(hooks)
    except StopIteration as end:
        return end.value
    except RuntimeError as error:
        # Python makes one of a StopIteration that leaves a generator; a callback may raise it.
        if isinstance(error.__cause__, StopIteration):
            raise error.__cause__ from None
        raise


def run_job(work: Work) -> Any:
    """Run a job in which no foreign hook can occur; its result."""
    result = work()
    if isinstance(result, GeneratorType):
        result = advance(result)
        if isinstance(result, ForeignHook):
            raise RuntimeError(f"{result} needs a host that runs foreign callbacks")
    return result
