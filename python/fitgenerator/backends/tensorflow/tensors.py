"""TensorFlow's tensors and threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.losses import loss as losses
from tensorflow.python.eager import context

from ...errors import ArgumentError
from ..aligned_memory import is_aligned
from ..protocol import Array, Backend, Replicas, Spec, Tensor
from .cluster import cluster_of
from .replicas import MirroredReplicas

_COMPOSITE = (tf.RaggedTensor, tf.SparseTensor)


class TensorFlow(Backend):
    """TensorFlow."""

    name, title = "tensorflow", "TensorFlow"
    checks_labels = True

    def tensor(self, leaf: Any, *, exclusive: bool = False, stacked: bool = False) -> Tensor:
        if not isinstance(leaf, np.ndarray):
            return tf.convert_to_tensor(leaf)
        if leaf.ndim > 1 and leaf.flags.f_contiguous and not leaf.flags.c_contiguous:
            return _transposed(leaf)
        if exclusive and is_aligned(leaf) and _stays():
            return tf.experimental.dlpack.from_dlpack(leaf.__dlpack__())  # has the same memory
        return tf.constant(leaf)  # as `convert_to_tensor`, in half the time

    def leaf(self, leaf: Any) -> Tensor:
        if isinstance(leaf, _COMPOSITE):
            return leaf
        if tf.is_symbolic_tensor(leaf):
            raise ValueError("it is a symbol of a graph and has no values")
        return self.tensor(leaf)

    def sparse(self, where: Array, values: Array, shape: tuple[int, ...]) -> Tensor:
        return tf.sparse.reorder(tf.SparseTensor(where.astype("int64"), values, shape))

    def spec(self, leaf: Any) -> Spec:
        if isinstance(leaf, np.ndarray):
            dtype = tf.as_dtype(leaf.dtype)
            return Spec((tf.TensorSpec, dtype, leaf.ndim), leaf.shape, dtype.size)
        spec = tf.type_spec_from_value(leaf)
        rank = spec.shape.rank
        size = spec.dtype.size if type(spec) is tf.TensorSpec else None
        return Spec((type(spec), spec.dtype, rank), tuple(spec.shape) if rank else (), size)

    def stacked(self, tensors: list[Tensor]) -> Tensor:
        return tf.stack(tensors)

    def _concatenated(self, *tensors: Tensor) -> Tensor:
        if isinstance(tensors[0], tf.SparseTensor):
            return tf.sparse.concat(0, list(tensors))
        ragged = isinstance(tensors[0], tf.RaggedTensor)
        if not ragged and len({tuple(t.shape[1:]) for t in tensors}) > 1:
            # Sequences of changing length: as Keras's `predict`, ragged.
            tensors = tuple(map(tf.RaggedTensor.from_tensor, tensors))
        return tf.concat(tensors, axis=0)

    def arrays(self, outputs: Any) -> Any:
        """Outputs with arrays for tensors, but for those that are ragged or sparse."""
        return keras.tree.map_structure(
            lambda t: t if isinstance(t, _COMPOSITE) else np.array(t), outputs
        )

    def _ran(self) -> bool:
        return context.context()._context_handle is not None

    def _try_out(self) -> None:
        with tf.device("cpu"):
            tf.function(lambda: tf.constant(1) + tf.random.uniform((), 0, 9, tf.int32))()

    def scope(self) -> Callable[[], AbstractContextManager[None]]:
        """The device and strategy scopes."""
        device = context.context().device_name
        strategy = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None

        @contextmanager
        def scope() -> Iterator[None]:
            with ExitStack() as stack:
                if strategy is not None:
                    stack.enter_context(strategy.scope())
                if device:
                    stack.enter_context(tf.device(device))
                yield

        return scope

    def is_tracing(self) -> bool:
        return not tf.executing_eagerly()

    def variable_scope(self, model: Any) -> AbstractContextManager[Any]:
        scope: AbstractContextManager[Any] = model.distribute_strategy.scope()
        return scope

    def replicas(self, strategy: Any) -> Replicas | None:
        if strategy is None or strategy.num_replicas_in_sync == 1:
            return None
        cluster = cluster_of(strategy)
        if cluster is None and not isinstance(strategy, tf.distribute.MirroredStrategy):
            raise ArgumentError(
                f"The model was made for {strategy.num_replicas_in_sync} replicas under a "
                f"{type(strategy).__name__}; of several replicas, only those of a "
                "tf.distribute.MirroredStrategy, or of a MultiWorkerMirroredStrategy of several "
                "processes, are supported. Make the model under one, or outside of any scope."
            )
        if not hasattr(losses, "scale_loss_for_distribution"):
            raise ArgumentError(
                f"The model was made for {strategy.num_replicas_in_sync} replicas, which need "
                f"Keras 3.8 or newer; this is Keras {keras.__version__}. Update Keras, or make the "
                "model outside of any scope."
            )
        return MirroredReplicas(strategy, self.tensor, cluster)

    def traces_on_threads(self, strategy: Any) -> bool:
        return isinstance(strategy, tf.distribute.MirroredStrategy)


@cache
def _stays() -> bool:
    """Whether a tensor's memory is the machine's: with a GPU, a copy goes there at once."""
    return not tf.config.list_logical_devices("GPU")


def _transposed(array: Array) -> Any:
    """A row-major tensor of a column-major array, such as R's.

    Thread rule 9 (R's memory stays on its thread): R's arrays are copied there as they lie, and
    transposed here, on a feeder. TensorFlow does so in blocks and on several threads: floats ten
    times as fast as NumPy, integers only half as fast as floats. So 32-bit integers go as the
    floats of the same bits, with which nothing computes.
    """
    if array.dtype.kind in "iu" and array.dtype.itemsize == 4:
        bits = tf.transpose(tf.constant(array.T.view("float32")))
        return tf.bitcast(bits, tf.as_dtype(array.dtype))
    return tf.transpose(tf.constant(array.T))
