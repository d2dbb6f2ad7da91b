"""Class weights, multiplied into the sample weights of a batch."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from ..errors import BatchError
from ..messages import describe, dtype_of, listed
from ..models.protocol import Array, Shaped
from .arrays import Sparse
from .structure import Parts, flat_leaves


def weigh(parts: Parts, class_weight: Mapping[int, float]) -> Parts:
    """`parts` with each row's sample weight multiplied by the weight of its class.

    A class is an integer target of shape (rows,) or (rows, 1), or the largest of a one-hot row, as
    in Keras's `fit`. Where the batch has sample weights too, the product counts.

    Raises:
        BatchError: The targets have no classes, or a class that has no weight; or there are
            several arrays of sample weights.
    """
    targets = [target for target in flat_leaves(parts.targets) if target is not None]
    if len(targets) != 1 or len(targets[0].shape) > 2:
        found = listed(tuple(target.shape) for target in targets) or "none"
        forms = "(rows,), (rows, 1) or one-hot (rows, classes)"
        rule = f"`class_weight` needs one target of shape {forms}, not {found}"
        raise BatchError(f"{rule}; give sample weights in the batch instead.")
    classes = _classes(_numbers(targets[0], "targets"))
    unknown = sorted(set(classes.tolist()) - set(class_weight))
    if unknown:
        names = listed(sorted(class_weight)) or "none"
        text = f"`class_weight` has no weight for class {listed(unknown)} of the targets"
        raise BatchError(f"{text}; it names {names}.")
    weights = np.vectorize(class_weight.__getitem__, otypes=[keras.config.floatx()])(classes)
    leaves = [leaf for leaf in flat_leaves(parts.weights) if leaf is not None]
    if len(leaves) > 1:
        rule = "`class_weight` can be multiplied with one array of sample weights"
        raise BatchError(f"{rule}, not with {len(leaves)}; multiply them in the batch instead.")
    if leaves:
        given = _numbers(leaves[0], "sample weights")
        weights = given * weights.reshape((-1,) + (1,) * (given.ndim - 1))
        weights = weights.astype(keras.config.floatx())
    return parts._replace(weights=weights)


def _numbers(leaf: Shaped, name: str) -> Array:
    """A part as an array of real numbers."""
    try:
        array = leaf.dense() if isinstance(leaf, Sparse) else keras.ops.convert_to_numpy(leaf)
        if array.dtype.name == "bfloat16":
            array = array.astype("float32")
        # A ragged tensor would be filled up with zeros.
        numbers = array.dtype.kind in "buif" and not hasattr(leaf, "ragged_rank")
    except Exception:  # a tensor of a graph
        numbers = False
    if not numbers:
        found = f"{describe(leaf)} and dtype {dtype_of(leaf)}"
        raise BatchError(f"`class_weight` needs {name} that are an array of numbers, not {found}.")
    return np.asarray(array)


def _classes(targets: Array) -> Array:
    if targets.ndim == 2 and targets.shape[1] > 1:
        return np.asarray(np.argmax(targets, axis=-1))
    if targets.size != len(targets):
        raise BatchError("`class_weight` needs targets with classes, not of shape (rows, 0).")
    if not np.isfinite(targets).all():
        raise BatchError("`class_weight` needs targets that are classes, not NaN or infinite.")
    return np.round(targets.reshape(len(targets))).astype(int)
