"""The TensorFlow operations that mean the same when XLA compiles them, and for which values.

XLA leaves out TensorFlow's run-time checks: an index out of range is clamped, a label of no class
gives NaN, assertions are not evaluated. It treats NaN, infinities and overflow differently, and
rewrites formulas: `log(exp(x))` becomes `x`. So the engine compiles a model by itself only where
the traced graph has no operation outside of these lists, and what has a condition here is checked
while it runs (`xla_guard.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import tensorflow as tf

Node: TypeAlias = "tf.compat.v1.NodeDef"
Holds: TypeAlias = "Callable[[tf.Tensor], tf.Tensor]"  # says so for each element of a tensor
Limits: TypeAlias = "Callable[[tf.Operation], Iterator[tuple[Holds, tf.Tensor]]]"

# Within these bounds neither the product nor the quotient of two numbers leaves float32, so that
# it does not matter in which order XLA multiplies and divides.
LARGEST = 2.0**60
_SMALLEST = 2.0**-60

_NAMES = """
    Const Identity IdentityN NoOp PartitionedCall Placeholder StatefulPartitionedCall StopGradient
    AssignAddVariableOp AssignSubVariableOp AssignVariableOp ReadVariableOp
    BroadcastGradientArgs BroadcastTo ConcatOffset ConcatV2 ExpandDims Fill Pack PadV2 Pad Range
    Rank Reshape ReverseV2 Shape ShapeN Size Squeeze Tile Transpose Unpack ZerosLike
    Bitcast BitwiseAnd Equal IsFinite IsInf IsNan LogicalAnd LogicalNot LogicalOr NotEqual Select
    SelectV2 StatelessIf
    Abs AddN AddV2 All Any BiasAdd Ceil Cos DivNoNan Elu Erf Erfc Floor LeakyRelu LeakyReluGrad
    Log1p LogSoftmax Mul Neg Relu Selu Sigmoid Sign Sin Softplus SoftplusGrad Square
    SquaredDifference Sub Tanh TanhGrad
"""
_ALWAYS = frozenset(_NAMES.split())
_CONSTANT = frozenset({"Const"})
# Operations that mean the same where the inputs at these places come from these operations: they
# then work on shapes, within bounds that are known.
_BY_INPUTS: Mapping[str, Mapping[int, frozenset[str]]] = {
    "FloorMod": {1: _CONSTANT},
    "StridedSlice": {1: _CONSTANT, 2: _CONSTANT, 3: _CONSTANT},
    "StridedSliceGrad": {1: _CONSTANT, 2: _CONSTANT, 3: _CONSTANT},
    "GatherV2": {0: frozenset({"Shape"}), 2: _CONSTANT},
    "DynamicStitch": {0: frozenset({"Range"}), 2: frozenset({"Shape"})},
    "Slice": {0: frozenset({"Shape"})},
}
# Of NaN, of infinities, and where a sum or a product is beyond the range, these differ; of NaN,
# Softmax does where oneDNN computes it.
_ORDINARY = """
    ArgMax ArgMin AvgPool AvgPoolGrad BiasAddGrad Conv2D Conv2DBackpropFilter Conv2DBackpropInput
    Cumsum DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter
    DepthwiseConv2dNativeBackpropInput EluGrad Greater GreaterEqual Less LessEqual MatMul Max
    Maximum MaxPool MaxPoolGrad Mean Min Minimum Prod Relu6 Relu6Grad ReluGrad SigmoidGrad Softmax
    SoftmaxCrossEntropyWithLogits Sum
