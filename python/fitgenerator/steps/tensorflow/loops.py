"""Several steps in one function: a loop in the graph over stacked batches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from ...models.protocol import Nested
from .xla_guard import within_limits

_SCALARS = (tf.TensorShape([]), tf.TensorShape([]))  # the step's number, and whether all is well


class LoopError(Exception):
    """A step that cannot be put in a loop."""


def looped(
    one_step: Callable[..., Any],
    outputs: Nested,
    *,
    keep_all: bool,
    rows: int | None,
    guarded: bool = False,
) -> Callable[..., Any]:
    """A function of stacked leaves that runs `one_step` on each, in order.

    It returns the last step's outputs, or where `keep_all` the rows of all of them. The step never
    knows the number of rows, as single steps do not: Keras weighs losses by it where it is known.
    XLA has to know the shapes of what a loop carries, so there `rows` is given. Where `guarded`,
    the function takes `well` last, and returns first whether it and the limits of all values held.
    """
    flat = keras.tree.flatten(outputs)
    shapes = _shapes_of(flat, rows)

    def body(leaves: Any, i: tf.Tensor, well: tf.Tensor, carried: list[Any]) -> Any:
        graph = tf.compat.v1.get_default_graph()
        inputs = [leaf[i] for leaf in leaves]
        before = len(graph.get_operations())
        new = keras.tree.flatten(one_step(*inputs))
        if guarded:
            well &= within_limits(graph.get_operations()[before:], new)
        if rows is not None:
            new = [tf.ensure_shape(o, shape) for o, shape in zip(new, shapes, strict=True)]
        if keep_all:
            new = [array.write(i, o) for array, o in zip(carried, new, strict=True)]
        return i + 1, well, new

    def loop(*given: tf.Tensor) -> Any:  # TensorFlow takes names out of its errors that are words
        *leaves, well = given if guarded else (*given, True)
        count = tf.shape(leaves[0])[0]
        start = _start(flat, shapes, count if keep_all else None)
        _, well, last = tf.while_loop(
            lambda i, *_: i < count,
            partial(body, leaves),
            (tf.constant(0), tf.convert_to_tensor(well), start),
            shape_invariants=None if keep_all else (*_SCALARS, shapes),
            parallel_iterations=1,
        )
        last = [array.concat() for array in last] if keep_all else last
        packed = keras.tree.pack_sequence_as(outputs, last)
        return (well, packed) if guarded else packed

    return loop


def _shapes_of(flat: list[Any], rows: int | None) -> list[tf.TensorShape]:
    """The shapes of a step's outputs, with `rows` in the place of an open number of rows."""
    dense = (tf.Tensor, tf.TensorSpec)
    if not all(isinstance(o, dense) and o.shape.rank is not None for o in flat):
        raise LoopError("a step returns something else than dense tensors")
    shapes = [tf.TensorShape(o.shape) for o in flat]
    if rows is None:
        return shapes
    return [
        s if s.rank == 0 or s[0] is not None else tf.TensorShape([rows, *s[1:]]) for s in shapes
    ]


def _start(flat: list[Any], shapes: list[tf.TensorShape], count: tf.Tensor | None) -> list[Any]:
    """What a loop carries before its first step: arrays of `count` outputs, or one of each."""
    pairs = list(zip(flat, shapes, strict=True))
    if count is None:
        return [tf.zeros([d or 0 for d in shape], o.dtype) for o, shape in pairs]
    return [tf.TensorArray(o.dtype, count, element_shape=shape) for o, shape in pairs]
