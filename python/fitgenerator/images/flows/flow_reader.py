"""Readers of flows of images, by pass and index: in trainings, and in evaluations aside of them."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from ...errors import ImageError, LeftOutError
from ...sources.seeded_source import PassReader
from .batch_order import Pass
from .passes import PassIterator

Make = Callable[[Pass, int], Any]  # the batch with an index in a pass


class _Passes:
    """The passes of a flow as one reader numbers them, from pass 0 on."""

    def __init__(self, flow: PassIterator, length: int, make: Make) -> None:
        self._flow = flow
        self._length = length
        self._make = make
        self.base = flow.first_pass()  # pass 0
        self._known: tuple[tuple[int, Pass], ...] = ()
        self._counting = threading.Lock()
        self._empty: defaultdict[int, set[int]] = defaultdict(set)  # by pass: they have no images

    def batch(self, number: int, index: int) -> Any:
        """Batch `index` of a pass; any thread may call this."""
        try:
            return self._make(self._at(number), index)
        except LeftOutError as error:
            with self._counting:
                self._empty[number].add(index)
                whole = len(self._empty[number]) == self._length
            if whole:
                raise ImageError(error.of_pass) from None
            self._flow.leave_out_batch()
            raise

    def _at(self, number: int) -> Pass:
        for known, one in self._known:
            if known == number:
                return one
        one = self.base.after(number)
        self._known = ((number, one), *self._known[:1])
        return one

    def leave(self, number: int, index: int) -> None:
        """The next training, or `next`, goes on after so many passes and batches."""
        self._flow.go_to(self._at(number), index)

    def aside(self, fresh: bool) -> tuple[int, int]:
        """An evaluation reads a pass of its own."""
        return self._flow.read_aside(), 0


class _TrainingReader(PassReader):
    """Goes into the next pass where batches were left out: a training keeps its number of steps."""

    def begin(self, *, fresh: bool, wrap: bool, epoch: int | None, count: int | None) -> None:
        super().begin(fresh=fresh, wrap=True, epoch=epoch, count=count)


def training_reader(flow: PassIterator, length: int, make: Make) -> PassReader:
    """The reader of a training, which goes on where the last one, or `next`, left the flow."""
    passes = _Passes(flow, length, make)
    # Read now, as the length was: a setting that a callback changes is for later calls.
    following, under_way = flow.next_pass(), flow.place()

    def start(fresh: bool) -> tuple[int, int]:
        passes.base, index = (following, 0) if fresh else under_way
        return 0, index

    return _TrainingReader(passes.batch, None, length, start, passes.leave)


def evaluation_reader(flow: PassIterator, length: int, make: Make) -> PassReader:
    """The reader of an evaluation, a prediction or a validation, which leaves the flow as it is."""
    passes = _Passes(flow, length, make)
    return PassReader(passes.batch, None, length, passes.aside)
