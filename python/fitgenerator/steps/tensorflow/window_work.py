"""The work of a TensorFlow graph's sliding windows: convolutions, and pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from .known_shapes import Shape, function_graph, functions_of, with_shapes

# Multiply-adds of a step. Measured, over plain loops: 0.3 to 0.6 with 0.2 to 1 million, 0.8 to 1.3
# with 2 million, 3 and more with 10 million.
MOST = 1_500_000
# XLA takes so many times as long for one of these as for one of other convolutions.
_SLOW_KINDS = ("Conv3D", "DepthwiseConv2d")
_SLOWER = 8
_CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2d")  # and their gradients
_POOLING = frozenset({"AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_BRANCHES = frozenset({"Case", "If", "StatelessCase", "StatelessIf"})  # their first input chooses


def multiply_adds(graph: tf.Graph, shapes: Sequence[Shape]) -> float:
    """Multiply-adds of the windows, for inputs of these shapes; infinite where they are not known.

    Those of kinds that XLA is slow with count several times. Of branches, the largest counts.
    """
    definition = graph.as_graph_def()
    if not _has_windows(definition):
        return 0.0
    definition = graph.as_graph_def(add_shapes=True)
    called = {node.name: functions_of(node) for node in definition.node}
    names = (tensor.op.name for tensor in graph.inputs)
    try:
        known = with_shapes(definition, dict(zip(names, shapes, strict=False)))
    except ValueError:
        return math.inf
    rows = next((shape[0] for shape in shapes if shape), None)
    work = 0.0
    for op in known.get_operations():
        if _slides(op.type):
            work += _of_window(op, rows)
        elif called.get(op.name):
            work += _of_functions(op, [function_graph(graph, name) for name in called[op.name]])
    return work


def _has_windows(definition: Any) -> bool:
    """Whether it has some, itself or in a function."""
    functions = (each.node_def for each in definition.library.function)
    return any(_slides(node.op) for nodes in (definition.node, *functions) for node in nodes)


def _slides(kind: str) -> bool:
    return kind.startswith(_CONVOLUTIONS) or kind in _POOLING


def _of_functions(op: tf.Operation, bodies: list[tf.Graph | None]) -> float:
    """The work of an operation that calls functions."""
    if op.type in _CALLS | _BRANCHES:
        given = [_list(tensor.shape) for tensor in op.inputs]
        given = given[1:] if op.type in _BRANCHES else given
        return max(multiply_adds(body, given) if body else math.inf for body in bodies)
    # Loops, and the like: how often they run is not known.
    known = all(body and not _has_windows(body.as_graph_def()) for body in bodies)
    return 0.0 if known else math.inf


def _of_window(op: tf.Operation, rows: int | None) -> float:
    if op.type in _POOLING:
        size: int = math.prod(op.get_attr("ksize"))
        return size * _elements(op.outputs[0], rows)
    # The gradient of the output is the last input. What slides over the input is an input, too, or
    # what a gradient gives.
    given = op.outputs[0] if "Backprop" not in op.type else op.inputs[2]
    window = op.outputs[0] if "BackpropFilter" in op.type else op.inputs[1]
    kept = _list(window.shape) or [None]
    each = kept[:-2] if op.type.startswith("Depthwise") else kept[:-1]
    slower: float = _SLOWER if op.type.startswith(_SLOW_KINDS) else 1
    return slower * _elements(given, rows) * _product(each)


def _elements(tensor: tf.Tensor, rows: int | None) -> float:
    """How many it has; where only its first dimension is open, as many as the batch has rows."""
    shape = _list(tensor.shape)
    if not shape:
        return math.inf
    return _product([rows if shape[0] is None else shape[0], *shape[1:]])


def _product(shape: Sequence[int | None]) -> float:
    if 0 in shape:
        return 0.0
    return math.prod(math.inf if each is None else each for each in shape)


def _list(shape: tf.TensorShape) -> list[int | None] | None:
    return None if shape.rank is None else shape.as_list()


def on_cpu(concrete: Any) -> bool:
    """Whether a concrete function runs on a CPU: its variables, or all devices, are CPUs."""
    # Not its `variables`, which raise where one is gone that was replaced since.
    captured = [tensor for tensor in concrete.captured_inputs if not callable(tensor)]
    places = [tensor.device for tensor in captured if tensor.dtype == tf.resource]
    if places:
        return all("CPU" in (place or "CPU") for place in places)
    return all(device.device_type == "CPU" for device in tf.config.list_logical_devices())
