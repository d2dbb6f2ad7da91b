"""A prefetcher whose threads read the source."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

from ..errors import ClosedError, LeftOutError, locate
from ..host.current_host import asking
from .fetch import Fetch
from .prefetcher import Prefetcher


class ThreadPrefetcher(Prefetcher):
    """Feeder threads read and prepare: one, or several where the source can be read by several."""

    def _permitted(self) -> None:
        # In lock-step the calling thread fetches; but a feeder does where the wait must end in
        # time, or where the source's functions need the calling thread meanwhile.
        if self.setup.capacity or self.setup.timeout is not None or self.source.asks:
            self._start_threads()
        else:
            self.setup.host.call(self._fetch_here)

    def _fetch_here(self) -> None:
        with suppress(ClosedError), asking(self.setup.host):  # what closed it waits in the queue
            while self._fetch(self.setup.host.making).left_out:
                pass

    def _work(self) -> None:
        while not isinstance(self._fetch(nullcontext).outcome, BaseException):
            pass  # no name here holds a batch, while the next permit is waited for

    def _fetch(self, around: Callable[[], AbstractContextManager[None]]) -> Fetch:
        """Fetch one batch, the user's code in a context that `around` makes."""
        asked = time.perf_counter()
        if not self._permits.take(wait=False):
            self._rest()
            self._permits.take(wait=True)
        self._resting, waited = False, time.perf_counter() - asked
        with around():  # the source's hooks, where a pass begins or has ended
            fetch = self.schedule.next()
        if isinstance(fetch.outcome, BaseException):
            locate(fetch.outcome, self._between)
        begun = time.perf_counter()
        try:
            if fetch.read is not None:
                with around():
                    fetch.raw = fetch.read()
        except StopIteration:
            self.schedule.end_round(fetch)
            fetch.read = None
        except BaseException as error:
            fetch.read = None
            fetch.left_out = self.source.leaves_out and isinstance(error, LeftOutError)
            if fetch.left_out:
                self.schedule.leave_out()
                self._permits.give()
            else:
                self._fail(fetch, error)
            with around():
                self._reader.settle(failed=not fetch.left_out)
        fetch.span = (begun, time.perf_counter(), threading.get_ident())
        if self._reader.elsewhere:
            fetch.span = self._reader.span() or fetch.span
        if fetch.read is None:
            self._hand_on(fetch)
        else:
            self._finish(fetch, waited)
        if self._reordering.added == self.urgent_until:
            self.setup.host.wake()
        return fetch
