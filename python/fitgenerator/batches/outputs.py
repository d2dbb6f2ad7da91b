"""What steps returned, put together."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..models.protocol import Nested, Shaped


def joined(outputs: list[Nested]) -> Any:
    """The outputs of several batches as one: all their rows in order, in the model's structure."""
    return keras.tree.map_structure_up_to(
        outputs[0], lambda *tensors: _concatenated(tensors), *outputs
    )


def _concatenated(tensors: tuple[Shaped, ...]) -> Any:
    if isinstance(tensors[0], tf.SparseTensor):
        return tf.sparse.concat(0, list(tensors))
    if isinstance(tensors[0], tf.RaggedTensor):
        return tf.concat(tensors, axis=0)
    if len({tuple(t.shape[1:]) for t in tensors}) > 1:
        # Sequences of changing length: as Keras's `predict`, ragged.
        return tf.concat([tf.RaggedTensor.from_tensor(t) for t in tensors], axis=0)
    return tf.concat(tensors, axis=0)


def as_arrays(outputs: Nested) -> Any:
    """`outputs` with arrays for tensors, but for those that are ragged or sparse."""
    composite = (tf.RaggedTensor, tf.SparseTensor)
    return keras.tree.map_structure(
        lambda t: t if isinstance(t, composite) else np.array(t), outputs
    )
