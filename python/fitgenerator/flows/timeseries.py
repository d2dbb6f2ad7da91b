"""Windows of a time series, with the target at their end."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, NamedTuple

import keras
import numpy as np

from ..arguments import flag, whole
from ..batches.arrays import NoArrayError, Sparse, as_array, as_floatx
from ..errors import ArgumentError
from ..messages import describe, dtype_of
from ..models.protocol import Array
from ..sources.seeded_source import Passes, Rows


class Windows(NamedTuple):
    """Which windows there are, as Keras's `TimeseriesGenerator` says it."""

    length: int
    sampling_rate: int
    stride: int
    start_index: int  # the time after the first window
    end_index: int  # the time after the last one
    reverse: bool


class TimeseriesFlow(Passes):
    """Batches of windows; made by `timeseries_generator`.

    It has the attributes of Keras's `TimeseriesGenerator`, which can be read.

    Attributes:
        n: Number of windows.
        batch_size: Number of windows of a batch.
    """

    data = property(attrgetter("_data"))
    targets = property(attrgetter("_targets"))
    length = property(attrgetter("_windows.length"))
    sampling_rate = property(attrgetter("_windows.sampling_rate"))
    stride = property(attrgetter("_windows.stride"))
    start_index = property(attrgetter("_windows.start_index"))
    end_index = property(attrgetter("_windows.end_index"))
    reverse = property(attrgetter("_windows.reverse"))

    def __init__(
        self,
        data: Array,
        targets: Array,
        windows: Windows,
        *,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
    ) -> None:
        super().__init__(shuffle, seed)
        self._data, self._targets = data, targets
        self._windows = windows
        steps = np.arange(-windows.length, 0, windows.sampling_rate)
        self._steps: Rows = steps[::-1] if windows.reverse else steps
        self._ends: Rows = np.arange(windows.start_index, windows.end_index + 1, windows.stride)
        self.n = len(self._ends)
        self.batch_size = batch_size

    def __len__(self) -> int:
        """Batches of one pass."""
        return (self.n + self.batch_size - 1) // self.batch_size

    def batch(self, epoch: int, index: int) -> tuple[Array, Array]:
        """Windows of shape (rows, steps, ...), and targets of shape (rows, ...)."""
        chosen = self.order(epoch)[index * self.batch_size : (index + 1) * self.batch_size]
        ends = self._ends[chosen]
        return self._data[ends[:, None] + self._steps], self._targets[ends]

    def make_order(self, epoch: int) -> Rows:
        """All windows."""
        return self.permutation(epoch, self.n)


def timeseries_generator(
    data: Any,
    targets: Any,
    length: int,
    sampling_rate: int = 1,
    stride: int = 1,
    start_index: int = 0,
    end_index: int | None = None,
    shuffle: bool = False,
    reverse: bool = False,
    batch_size: int = 128,
    *,
    seed: int | None = None,
) -> TimeseriesFlow:
    """Make batches of windows of a time series, each with the target of the time after it.

    The arguments and, without `shuffle`, the batches are those of Keras's former
    `TimeseriesGenerator`. With `shuffle`, every window comes once in each epoch, in an order that
    follows from `seed` and the number of the epoch; Keras drew windows with replacement.

    Args:
        data: Array of shape (times, ...), in the order of time.
        targets: Array of shape (times, ...). The window that ends before time i belongs to
            `targets[i]`.
        length: How far a window reaches back, in times.
        sampling_rate: Number of times from one time of a window to the next: a window has
            `ceil(length / sampling_rate)` times.
        stride: Number of times between the ends of two windows.
        start_index: The first time of the data to use, from 0.
        end_index: The last time to use, from 0; `None` for the last time of the data.
        shuffle: Whether the windows come in a new order in each epoch.
        reverse: Whether the times of a window come in reverse.
        batch_size: Windows of a batch; the last batch may have fewer.
        seed: What the orders follow from, as in `flow_from_data`.

    Returns:
        An indexed source of batches `(windows, targets)`, which is also a `PyDataset`.

    Raises:
        ArgumentError: The arrays differ in length, a number is out of range, or there is no window
            between `start_index` and `end_index`.

    Example:
        Predict the value after ten others::

            import numpy as np
            from fitgenerator import timeseries_generator

            wave = np.sin(np.arange(1000) / 10)[:, None]
            flow = timeseries_generator(wave, wave, length=10, batch_size=32)
            windows, values = flow[0]  # of shapes (32, 10, 1) and (32, 1)
    """
    data, targets = _array(data, "data"), _array(targets, "targets")
    if len(data) != len(targets):
        rule = "`data` and `targets` must have the same number of times (rows)"
        raise ArgumentError(f"{rule}, not {len(data)} and {len(targets)}.")
    length = whole(length, "length", 1)
    first, last = _span(len(data), length, start_index, end_index)
    rate, stride = whole(sampling_rate, "sampling_rate", 1), whole(stride, "stride", 1)
    return TimeseriesFlow(
        data,
        targets,
        Windows(length, rate, stride, first, last, flag(reverse, "reverse")),
        batch_size=whole(batch_size, "batch_size", 1),
        shuffle=shuffle,
        seed=seed,
    )


def _span(times: int, length: int, start_index: int, end_index: int | None) -> tuple[int, int]:
    """The times at which the first window ends and the last one may end."""
    first = whole(start_index, "start_index", 0) + length
    last = times - 1 if end_index is None else whole(end_index, "end_index", 0)
    if last >= times:
        rule = f"must be a time of the data, from 0 to {times - 1}, not {last}."
        raise ArgumentError.of("end_index", rule)
    if first > last:
        ends = f"the first would end at time {first} (`start_index` + `length`)"
        rule = f"leaves no window: {ends}, and the last time is {last} (`end_index`)."
        raise ArgumentError.of("length", rule)
    return first, last


def _array(given: Any, argument: str) -> Array:
    """Rows of numbers as a NumPy array, floats as Keras's `fit` casts them."""
    try:
        array = as_array(np.asarray(given) if isinstance(given, list) else given)
    except NoArrayError as error:
        raise ArgumentError.of(argument, "{rule}.", rule=error.args[0]) from error
    array = array.dense() if isinstance(array, Sparse) else keras.ops.convert_to_numpy(array)
    if array.dtype.kind not in "buif":
        rule = f"must be an array of numbers, not {describe(given)} and dtype {dtype_of(array)}."
        raise ArgumentError.of(argument, rule)
    floats: Array = as_floatx(array)
    # A change that the caller makes later must not reach the batches.
    return np.array(floats) if floats is array and floats.dtype.kind == "f" else floats
