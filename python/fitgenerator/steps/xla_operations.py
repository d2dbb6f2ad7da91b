"""The TensorFlow operations that mean the same when XLA compiles them.

XLA leaves out TensorFlow's run-time checks: an index out of range is clamped, a label of no class
gives NaN, assertions are not evaluated. Other operations treat NaN differently. So the engine
compiles a model by itself only where the traced graph has no operation outside of this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import tensorflow as tf

Node: TypeAlias = "tf.compat.v1.NodeDef"

_NAMES = """
    Const Identity IdentityN NoOp PartitionedCall Placeholder StatefulPartitionedCall StopGradient
    AssignAddVariableOp AssignSubVariableOp AssignVariableOp ReadVariableOp
    BroadcastGradientArgs BroadcastTo ConcatOffset ConcatV2 ExpandDims Fill Pack Range Reshape
    Shape ShapeN Squeeze Tile ZerosLike
    Abs AddN AddV2 BiasAdd BiasAddGrad Conv2D Conv2DBackpropFilter Conv2DBackpropInput DivNoNan
    Exp LeakyRelu LeakyReluGrad Log Log1p MatMul Mean Mul Neg Pow Prod RealDiv Relu ReluGrad
    Rsqrt Sigmoid SigmoidGrad Softmax Sqrt Square SquaredDifference Sub Sum Tanh TanhGrad
"""
_ALWAYS = frozenset(_NAMES.split())
_CONSTANT = frozenset({"Const"})
# Operations that mean the same where the inputs at these places come from these operations: they
# then work on shapes, within bounds that are known.
_BY_INPUTS: Mapping[str, Mapping[int, frozenset[str]]] = {
    "FloorMod": {1: _CONSTANT},
    "StridedSlice": {1: _CONSTANT, 2: _CONSTANT, 3: _CONSTANT},
    "GatherV2": {0: frozenset({"Shape"}), 2: _CONSTANT},
    "DynamicStitch": {0: frozenset({"Range"}), 2: frozenset({"Shape"})},
}


def unsafe_operation(graph: tf.Graph) -> str | None:
    """The name of an operation of `graph` that XLA may give another meaning, `None` without one.

    Functions that the graph calls, branches and bodies of loops included, are looked into.
    """
    definition = graph.as_graph_def()
    for nodes in (definition.node, *(f.node_def for f in definition.library.function)):
        by_name = {node.name: node for node in nodes}
        for node in by_name.values():
            if not (node.op in _ALWAYS or _is_safe_here(node, by_name)):
                return str(node.op)
    return None


def _is_safe_here(node: Node, by_name: Mapping[str, Node]) -> bool:
    if node.op == "Cast":  # of NaN, or beyond the range of integers, the result differs
        return not _is_float(node.attr["SrcT"].type) or _is_float(node.attr["DstT"].type)
    wanted = _BY_INPUTS.get(node.op)
    if wanted is None:
        return False
    for place, operations in wanted.items():
        maker = by_name.get(node.input[place].split(":")[0])  # of a reference such as "name:0"
        if maker is None or maker.op not in operations:
            return False
    return True


def _is_float(code: int) -> bool:
    return bool(tf.as_dtype(code).is_floating)
