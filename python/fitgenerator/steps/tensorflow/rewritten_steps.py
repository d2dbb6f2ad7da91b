"""Steps that TensorFlow rewrites in another way in a loop, so that their last digits differ there.

TensorFlow inlines what a loop calls, and takes out operations that change nothing, such as
`1.0 * x`. A constant in a loop depends on the loop's turn, and what the operation was taken out of
then depends on it too. TensorFlow fuses no operation that has such a dependency: so
`x * sigmoid(1.0 * x)`, which is swish, is one kernel of oneDNN's in a single step and two in a
loop. A step that the loop may not inline (`_noinline`) is no cure: behind a batch normalisation,
TensorFlow fuses nothing in that either.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
import tensorflow as tf

Nodes: TypeAlias = "Mapping[str, tf.compat.v1.NodeDef]"  # of a graph or a function, by name

# With which constant an operation changes nothing; the constant is the last input of these.
_NEUTRAL = {"Mul": 1.0, "RealDiv": 1.0, "Add": 0.0, "AddV2": 0.0, "Sub": 0.0}
_LAST = {"RealDiv", "Sub"}
# What TensorFlow fuses with others, or writes with others (a power), where nothing else depends on
# it. Contractions are left out: gradients have them behind a mean's division.
_NAMES = """
    Elu Erf LeakyRelu Maximum Pow Relu Relu6 Sigmoid Softplus Square Tanh
"""
_FUSED = frozenset(_NAMES.split())


def is_rewritten_in_loops(graph: tf.Graph) -> bool:
    """Whether a step has what TensorFlow fuses, behind an operation that changes nothing.

    Functions that the graph calls are looked into.
    """
    definition = graph.as_graph_def()
    for nodes in (definition.node, *(f.node_def for f in definition.library.function)):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            if node.op in _FUSED and any(map(partial(_is_unchanged, by_name), node.input)):
                return True
    return False


def uses_onednn() -> bool:
    """Whether TensorFlow computes with oneDNN's kernels, which it fuses operations for."""
    try:
        from tensorflow.python.util import _pywrap_util_port as port

        return bool(port.IsMklEnabled())
    except (ImportError, AttributeError):  # of a TensorFlow that has it elsewhere
        return True


def _is_unchanged(nodes: Nodes, name: str) -> bool:
    """Whether an input is what an operation that changes nothing was given."""
    node = _maker(nodes, name)
    if node is None or node.op not in _NEUTRAL:
        return False
    inputs = node.input[1:] if node.op in _LAST else node.input
    return any(_has_only(_NEUTRAL[node.op], nodes, each) for each in inputs)


def _has_only(number: float, nodes: Nodes, name: str) -> bool:
    """Whether an input is a constant, of this number alone."""
    node = _maker(nodes, name)
    if node is not None and node.op == "Fill":
        node = _maker(nodes, node.input[1])
    if node is None:
        return False
    if node.op in ("OnesLike", "ZerosLike"):
        return bool(number == (node.op == "OnesLike"))
    if node.op != "Const" or not tf.as_dtype(node.attr["dtype"].type).is_floating:
        return False
    return bool(np.all(tf.make_ndarray(node.attr["value"].tensor) == number))


def _maker(nodes: Nodes, name: str) -> tf.compat.v1.NodeDef | None:
    """What makes an input: these are references such as "name:0", "name:output:0" and "^name"."""
    node = nodes.get(name.split(":", 1)[0])
    while node is not None and node.op in ("Cast", "Identity"):
        node = nodes.get(node.input[0].split(":", 1)[0])
    return node
