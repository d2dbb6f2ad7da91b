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

    `graph` is that of one step, which assigns the variables that `run` assigns; `run` takes last
    whether all is well before.
    """
    handles = _assigned(graph)

    def call(*leaves: tf.Tensor) -> tuple[tf.Tensor, Any]:
        before = _Snapshot(handles)
        # The loop waits for what is computed of the snapshot, so XLA lets it update the variables
        # in place; it would copy each of them otherwise.
        well, outputs = run(*leaves, before.is_ordinary())
        after = [_read(handle) for handle in handles]
        well &= _all_hold((ordinary, new) for new in after if new.dtype.is_floating)
        # Here, since an interrupt that comes meanwhile is raised as soon as the call returns. It is
        # a loop of one turn or none; of `tf.cond` XLA makes a choice for each variable.
        tf.while_loop(lambda turn: (turn < 1) & ~well, before.restore, (tf.constant(0),))
        return well, outputs

    return call


class _Snapshot:
    """The values of variables, in one vector for each type.

    XLA gives many small copies to its other threads, for longer than they take: a variable's own
    copy, and choice, made a call of ten small steps a third slower.
    """

    def __init__(self, handles: Iterable[tf.Tensor]) -> None:
        by_type: dict[tf.DType, list[tuple[tf.Tensor, tf.Tensor]]] = {}
        for handle in handles:
            value = _read(handle)
            if not value.shape.is_fully_defined():
                raise ValueError("the shape of a variable is not fixed")
            by_type.setdefault(value.dtype, []).append((handle, value))
        self._parts = [
            (pairs, tf.concat([tf.reshape(value, [-1]) for _, value in pairs], 0))
            for pairs in by_type.values()
        ]

    def is_ordinary(self) -> tf.Tensor:
        """Whether all are ordinary numbers."""
        return _all_hold((ordinary, all_) for _, all_ in self._parts if all_.dtype.is_floating)

    def restore(self, turn: tf.Tensor) -> tuple[tf.Tensor]:
        """Give the variables their values back; returns the next turn of a loop."""
        for pairs, all_ in self._parts:
            sizes = [value.shape.num_elements() for _, value in pairs]
            for (handle, value), old in zip(pairs, tf.split(all_, sizes), strict=True):
                old = tf.reshape(old, value.shape)
                tf.raw_ops.AssignVariableOp(resource=handle, value=old)
        return (turn + 1,)


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
