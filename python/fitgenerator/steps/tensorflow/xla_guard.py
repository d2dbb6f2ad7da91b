"""A loop compiled by XLA that leaves nothing behind where XLA and TensorFlow may differ.

Beside its steps, such a loop computes whether all values were within the limits of their
operations. Where one was not, every variable gets back the value that it had before the call, and
the caller runs the same batches without XLA: they then give TensorFlow's numbers, or its error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from operator import and_
from typing import Any

import tensorflow as tf

from .xla_checks import needed
from .xla_operations import Holds, limits_of, ordinary


def within_limits(operations: Iterable[tf.Operation], outputs: Iterable[Any] = ()) -> tf.Tensor:
    """Whether all values of these operations are within limits, and `outputs` are ordinary numbers.

    They are of the current graph.
    """
    found = [pair for operation in operations for pair in limits_of(operation)]
    found += [(ordinary, tensor) for tensor in outputs if tensor.dtype.is_floating]
    return _all_hold(needed(found))


def _all_hold(found: Iterable[tuple[Holds, tf.Tensor]]) -> tf.Tensor:
    by_shape: dict[Any, list[tf.Tensor]] = {}
    for holds, tensor in {(h, id(t)): (h, t) for h, t in found}.values():
        shape = tuple(tensor.shape) if tensor.shape.is_fully_defined() else id(tensor)
        by_shape.setdefault(shape, []).append(holds(tensor))
    # One reduction for all of a shape: XLA makes one pass of it.
    every = [tf.reduce_all(reduce(and_, parts)) for parts in by_shape.values()]
    return reduce(and_, every, tf.constant(True))


def undone(run: Callable[..., tuple[tf.Tensor, Any]], graph: tf.Graph) -> Callable[..., Any]:
    """`run`, which returns first whether all is well, without effects where it is not.

    `graph` is that of one step, which assigns the variables that `run` assigns.
    """
    handles = _assigned(graph)

    def call(*leaves: tf.Tensor) -> tuple[tf.Tensor, Any]:
        before = [_read(handle) for handle in handles]
        well, outputs = run(*leaves)
        after = [_read(handle) for handle in handles]
        well &= _all_hold((ordinary, new) for new in after if new.dtype.is_floating)
        for handle, old, new in zip(handles, before, after, strict=True):
            tf.raw_ops.AssignVariableOp(resource=handle, value=tf.where(well, new, old))
        return well, outputs

    return call


def _assigned(graph: Any) -> list[tf.Tensor]:
    """The handles of the variables that a graph assigns, or gives to functions that may."""
    inside = {
        id(tensor)
        for op in graph.get_operations()
        if op.type.startswith("Assign") or "PartitionedCall" in op.type
        for tensor in op.inputs
    }
    captures = [(outer, inner) for outer, inner in graph.captures if inner.dtype == tf.resource]
    return [outer for outer, inner in captures if id(inner) in inside]


def _read(handle: Any) -> tf.Tensor:
    (kind,) = handle._handle_data.shape_and_type
    value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.as_dtype(kind.dtype))
    value.set_shape(tf.TensorShape(kind.shape))
    return value
