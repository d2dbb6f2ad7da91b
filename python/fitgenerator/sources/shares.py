"""What one of several processes has of an indexed source: one batch in so many."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import Any

import keras

from ..arguments import Unchecked, whole
from ..errors import ArgumentError, ArgumentTypeError
from ..messages import describe
from .keras_sequence import KerasSequence
from .readers import indexed
from .recognition import as_source
from .source import Indexed, Source, shared

_JOBS = ("chief", "worker")  # in the order in which TensorFlow counts them


class Share(KerasSequence):
    """The batches `index`, `index + count`, ... of each pass of a source; made by `share_of`."""

    def __init__(self, source: Indexed, index: int, count: int) -> None:
        settings = ("workers", "use_multiprocessing", "max_queue_size")
        super().__init__(
            **{name: vars(source)[f"_{name}"] for name in settings if _has(source, name)}
        )
        self._source, self._index, self._count = source, index, count
        self.seed = getattr(source, "seed", None)

    def __len__(self) -> int:
        """Batches of one pass, as many as in the other processes."""
        return len(self._source) // self._count

    @property
    def num_batches(self) -> int | None:
        """The same, for Keras's own methods."""
        endless = getattr(self._source, "num_batches", 0) is None
        return None if endless else len(self)

    def __getitem__(self, index: int) -> Any:
        """Batch `index` of the share."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"Index {index} is out of range: there are {len(self)} batches.")
        return self._source[index % len(self) * self._count + self._index]

    def __repr__(self) -> str:
        """What it is of."""
        return f"<share {self._index} of {self._count}: {len(self)} batches>"

    def on_epoch_begin(self) -> None:
        """Tell the source; in other classes, a method of that name is their own business."""
        if isinstance(self._source, keras.utils.PyDataset):
            _tell(self._source, "on_epoch_begin")

    def on_epoch_end(self) -> None:
        """Tell the source."""
        _tell(self._source, "on_epoch_end")

    def as_source(self, argument: str) -> Source:
        """The source that the engine reads."""
        whole = as_source(self._source, argument)
        if whole.train is not None:
            return shared(whole, self._index, self._count)
        own = indexed(self, lambda: self.num_batches)
        own = replace(own, given_by=whole.adapter, shuffled=whole.shuffled)
        return replace(own, shared=self._count > 1)


def _has(source: object, name: str) -> bool:
    return f"_{name}" in getattr(source, "__dict__", {})


def _tell(source: object, name: str) -> None:
    hook = getattr(source, name, None)
    if callable(hook):
        hook()


def share_of(source: Indexed, index: int | None = None, count: int | None = None) -> Share:
    """Take the part of a source that one of several processes trains on.

    Process `index` of `count` gets the batches `index`, `index + count`, ... of each pass, so that
    all have as many, and no two the same: the joined batches of a step are `count` batches of the
    source. Where its length cannot be divided, the last batches of a pass are left out. A source
    that shuffles needs the same `seed` in all processes.

    Args:
        source: An indexed source: a flow, `batch_sequence`, a `PyDataset`, a list of batches, or
            another object with `__getitem__` and `__len__`.
        index: The number of this process, from 0. `None`: that of the environment variable
            `TF_CONFIG`.
        count: The number of processes. `None`: that of `TF_CONFIG`, and 1 where this is not set, so
            that the same script runs alone.

    Returns:
        An indexed source, which is also a `keras.utils.PyDataset`.

    Raises:
        ArgumentTypeError: `source` is not indexed.
        ArgumentError: `index` is no whole number from 0 to `count - 1`, only one of the two is
            given, the source has fewer batches than there are processes, or `TF_CONFIG` is not as
            TensorFlow wants it.

    Example:
        Shuffled batches, which each process reads a part of::

            from fitgenerator import fit_generator, flow_from_data, share_of

            flow = share_of(flow_from_data(x, y, batch_size=32, seed=1))
            fit_generator(model, flow, epochs=10)
    """
    index, count = place_in(index, count)
    read = as_source(source, "source")
    if not read.by_place:
        raise ArgumentTypeError.of(
            "source",
            "must be an indexed source, such as a flow, a batch_sequence(), a PyDataset or a list "
            f"of batches, not {describe(source)}.",
        )
    if read.shuffled and count > 1 and getattr(read.identity, "seed", 0) is None:
        text = "shuffles, which needs a `seed`, the same in all processes."
        raise ArgumentError.of("source", text)
    if read.length is not None and read.length < count:
        text = f"has {read.length} batches, fewer than the {count} processes that share it."
        raise ArgumentError.of("source", text)
    return Share(source, index, count)


def place_in(index: Unchecked, count: Unchecked) -> tuple[int, int]:
    """The number of this process, and how many there are: as given, or as in TF_CONFIG."""
    if (index is None) != (count is None):
        given, other = ("count", "index") if index is None else ("index", "count")
        raise ArgumentError.of(given, f"needs `{other}`, too: give both, or neither.")
    if index is None:
        return _in_cluster(os.environ.get("TF_CONFIG", ""))
    count = whole(count, "count", 1)
    index = whole(index, "index", 0)
    if index >= count:
        raise ArgumentError.of("index", f"must be below `count`, {count}, not {index}.")
    return index, count


def _in_cluster(config: str) -> tuple[int, int]:
    if not config:
        return 0, 1
    try:
        read = json.loads(config)
        cluster, task = read.get("cluster") or {}, read.get("task") or {}
        before = {"chief": 0, "worker": len(cluster.get("chief", ()))}
        count = sum(len(cluster.get(job, ())) for job in _JOBS)
        index = before[task.get("type", "worker")] + int(task.get("index", 0))
    except (ValueError, KeyError, TypeError, AttributeError):
        index, count = 0, -1
    if count < 0 or index >= max(count, 1):
        text = (
            'must name this process: a `task` of the type "chief" or "worker", with an `index` '
            f"that is in its `cluster`, not {config[:200]}."
        )
        raise ArgumentError.of("TF_CONFIG", text)
    return (index, count) if count else (0, 1)
