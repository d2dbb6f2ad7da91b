"""What the calling thread is asked for, and how it answers."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from types import GeneratorType
from typing import Any

from ..errors import ClosedError, GeneratorTimeoutError
from .interface import Hooks, HostedSource, HostFunction, RawBatch, Shown, Work, advance
from .outcome import Ended, Failed, Interrupted, Outcome, TimedOut, Value


@dataclass(eq=False)
class Request:
    """Something that the calling thread is asked for.

    Attributes:
        begun: When that took it up, in seconds; 0 before.
    """

    begun: float = field(default=0.0, init=False)

    def abandon(self) -> None:
        """The call is over: the request will not be answered."""


@dataclass(eq=False)
class Awaited(Request):
    """A request whose answer a background thread waits for."""

    reply: queue.SimpleQueue[Value[Any] | Failed] = field(
        default_factory=queue.SimpleQueue, init=False
    )

    def abandon(self) -> None:
        """Unwind the thread that waits."""
        self.reply.put(Failed(ClosedError()))


@dataclass(eq=False)
class Job(Awaited):
    """Run a job on the calling thread.

    Attributes:
        hooks: What runs the job step by step, where it has foreign hooks.
    """

    work: Work
    hooks: Hooks | None = field(default=None, init=False)

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
    """Call a function for a batch that another thread makes.

    Attributes:
        name: The argument that the function was given as, for messages.
        function: What the host knows it by.
        args: What it is called with.
        patience: How long the batch may take that it is for, in seconds; `None` for ever.
    """

    name: str
    function: HostFunction
    args: tuple[Any, ...]
    patience: float | None = None

    def timed_out(self, stack: str) -> GeneratorTimeoutError:
        """The error for a call that takes too long; `stack` is where the function stands."""
        text = f"`{self.name}` did not return within {self.patience:g} seconds (`timeout`)."
        return GeneratorTimeoutError.at(stack, text)

    def answer(self, outcome: Outcome) -> None:
        """Give the thread that waits what came of it.

        Raises:
            KeyboardInterrupt: The user interrupted the function; the thread still waits.
        """
        match outcome:
            case Value() | Failed():
                self.reply.put(outcome)
            case TimedOut(stack):
                self.reply.put(Failed(self.timed_out(stack)))
            case Interrupted():
                raise KeyboardInterrupt


@dataclass(eq=False)
class Fetch(Request):
    """Fetch batches of a source, as many as come quickly. Nobody waits: the source takes them.

    Attributes:
        most: How many, at most. Rule 5, exact pulls: the host never fetches one more.
    """

    source: HostedSource
    most: int

    def answer(self, outcomes: list[Outcome], seconds: float) -> None:
        """Give the source its batches, in order, and what came in place of a further one, if any.

        Args:
            outcomes: Values, of which the last may be something else.
            seconds: How long each of them took.

        Raises:
            KeyboardInterrupt: The user interrupted the function.
        """
        batches: list[RawBatch] = [each.value for each in outcomes if isinstance(each, Value)]
        self.source.deliver(batches, self.begun, seconds)
        match outcomes[-1]:
            case Ended():
                self.source.end()
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
class End(Request):
    """There will be no more requests."""
