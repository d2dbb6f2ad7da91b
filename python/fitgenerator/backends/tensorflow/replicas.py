"""Batches cut for the replicas of a strategy: each replica gets its rows on its own device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from ...errors import BatchError
from ..protocol import Cluster, Replicas, Tensor


@dataclass(frozen=True, eq=False)
class Parts:
    """One leaf of a global batch: a tensor for each replica, in the order of the rows."""

    tensors: tuple[Tensor, ...]

    @property
    def shape(self) -> tf.TensorShape:
        """That of the first part; the others have as many rows, or one less."""
        return self.tensors[0].shape

    @property
    def dtype(self) -> tf.DType:
        """The type of all parts."""
        return self.tensors[0].dtype

    def __getitem__(self, index: int | slice) -> Parts:
        return Parts(tuple(tensor[index] for tensor in self.tensors))


class MirroredReplicas(Replicas):
    """The replicas of a `MirroredStrategy`, or those of a strategy that this process has."""

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        tensor: Callable[[Any], Tensor],
        cluster: Cluster | None = None,
    ) -> None:
        self.cluster = cluster
        self._devices = strategy.extended.worker_devices
        self._tensor = tensor  # of an array, as on a single device

    def parts(self, leaf: Any, *, stacked: bool) -> Parts:
        if isinstance(leaf, (tf.SparseTensor, tf.RaggedTensor)):
            raise BatchError(
                "The model was made for several replicas, for which sparse and ragged tensors "
                "cannot be cut into parts. Give dense arrays."
            )
        rows, count = int(leaf.shape[stacked]), len(self._devices)
        # The first replicas get one row more, where the rows do not divide.
        bounds = [-(-rows * i // count) for i in range(count + 1)]
        with tf.device("CPU:0"):
            leaf = self._tensor(leaf)
        tensors = []
        for device, low, high in zip(self._devices, bounds, bounds[1:], strict=False):
            part = leaf[:, low:high] if stacked else leaf[low:high]
            with tf.device(device):
                tensors.append(tf.identity(part))
        return Parts(tuple(tensors))
