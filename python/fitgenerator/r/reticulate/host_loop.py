"""What the crossings of R's host loop (R/host-loop.R) call: requests that are handed out, answers.

Rule 1: the loop is R code, so that conditions may jump out of it without crossing a Python frame;
Python only hands out requests. Nothing here raises into R: failures become values.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ...host.interface import ForeignHook, RawBatch, Shown
from ...host.outcome import Ended, Failed, Outcome, Told, Value, attempt
from ...host.requests import Apply, Call, End, Fetch, Job, Request, Say, Signal
from ...host.switchboard import Switchboard
from ...reporting.progress_bar import Bar
from ...sources.on_request import for_host
from . import thread_calls
from .image_functions import Answer, image_of
from .results import ForeignError
from .values import owned_batches

RList = dict[str, Any]  # a list of R's, whose elements are named
R = TypeVar("R", bound=Request)

# A job that an interrupt may have waited for, in seconds.
_LONG = 0.02

# What came in place of a batch, by R's name for it.
_ENDS: dict[str, Callable[[RList], Outcome]] = {
    "ended": lambda end: Ended(),
    "told": lambda end: Told(),
    "failed": lambda end: Failed(ForeignError(end["condition"], end["text"])),
}


class HostLoop:
    """Hands one switchboard's requests to R, one at a time, and takes R's answers.

    Every method is for R's thread. A method that takes an answer waits for the next request: one
    crossing instead of two.

    Args:
        board: Where the requests come from.
        screen: What R knows of its output: `width` (in characters) and `unicode`.
    """

    def __init__(self, board: Switchboard, screen: RList) -> None:
        self._board = board
        self._screen = screen
        self._request: Request | None = None  # that R has not answered yet
        self._done: Value[Any] | Failed | None = None  # what came of a long job
        self._ended = False  # R was told that there are no more

    def wait(self, seconds: float) -> RList | None:
        """The next request, by its `kind` and what belongs to that, or `None` in time.

        Rule 2: `seconds` is short, because R takes interrupts between two crossings only.
        """
        self._hand_over()
        request = self._board.next_request(seconds)
        if isinstance(request, (Fetch, Job, Apply)):
            self._request = request
        match request:
            case Fetch(source=source, most=most):
                told = {"closure": source.function, "most": most, "used": self.consumed()}
                return {"kind": "fetch", **told, "places": for_host(source.places())}
            case Call(function=function, args=args, named=named):
                thread_calls.hand_over(function, args, named)
                return {"kind": "call", "fn": function}
            case Apply(function=cell, args=(image, seed)):
                return {"kind": "apply", "cell": cell, "image": image, "seed": seed}
            case Job():
                return {"kind": "job"}
            case Say(shown=shown):
                return self._shown(shown)
            case Signal(fields=fields):
                return {"kind": "signal", **fields}
            case End():
                self._ended = True
                return {"kind": "end"}
        return None

    def listen(self) -> int | None:
        """After a `wait` in vain: the file descriptor that R can wait at; `None`: ask again."""
        return self._board.listen()

    def _shown(self, shown: Shown) -> RList:
        """Lines as they are; of a bar what R draws it with."""
        if not isinstance(shown, Bar):
            return {"kind": "say", "text": shown}
        text = shown.text(self._columns(), unicode=self._screen["unicode"])
        return {"kind": "bar", "text": text, "done": shown.done, "total": shown.total}

    def _columns(self) -> int:
        """The longest line that does not wrap: by the terminal, else by what R thinks."""
        try:
            return os.get_terminal_size(1).columns - 1
        except OSError:
            return int(self._screen["width"]) - 1

    def consumed(self) -> int:
        """Batches of the (training) generator whose steps have begun."""
        return 0

    def deliver(self, batches: list[RawBatch], end: RList | None, seconds: float) -> RList | None:
        """Answer a fetch with what the closure returned, as reticulate converted it; then wait.

        Rule 9: the arrays are views of R's memory, which the closure may use again and which must
        be released on this thread. They are copied here, cast, in their own (column-major) order.

        Args:
            batches: The batches that were fetched, in order.
            end: What came in place of another, if anything: by its `kind` "ended", the closure's
                end, "told", it knows that a pass has ended, or "failed", with the number of the
                `condition` that R keeps.
            seconds: How long to wait for the next request.
        """
        request = self._take(Fetch)
        self._board.watchdog.finish()
        spent = time.perf_counter() - request.begun
        owned, error = owned_batches(batches)
        outcomes: list[Outcome] = [Value(batch) for batch in owned]
        if error is not None:
            outcomes.append(Failed(error))
        elif end is not None:
            outcomes.append(_ENDS[end["kind"]](end))
        outcomes[-1] = self._board.watchdog.settle(outcomes[-1])
        request.answer(outcomes, spent / (len(batches) + (end is not None)))
        return self.wait(seconds)

    def applied(self, answer: Answer, seconds: float) -> RList | None:
        """Answer with what a function made of an image, or with its failure; then wait."""
        request = self._take(Apply)
        self._board.watchdog.finish()
        request.answer(self._board.watchdog.settle(attempt(lambda: image_of(answer))))
        return self.wait(seconds)

    def returned(self, answer: RList, seconds: float) -> RList | None:
        """Answer with what came of an R function that another thread called; then wait."""
        request = self._take(Call)
        self._board.watchdog.finish()
        request.answer(self._board.watchdog.settle(thread_calls.outcome_of(answer)))
        return self.wait(seconds)

    def overdue(self, stops: bool) -> bool:
        """Whether an interrupt that R took is the watchdog's; `stops`: it stops the closure."""
        return self._board.watchdog.was_ours(stops=stops)

    def advance(self) -> RList | None:
        """Run the job that was asked for until it is done (`None`) or needs a hook that R calls.

        The result of a long job is handed over by the next `wait`. R takes an interrupt before:
        what the job has traced is then not run for the first time, which takes longer still.
        """
        job, begun = self._request, time.perf_counter()
        assert isinstance(job, Job)
        self._board.in_job = True
        outcome = attempt(job.advance)
        self._board.in_job = False
        match outcome:
            case Value(ForeignHook(table, hook, args)):
                return {"table": table, "hook": hook, "args": list(args)}
        self._done = outcome
        if time.perf_counter() < begun + _LONG:
            self._hand_over()
        return None

    def _hand_over(self) -> None:
        done, self._done = self._done, None
        if done is not None:
            self._take(Job).answer(done)

    def _take(self, kind: type[R]) -> R:
        request, self._request = self._request, None
        assert isinstance(request, kind)
        return request

    def terminate(self) -> RList | None:
        """SIGTERM has come: no batch is made any more, and the training stops.

        The request that R has not answered is abandoned, if it is for a batch; else returned.
        """
        self._hand_over()
        self._board.termination.asked = True
        self._board.close_fetches()
        if isinstance(self._request, (Fetch, Apply)):
            self._board.watchdog.finish()
            self.abandon()
        if isinstance(self._request, Job):
            return {"kind": "job"}
        return {"kind": "end"} if self._ended else None

    def abandon(self) -> None:
        """R leaves a request unanswered: by an interrupt, a restart or an error."""
        if self._request is not None:
            self._take(Request).abandon()