"""
_REDUCTIONS = frozenset({"Max", "Mean", "Min", "Prod", "Sum"})
# Batches may have doubles, which Keras casts at once; nothing computes with them.
_GIVEN = frozenset({"Placeholder", "Identity", "Cast", "Shape"})
# Half floats are left out: XLA computes with more digits than they have.
_TYPES = frozenset(
    {tf.float32, tf.bool, tf.resource, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8}
)


def ordinary(x: tf.Tensor) -> tf.Tensor:
    """Where numbers are neither NaN, nor infinite, nor near the end of the range."""
    return tf.abs(x) <= LARGEST


def finite(x: tf.Tensor) -> tf.Tensor:
    """Where numbers are neither NaN nor infinite."""
    return tf.math.is_finite(x)


def _positive(x: tf.Tensor) -> tf.Tensor:
    return (x >= _SMALLEST) & (x <= LARGEST)


def _divisor(x: tf.Tensor) -> tf.Tensor:
    return _positive(tf.abs(x))


def _within(*inputs: Holds, outputs: Holds | None = None) -> Limits:
    """Limits of the floats among the inputs, in order, and of the outputs."""

    def limits(op: tf.Operation) -> Iterator[tuple[Holds, tf.Tensor]]:
        for holds, tensor in zip(inputs, op.inputs, strict=False):
            if tensor.dtype.is_floating:
                yield holds, tensor
        if outputs is not None:
            yield from ((outputs, tensor) for tensor in op.outputs)

    return limits


def _indices(place: int, count: Callable[[tf.Operation], tf.Tensor]) -> Limits:
    """The input at `place` has indices into so many elements."""

    def limits(op: tf.Operation) -> Iterator[tuple[Holds, tf.Tensor]]:
        number = tf.cast(count(op), op.inputs[place].dtype)
        yield (lambda x: (x >= 0) & (x < number)), op.inputs[place]

    return limits


def _gathered(op: tf.Operation) -> tf.Tensor:
    return tf.gather(tf.shape(op.inputs[0]), op.inputs[2])


def _cast(op: tf.Operation) -> Iterator[tuple[Holds, tf.Tensor]]:
    """Of NaN, or beyond the range of integers, the result differs."""
    if op.inputs[0].dtype.is_floating and op.outputs[0].dtype.is_integer:
        low, high = (float(n) for n in op.outputs[0].dtype.limits)
        yield (lambda x: (x > low / 2 - 1) & (x < high / 2 + 1)), op.inputs[0]


_LIMITS: Mapping[str, Limits] = {
    **dict.fromkeys(_ORDINARY.split(), _within(ordinary, ordinary, ordinary)),
    "Cast": _cast,
    "Exp": _within(outputs=_positive),
    "GatherV2": _indices(1, _gathered),
    "Log": _within(_positive),
    "Pow": _within(_positive, ordinary, outputs=finite),
    "RealDiv": _within(ordinary, _divisor),
    "Reciprocal": _within(_divisor),
    "Rsqrt": _within(_positive),
    "RsqrtGrad": _within(_divisor, ordinary),
    "SeluGrad": _within(ordinary, _divisor),  # at 0, XLA takes the slope of the other side
    "SparseSoftmaxCrossEntropyWithLogits": _indices(1, lambda op: tf.shape(op.inputs[0])[-1]),
    "Sqrt": _within(outputs=ordinary),
    "UnsortedSegmentSum": _indices(1, lambda op: op.inputs[2]),
}


def unsafe_operation(graph: tf.Graph) -> str | None:
    """The name of an operation of `graph` that XLA may give another meaning, `None` without one.

    Functions that the graph calls, branches and bodies of loops included, are looked into; what has
    limits is unsafe there, where nothing can check them.
    """
    definition = graph.as_graph_def()
    for nodes in (definition.node, *(f.node_def for f in definition.library.function)):
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            limited = nodes is definition.node and node.op in _LIMITS
            if not (_has_known_types(node) and (limited or _is_safe(node, by_name))):
                return str(node.op)
    return None


def limits_of(operation: tf.Operation) -> Iterator[tuple[Holds, tf.Tensor]]:
    """Which conditions which tensors must meet for an operation to mean the same."""
    limits = _LIMITS.get(operation.type)
    if limits is not None and not _is_about_shapes(operation) and not _is_of_one(operation):
        yield from limits(operation)


def _is_safe(node: Node, by_name: Mapping[str, Node]) -> bool:
    if node.op in _ALWAYS:
        return True
    # Inputs are references such as "name:0".
    makers = [by_name.get(name.split(":")[0]) for name in node.input]
    return _made_by(node.op, [None if maker is None else maker.op for maker in makers])


def _is_of_one(operation: tf.Operation) -> bool:
    """It reduces a single number, which is what it gives."""
    return operation.type in _REDUCTIONS and operation.inputs[0].shape.rank == 0


def _is_about_shapes(operation: tf.Operation) -> bool:
    return _made_by(operation.type, [tensor.op.type for tensor in operation.inputs])


def _made_by(operation: str, makers: list[str | None]) -> bool:
    wanted = _BY_INPUTS.get(operation, {})
    return bool(wanted) and all(makers[place] in names for place, names in wanted.items())


def _has_known_types(node: Node) -> bool:
    codes = {value.type for value in node.attr.values() if value.type}
    known = _TYPES | {tf.float64} if node.op in _GIVEN else _TYPES
    return all(tf.as_dtype(code) in known for code in codes)
