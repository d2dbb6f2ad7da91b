"""R functions whose batches worker processes make, as a source that several feeders read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import keras

from ..batches.arrays import Sparse, copy_of_r
from ..batches.structure import RawBatch
from ..errors import ErrorContext, WorkerError, locate
from ..host.current_host import host_here
from ..host.switchboard import Switchboard
from ..sources.seeded_source import Passes, PassReader
from ..sources.source import Source
from ..workers.makers import last_made
from ..workers.pool import Pool
from ..workers.wire import Asked, Condition, Coordinates, Reply, Value

# What doubles are sent as, where `floatx` is something else than that: it is cast to here.
_FLOATS = ("float32", "float64")


class RConditionError(Exception):
    """An R function failed in a worker; R makes its own condition of `condition`.

    `argument`: it is a function of images, and was given as that.
    """

    def __init__(self, condition: Condition, argument: str | None = None) -> None:
        super().__init__(condition.message)
        self.condition = condition
        self.argument = argument


def float_bytes() -> int:
    """The size of the numbers that workers send for R's doubles."""
    return 4 if keras.config.floatx() == "float32" else 8


@dataclass(frozen=True)
class Work:
    """What the workers do for one source."""

    pool: Pool
    source: int  # its number
    passes: Passes
    seed: int | None  # of the random numbers; `None`: that of the passes
    place: str  # the argument that it was given as
    # The error for a condition of the function's; on the thread that has asked for the batch.
    failure: Callable[[Condition], BaseException] = RConditionError


class WorkerReader(PassReader):
    """Reads batches that workers make; each thread waits for one of them."""

    maker = staticmethod(last_made)

    def __init__(self, work: Work, hook: Callable[[int], object] | None, *position: Any) -> None:
        super().__init__(lambda epoch, index: None, hook, *position)
        self._work = work
        self._number = 0  # of the batch, from 1

    def call_for(self, epoch: int, index: int) -> Callable[[], RawBatch]:
        """The call that fetches one batch; these are made one at a time, and in order."""
        self._number += 1
        number, seed = self._work.passes.place(epoch, index, self._work.seed)
        asked = Asked(self._work.source, self._number, number, epoch, seed)
        return partial(self._fetch, asked)

    def _fetch(self, asked: Asked) -> RawBatch:
        reply = self._work.pool.fetch(asked)
        signal(reply, self._work.place, asked.number)
        return _as_given(value_of(reply, self._work.failure))

    def close(self) -> None:
        self._work.pool.close()

    @property
    def redone(self) -> int:
        return self._work.pool.redone[self._work.source]

    def where(self) -> str:
        return self._work.pool.where(self._work.source)


def value_of(reply: Reply, failure: Callable[[Condition], BaseException]) -> Value:
    """What a worker has made; raises the `failure` of the function, or that of the worker."""
    if reply.failed is None:
        return reply.value
    if reply.failed.kind == "setup":
        raise WorkerError(f"A worker could not be set up: {reply.failed.message.rstrip(' .')}.")
    raise failure(reply.failed)


def signal(reply: Reply, place: str, number: int) -> None:
    """Have the warnings and messages of one batch signalled on R's thread."""
    host = host_here()
    if isinstance(host, Switchboard):
        for condition in reply.signalled:
            host.signal(condition=asdict(condition), place=place, batch=number)


def worker_source(work: Work, hook: Callable[[int], object] | None) -> Source:
    """The source that stands for an R function which `work` describes.

    It asks for the calling thread: what its functions signal is signalled there, and so is `hook`.
    """
    reader = partial(WorkerReader, work, None if hook is None else partial(_tell, work, hook))
    fields = {"workers": work.pool.count, "made_elsewhere": True, "asks": True}
    return work.passes.source_of(reader, identity=object(), given_by="generator", **fields)


def _tell(work: Work, hook: Callable[[int], object], epoch: int) -> None:
    """Tell the function of a pass that has ended: what it raises is the function's."""
    try:
        hook(epoch)
    except Exception as error:
        locate(error, ErrorContext(work.place, stage="made"))
        raise


def _as_given(value: Value) -> RawBatch:
    """A batch as a function on R's own thread gives it."""
    if isinstance(value, list):
        return [_as_given(part) for part in value]
    if isinstance(value, dict):
        return {name: _as_given(part) for name, part in value.items()}
    if isinstance(value, Coordinates):
        shape = int(value.shape[0]), int(value.shape[1])
        return Sparse(value.rows, value.cols, _as_given(value.values), shape)
    if value is None or value.dtype.kind != "f" or keras.config.floatx() in _FLOATS:
        return value
    return copy_of_r(value)
