"""What background threads need of the calling thread, and how jobs run there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import GeneratorType
from typing import Any, Protocol

from ..reporting.progress_bar import Bar
from .current_host import Applied

Job = Callable[[], Any]
Shown = str | Bar  # lines of text, or a bar that is overwritten


@dataclass(frozen=True)
class ForeignHook:
    """Yielded by a job that has to run a callback which only the host's own language can call."""

    table: int
    hook: str
    args: tuple[Any, ...]


class Host(Protocol):
    """What the training loop needs from the calling thread.

    `waited` is how long jobs waited until the calling thread took them up, in seconds: it was
    making batches then. `patience` is how long one batch may take it, `None` for ever.
    """

    waited: float
    patience: float | None

    def call(self, job: Job) -> Any:
        """Run `job` on the calling thread, return its result, raise what it raised."""

    def say(self, thing: Shown) -> None:
        """Show a bar, or lines, on the calling thread, soon."""

    def wake(self) -> None:
        """Let the calling thread look again at which batch it may make."""

    def serve(self, line: Line) -> None:
        """Have the calling thread make a line's batches."""

    def hurry(self) -> Line | Applied | None:
        """Stop the function that the calling thread makes a batch with: that takes too long.

        The line or the call that it belongs to, which will fail, or `None` where none is made.
        """

    def check(self) -> None:
        """Raise an interrupt that came, where this is the calling thread."""

    def user_code(self) -> AbstractContextManager[None]:
        """Around code of the user's, which may be interrupted anywhere."""


def advance_job(job: GeneratorType[Any, Any, Any]) -> Any:
    """Run a job up to the next foreign hook, which is returned, or to its end, for its result."""
    try:
        return next(job)
    except StopIteration as end:
        return end.value
    except RuntimeError as error:
        # Python makes one of a StopIteration that leaves a generator; a callback may raise it.
        if isinstance(error.__cause__, StopIteration):
            raise error.__cause__ from None
        raise


def finish_job(job: GeneratorType[Any, Any, Any]) -> Any:
    """Run a job in which no foreign hook can occur to its end."""
    result = advance_job(job)
    if isinstance(result, ForeignHook):
        raise RuntimeError(f"{result} needs a host that runs foreign callbacks")
    return result


class Line(Protocol):
    """A function that the host makes batches with, when it has nothing else to do.

    All is called by the host. `function` is what the host knows it by; lines of a lower `rank` are
    served first.
    """

    function: Any
    rank: int

    def wanted(self) -> int:
        """How many batches may be made now."""

    def places(self) -> list[Any] | None:
        """What the function is told of each of them; `None` where it needs to know nothing."""

    def ready(self) -> bool:
        """Whether the host may begin with one."""

    def deliver(self, batches: list[Any], begun: float, seconds: float) -> None:
        """Take batches that the function gave, in order, from `begun` on, each in `seconds`."""

    def end(self) -> None:
        """The function has no more batches."""

    def fail(self, error: BaseException) -> None:
        """The function failed."""

    def timed_out(self, stack: str) -> BaseException:
        """The error for a batch that takes too long; `stack` is where its function stands."""
