"""The work of a TensorFlow graph's sliding windows: convolutions, and pooling."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

# Multiply-adds of a step. Measured, over plain loops: 0.3 to 0.6 with 0.2 to 1 million, 0.8 to 1.3
# with 2 million, 3 and more with 10 million.
MOST = 1_500_000
# XLA takes so many times as long for one of these as for one of other convolutions.
_SLOW_KINDS = ("Conv3D", "DepthwiseConv2d")
_SLOWER = 8
_CONVOLUTIONS = ("Conv2D", "Conv3D", "DepthwiseConv2d")  # and their gradients
_POOLING = frozenset({"AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D"})


def multiply_adds(graph: tf.Graph, rows: int) -> float:
    """Multiply-adds of the windows, for so many rows; infinite where the graph does not tell.

    Those of kinds that XLA is slow with count several times.
    """
    inner = (node.op for each in graph.as_graph_def().library.function for node in each.node_def)
    if any(map(_slides, inner)):
        return math.inf
    work: float = sum(_of_a_row(op) for op in graph.get_operations() if _slides(op.type))
    return rows * work


def _slides(kind: str) -> bool:
    return kind.startswith(_CONVOLUTIONS) or kind in _POOLING


def _of_a_row(op: tf.Operation) -> float:
    if op.type in _POOLING:
        size: int = math.prod(op.get_attr("ksize"))
        return size * _elements(op.outputs[0].shape[1:])
    # The gradient of the output is the last input. What slides over the input is an input, too, or
    # what a gradient gives.
    given = op.outputs[0] if "Backprop" not in op.type else op.inputs[2]
    window = op.outputs[0] if "BackpropFilter" in op.type else op.inputs[1]
    each = window.shape[:-2] if op.type.startswith("Depthwise") else window.shape[:-1]
    slower: float = _SLOWER if op.type.startswith(_SLOW_KINDS) else 1
    return slower * _elements(given.shape[1:]) * _elements(each)


def _elements(shape: Any) -> float:
    return math.inf if shape.num_elements() is None else float(shape.num_elements())


def on_cpu(concrete: Any) -> bool:
    """Whether a concrete function runs on a CPU: its variables are there."""
    return all("GPU" not in (variable.device or "") for variable in concrete.variables)
