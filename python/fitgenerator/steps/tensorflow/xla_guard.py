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


class Undoable:
    """A loop that returns first whether all is well, then what takes it back.

    XLA updates the variables in place, and gives their former values in one vector for each type: a
    copy of each, and a choice at the end, would make a call of ten small steps a third slower,
    since XLA gives many small copies to its other threads, for longer than they take.
    """

    def __init__(self, loop: Callable[..., tuple[tf.Tensor, Any]], graph: tf.Graph) -> None:
        """`graph` is that of one step, which assigns the variables that `loop` assigns.

        Raises:
            ValueError: The shape of a variable is not fixed.
        """
        self._loop = loop
        by_type: dict[tf.DType, list[tf.Tensor]] = {}
        for handle in _assigned(graph):
            kind, shape = _form(handle)
            if not shape.is_fully_defined():
                raise ValueError("the shape of a variable is not fixed")
            by_type.setdefault(kind, []).append(handle)
        self._handles = list(by_type.values())

    def __call__(self, *leaves: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor], Any]:
        """Whether all is well, the former values, and what the loop returns; it is traced."""
        former = [
            tf.concat([tf.reshape(_read(handle), [-1]) for handle in handles], 0)
            for handles in self._handles
        ]
        # The loop waits for a result of the copies: else XLA would copy each variable for it.
        well, outputs = self._loop(*leaves, well=_are_ordinary(former))
        for handles in self._handles:
            well &= _are_ordinary([_read(handle) for handle in handles])
        return well, former, outputs

    def undo(self, former: list[tf.Tensor]) -> None:
        """Give the variables their former values."""
        for handles, values in zip(self._handles, former, strict=True):
            shapes = [_form(handle)[1] for handle in handles]
            parts = tf.split(values, [shape.num_elements() for shape in shapes])
            for handle, shape, part in zip(handles, shapes, parts, strict=True):
                tf.raw_ops.AssignVariableOp(resource=handle, value=tf.reshape(part, shape))


def _are_ordinary(values: list[tf.Tensor]) -> tf.Tensor:
    """Whether all floats among them are ordinary numbers."""
    return _all_hold((ordinary, value) for value in values if value.dtype.is_floating)


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


def _read(handle: tf.Tensor) -> tf.Tensor:
    kind, shape = _form(handle)
    value = tf.raw_ops.ReadVariableOp(resource=handle, dtype=kind)
    value.set_shape(shape)
    return value


def _form(handle: Any) -> tuple[tf.DType, tf.TensorShape]:
    (kind,) = handle._handle_data.shape_and_type
    return tf.as_dtype(kind.dtype), tf.TensorShape(kind.shape)
