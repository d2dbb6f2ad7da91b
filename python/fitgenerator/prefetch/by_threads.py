"""A feed whose threads read the source."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from typing import Any

from ..host.current_host import asking
from ..host.requests import Apply
from .prefetcher import Feed
from .schedule import END, Failure, Pull


class PulledFeed(Feed):
    """Feeder threads pull and prepare: one, or several where the source can be read by several."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._waiting = False  # the feeder has nothing that it may pull now
        self._counting = threading.Lock()
        super().__init__(*arguments, **options)
        # Where a wait must end in time, or the calling thread must stay free to be asked.
        self._beside = self._timeout is not None or self.source.asks

    @property
    def needs_pulls(self) -> bool:
        """Pulls for it come before those of another feed."""
        return self.capacity > 0 and not (self._waiting or self.made >= self.quota)

    def _work(self) -> None:
        while self._take_room():
            self._waiting = False
            pull = self._claims.next()
            if pull is None or not self._finish(pull):
                return

    def _take_room(self) -> bool:
        begun = None

        def wait() -> None:
            nonlocal begun
            begun = time.perf_counter()
            self._rest()

        is_open = self._claims.take_room(wait)
        if begun is not None and self.name == "generator":
            self._meter.add("generator_waited", time.perf_counter() - begun)
        return is_open

    def _rest(self) -> None:
        self._waiting = True
        self._host.wake()

    def _pull_one(self) -> None:
        if self._beside:
            self._pull_beside()
        else:
            self._host.call(self._pull_here)

    def _pull_first(self) -> None:
        if self._beside:
            self._pull_beside()
        else:
            self._pull_here()

    def _pull_beside(self) -> None:
        """Pull one batch on a thread of its own."""
        self._reap()
        self._spawn(self._pull_once)

    def _pull_once(self) -> None:
        pull = self._claims.next()
        if pull is not None:
            self._finish(pull)

    def _pull_here(self) -> None:
        pull = self._claims.next()
        if pull is not None:
            self._finish(pull, here=True)

    def _finish(self, pull: Pull, *, here: bool = False) -> bool:
        """Fetch one batch and hand it on; False where no more will be pulled.

        `here` is the calling thread: the user's code may be interrupted.
        """
        item = self._fetched(pull, here)
        self._hand_on(pull, item)
        return not isinstance(item, Failure)

    def _fetched(self, pull: Pull, here: bool) -> Any:
        begun = time.perf_counter()
        try:
            with asking(self._host), self._host.user_code() if here else nullcontext():
                raw = pull.fetch()
        except StopIteration:
            self._claims.end_round()
            return END
        except BaseException as error:
            return self._failed(error, pull)
        if raw is END:
            return raw
        if isinstance(raw, Failure):
            self._claims.stop()
            return raw
        self._count_made()
        came = (begun, time.perf_counter(), threading.get_ident())
        return self._prepared(pull, raw, came)

    def _give_up(self) -> None:
        """Have a function that the calling thread runs for a batch stopped; the batch fails."""
        running = self._host.interrupt_overdue() if self.source.asks else None
        if running is None:
            super()._give_up()
        elif not isinstance(running, Apply):  # the function of another source is to blame
            raise running.timed_out("")

    def _count_made(self) -> None:
        with self._counting:
            self.made += 1
            complete = self.made == self.quota
        if complete:
            self._host.wake()
