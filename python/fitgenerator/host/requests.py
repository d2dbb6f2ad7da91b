"""What the calling thread is asked for, and how it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, get_ident
from types import GeneratorType
from typing import Any

from ..errors import ClosedError, GeneratorTimeoutError
from .interface import Hooks, HostedSource, HostFunction, RawBatch, Shown, Work, advance
from .outcome import Ended, Failed, Interrupted, Outcome, TimedOut, Told, Value


@dataclass(eq=False)
class Request:
    """Something that the calling thread is asked for."""

    begun: float = field(default=0.0, init=False)  # when it was taken up, in seconds; 0 before

    def claim(self) -> bool:
        """Whether the host may take it up: not if it was answered in another way meanwhile."""
        return True

    def abandon(self) -> None:
        """The call is over: the request will not be answered."""


@dataclass(eq=False)
class Awaited(Request):
    """A request whose answer a background thread waits for."""

    reply: SimpleQueue[Value[Any] | Failed] = field(default_factory=SimpleQueue, init=False)

    def abandon(self) -> None:
        """Unwind the thread that waits."""
        self.reply.put(Failed(ClosedError()))


@dataclass(eq=False)
class Job(Awaited):
    """Run a job on the calling thread."""

    work: Work
    hooks: Hooks | None = field(default=None, init=False)  # what runs the job, where it has hooks

    def advance(self) -> Any:
        """Run it up to the next foreign hook, which is returned, or to its end, for its result."""
        if self.hooks is None:
            result = self.work()
            if not isinstance(result, GeneratorType):
                return result
            self.hooks = result
        return advance(self.hooks)

    def answer(self, outcome: Value[Any] | Failed) -> None:
        """Give the thread that waits what came of it."""
        self.reply.put(outcome)


@dataclass(eq=False)
class Apply(Awaited):
    """Call a function for a batch that another thread makes."""

    name: str  # the argument that the function was given as, for messages
    function: HostFunction
    args: tuple[Any, ...]
    patience: float | None = None  # seconds that its batch may take; `None` for ever
    ours: bool = field(default=True, kw_only=True)  # asked by a thread of ours, which ends
    stays: bool = field(default=False, kw_only=True)  # it is answered until the host is closed
    asker: int = field(default_factory=get_ident, init=False)  # that thread

    def timed_out(self, stack: str) -> GeneratorTimeoutError:
        """The error for a call that takes too long; `stack` is where the function stands."""
        text = f"`{self.name}` did not return within {self.patience:g} seconds (`timeout`)."
        return GeneratorTimeoutError.at(stack, text)

    def answer(self, outcome: Outcome) -> None:
        """Give the thread that waits what came of it; the user's interrupt is raised here."""
        match outcome:
            case Value() | Failed():
                self.reply.put(outcome)
            case TimedOut(stack):
                self.reply.put(Failed(self.timed_out(stack)))
            case Interrupted():
                raise KeyboardInterrupt


@dataclass(eq=False)
class Call(Apply):
    """Call a function of the host's language that code of the user's has called on this thread."""

    named: Mapping[str, Any] = field(default_factory=dict)  # further arguments, by name
    _unclaimed: Lock = field(default_factory=Lock, init=False)

    def claim(self) -> bool:
        """True, once."""
        return self._unclaimed.acquire(blocking=False)

    def timed_out(self, stack: str) -> GeneratorTimeoutError:
        """The error for a call that takes too long; `stack` is where the function stands."""
        text = f"An R function of a batch took more than {self.patience:g} seconds (`timeout`)."
        return GeneratorTimeoutError.at(stack, text)


@dataclass(eq=False)
class Fetch(Request):
    """Fetch batches of a source, as many as come quickly. Nobody waits: the source takes them."""

    source: HostedSource
    most: int  # how many, at most. Rule 5, exact pulls: the host never fetches one more

    def answer(self, outcomes: list[Outcome], seconds: float) -> None:
        """Give the source its batches, in order, and what came in place of a further one, if any.

        Each of the outcomes took so many seconds; all are values, but perhaps for the last. The
        user's interrupt is raised here.
        """
        batches: list[RawBatch] = [each.value for each in outcomes if isinstance(each, Value)]
        self.source.deliver(batches, self.begun, seconds)
        match outcomes[-1]:
            case Ended():
                self.source.end()
            case Told():
                self.source.told()
            case Failed(error):
                self.source.fail(error)
            case TimedOut(stack):
                self.source.fail(self.source.timed_out(stack))
            case Interrupted():
                raise KeyboardInterrupt


@dataclass(eq=False)
class Say(Request):
    """Show a bar, or lines."""

    shown: Shown


@dataclass(eq=False)
class Signal(Request):
    """Signal a condition of the host's language, of which another process has told."""

    fields: dict[str, Any]


@dataclass(eq=False)
class End(Request):
    """There will be no more requests."""
