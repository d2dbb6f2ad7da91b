"""R functions of images that worker processes run, for the batches of a flow that threads read.

The flow knows nothing of it. The thread that makes a batch knows for whom it does, and where its
function of images is to run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from typing import Any

from ..batches.structure import RawBatch
from ..models.protocol import Array
from ..sources.source import Claim, Reader, Source, Spot
from ..workers.pool import Pool
from ..workers.wire import Asked
from .worker_source import RConditionError, signal, value_of

_here = threading.local()  # `work`: an `ImageWork`, and the number of the batch, from 1


@dataclass(frozen=True)
class ImageWork:
    """What the workers do for one flow."""

    pool: Pool
    source: int  # its number
    function: object  # what the flow calls
    argument: str  # the name that it was given by
    place: str  # the argument that the flow was given as
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def made(self, image: Array, seed: int, batch: int) -> Array:
        """What a worker makes of an image.

        Raises:
            RConditionError: The function failed.
            WorkerError: Too many workers have died.
            ClosedError: The call is over.
        """
        reply = self.pool.fetch(Asked(self.source, next(self._numbers), 0, 0, seed, image))
        signal(reply, self.place, batch)
        failure = partial(RConditionError, argument=self.argument)
        return value_of(reply, failure)  # type: ignore[no-any-return]


def made_elsewhere(function: object, image: Array, seed: int | None) -> Array | None:
    """What a worker makes of an image; `None`: none runs `function` for this thread's batch."""
    work, batch = getattr(_here, "work", (None, 0))
    if work is None or work.function is not function or seed is None:
        return None
    return work.made(image, seed, batch)  # type: ignore[no-any-return]


class WorkedReader(Reader):
    """Reads a flow as its own reader does, with workers for its function."""

    def __init__(self, open_: Callable[[], Reader], work: ImageWork) -> None:
        self._reader = open_()
        self._work = work
        self._batch = 0

    def begin(self, **round_: Any) -> int | None:
        return self._reader.begin(**round_)

    def claim(self) -> Claim:
        claim = self._reader.claim()
        self._batch += 1
        return claim._replace(read=partial(self._read, claim, self._batch))

    def _read(self, claim: Claim, batch: int) -> RawBatch:
        _here.work = self._work, batch
        try:
            return claim.read()
        finally:
            del _here.work

    def wait(self) -> None:
        self._reader.wait()

    def ended(self, seconds: float, used: int) -> bool:
        return self._reader.ended(seconds, used)

    def close(self) -> None:
        self._work.pool.close()
        self._reader.close()

    def where(self) -> str | None:
        return self._work.pool.where(self._work.source) or self._reader.where()

    @property
    def redone(self) -> int:
        return self._work.pool.redone[self._work.source]

    def spot(self, claims: int) -> Spot | None:
        return self._reader.spot(claims)

    def go_to(self, spot: Spot) -> None:
        self._reader.go_to(spot)

    def leave(self, used: int) -> None:
        self._reader.leave(used)


def worked_source(
    flow: Source | None, pool: Pool, number: int, function: Any, place: str
) -> Source:
    """A flow, given as the argument `place`, whose `function` of images workers run.

    `number` is that of the function among those that they run.
    """
    assert flow is not None
    work = ImageWork(pool, number, function, function.__name__, place)
    train = None if flow.train is None else partial(WorkedReader, flow.train, work)
    return replace(flow, open=partial(WorkedReader, flow.open, work), train=train)
