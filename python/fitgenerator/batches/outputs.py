"""What steps returned, put together."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ..models.protocol import Nested


def joined(outputs: list[Nested]) -> Any:
    """The outputs of several batches as one: all their rows in order, in the model's structure."""
    return keras.tree.map_structure_up_to(outputs[0], _concatenated, *outputs)


def _concatenated(*tensors: Any) -> Any:
    if isinstance(tensors[0], tf.SparseTensor):
        return tf.sparse.concat(0, list(tensors))
    ragged = isinstance(tensors[0], tf.RaggedTensor)
    if not ragged and len({tuple(t.shape[1:]) for t in tensors}) > 1:
        # Sequences of changing length: as Keras's `predict`, ragged.
        tensors = tuple(map(tf.RaggedTensor.from_tensor, tensors))
    return tf.concat(tensors, axis=0)


def as_arrays(outputs: Nested) -> Any:
    """`outputs` with arrays for tensors, but for those that are ragged or sparse."""
    composite = (tf.RaggedTensor, tf.SparseTensor)
    return keras.tree.map_structure(
        lambda t: t if isinstance(t, composite) else np.array(t), outputs
    )
