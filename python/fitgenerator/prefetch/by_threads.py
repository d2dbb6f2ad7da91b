"""A prefetcher whose threads read the source."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

from ..batches.structure import LARGE, bytes_of_raw
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
        with around():  # the source's hooks, where a pass begins or has ended
            fetch = self.schedule.next()
        assert fetch is not None
        self._resting = False
        if isinstance(fetch.outcome, BaseException):
            locate(fetch.outcome, self._between)
        self._read(fetch, around)
        if self.source.made_elsewhere and bytes_of_raw(fetch.raw) > LARGE:
            self._spare = 1  # its maker is asked for the next one meanwhile
        self._finish(fetch)
        if self._reordering.added == self.urgent_until:
            self.setup.host.wake()
        return fetch

    def _read(self, fetch: Fetch, around: Callable[[], AbstractContextManager[None]]) -> None:
        if fetch.claim is None:
            return
        begun = time.perf_counter()
        try:
            with around():
                fetch.raw = fetch.claim.read()
        except StopIteration:
            self.schedule.end_round(fetch)
        except BaseException as error:
            if self.source.leaves_out and isinstance(error, LeftOutError):
                self.schedule.leave_out(fetch)
            else:
                self._fail(fetch, error)
        maker = self.schedule.reader.maker
        fetch.span = (maker and maker()) or (begun, time.perf_counter(), threading.get_ident())
