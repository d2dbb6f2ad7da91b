"""Batches of data frames that come one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import keras
import numpy as np

from ..arguments import whole
from ..batches.arrays import as_floatx
from ..batches.row_batches import Columns, take_rows
from ..errors import ArgumentTypeError
from ..messages import describe
from .columns import Frame, Levels
from .formula import Layout, Selection


class Cutter:
    """Takes frames in, and gives their rows out in batches of `batch_size`, in order."""

    def __init__(self, layout: Layout, batch_size: int) -> None:
        self._layout = layout
        self._size = batch_size
        self._left: Columns = ()
        self._rows = 0

    def add(self, frame: Frame) -> None:
        """Take in one frame."""
        parts = tuple(part for part in self._layout.arrays(frame) if part is not None)
        rows = len(keras.tree.flatten(parts)[0])
        if rows == 0:
            return
        if self._left:
            parts = keras.tree.map_structure(lambda a, b: np.concatenate([a, b]), self._left, parts)
        self._left, self._rows = parts, self._rows + rows

    def ready(self, *, last: bool = False) -> bool:
        """Whether there are enough rows for a batch; where no more come (`last`), any rows."""
        return self._rows >= (1 if last else self._size)

    def take(self, *, last: bool = False) -> Columns | None:
        """A batch, if one is ready."""
        if not self.ready(last=last):
            return None
        size, parts = self._size, self._left
        self._left, self._rows = take_rows(parts, slice(size, None)), max(0, self._rows - size)
        taken: Columns = keras.tree.map_structure(as_floatx, take_rows(parts, slice(size)))
        return taken


class ChunkFlow:
    """Batches of frames that are read one after the other; made by `flow_from_chunks`."""

    def __init__(self, read: Callable[[], Iterable[Any]], cutter: Callable[[], Cutter]) -> None:
        self._read = read
        self._cutter = cutter

    def __iter__(self) -> Iterator[Columns]:
        """Read everything from its beginning."""
        cutter = self._cutter()
        frames: Any = self._read()
        if not isinstance(frames, Iterable):
            text = f"`read()` must return an iterable of data frames, not {describe(frames)}."
            raise ArgumentTypeError(text, argument="read")
        for frame in frames:
            cutter.add(frame)
            while (batch := cutter.take()) is not None:
                yield batch
        if (batch := cutter.take(last=True)) is not None:
            yield batch


def flow_from_chunks(
    read: Callable[[], Iterable[Any]],
    inputs: Selection | None = None,
    targets: Selection | None = None,
    sample_weight: str | None = None,
    batch_size: int = 32,
    *,
    one_hot: bool | Selection = False,
    levels: Levels | None = None,
) -> ChunkFlow:
    """Make batches of data that is read in parts, such as files or the answer to a query.

    The rows come in the order in which they are read, and are cut into batches of one size whatever
    the size of the parts; only one part is kept in memory. `read` is called once for each pass, on
    the thread that reads: it opens what it needs, data bases too, and closes it.

    Args:
        read: A function without arguments that returns an iterable of data frames, such as a
            generator function; all frames have the same columns.
        inputs: As in `flow_from_frame`, like the next two arguments.
        targets: Names of columns.
        sample_weight: Name of the column of weights.
        batch_size: Number of rows of a batch; the last one of a pass may have fewer.
        one_hot: Columns that become one column per level.
        levels: Column name to the column's values, in the order of their codes. Needed for words
            that become codes or one-hot, since no part shows all of them.

    Returns:
        An iterable that can be read again. It has no length: without `steps_per_epoch` an epoch is
        one pass.

    Raises:
        ArgumentTypeError: `read` cannot be called.

    Example:
        A file of any size, and a data base::

            import pandas as pd
            import sqlite3
            from fitgenerator import flow_from_chunks

            def lines():
                return pd.read_csv("houses.csv", chunksize=10_000)

            def answers():
                with sqlite3.connect("houses.db") as base:
                    query = "SELECT size, price FROM houses ORDER BY random()"
                    yield from pd.read_sql(query, base, chunksize=10_000)

            flow = flow_from_chunks(lines, "price ~ size", batch_size=256)
    """
    if not callable(read):
        raise ArgumentTypeError.of(
            "read",
            "must be a function without arguments that returns an iterable of data frames, "
            f"not {describe(read)}.",
        )
    size = whole(batch_size, "batch_size", 1)
    layout = partial(Layout, inputs, targets, sample_weight, one_hot, levels, whole=False)
    return ChunkFlow(read, lambda: Cutter(layout(), size))
