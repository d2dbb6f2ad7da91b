"""For each operation that XLA may compile: small calls of it, and the kinds of numbers it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import tensorflow as tf

R = tf.raw_ops
_MAX, _TINY = (float(getattr(np.finfo("float32"), name)) for name in ("max", "tiny"))
# NaN, infinities, zeros, the largest and the smallest numbers, some where functions overflow.
SPECIAL = [
    *(np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, _MAX, -_MAX, 1e20, -1e20, 1e-20),
    *(_TINY / 8, _TINY, _TINY * 8, 0.5, -0.5, 0.99, 7.3, 87.0, -87.0, 89.0, -104.0),
]
ORDINARY = [0.5, 2.0]


@dataclass(frozen=True)
class Case:
    """Calls of a function with the same shapes and different numbers."""

    name: str  # of the operation, or of a formula
    function: Callable[..., Any]
    special: list[tuple[Any, ...]]
    ordinary: tuple[Any, ...]
    empties: bool = True  # also called with no rows; of no pictures XLA's compiler aborts

    def __str__(self) -> str:
        return self.name


def _vector(*values: float) -> Any:
    return np.array(values, "float32")


def _unary(name: str, function: Callable[..., Any] | None = None) -> Case:
    call = function or getattr(R, name)
    keys = [key for key in ("x", "features", "logits", "input") if key in _arguments(name)]
    run = function or (lambda x: call(**{keys[0]: x}))
    return Case(name, run, [(_vector(v),) for v in SPECIAL], (_vector(0.5),))


def _arguments(name: str) -> tuple[str, ...]:
    call = getattr(R, name, None)
    return () if call is None else tuple(call.__signature__.parameters)


def _binary(name: str, function: Callable[..., Any] | None = None) -> Case:
    call = function
    if call is None:
        first, second = _arguments(name)[:2]

        def call(x: Any, y: Any) -> Any:
            return getattr(R, name)(**{first: x, second: y})

    pairs = [(_vector(x), _vector(y)) for x, y in product(SPECIAL, SPECIAL)]
    return Case(name, call, pairs, (_vector(0.5), _vector(2.0)))


def _rows(name: str, function: Callable[..., Any], *, twice: bool = False) -> Case:
    """Rows of two special numbers and an ordinary one."""
    rows = [np.array([[x, y, 0.5]], "float32") for x, y in product(SPECIAL, SPECIAL)]
    other = np.array([[1.0, -2.0, 0.25]], "float32")
    special = [(row, other) if twice else (row,) for row in rows]
    special += [(other, row) for row in rows] if twice else []
    return Case(name, function, special, (other, other + 3) if twice else (other,))


def _images(name: str, function: Callable[..., Any]) -> Case:
    def image(values: list[float]) -> Any:
        return np.resize(_vector(*values), (1, 4, 4, 1))

    special = [(image([x, 1, 2, 1, 0]),) for x in SPECIAL] + [(image([1, 1, 0]),)]
    return Case(name, function, special, (image([1, 2, 3]),), empties=False)


_UNARY = """
    Abs Ceil Cos Elu Erf Erfc Exp Floor IsFinite IsInf IsNan LeakyRelu Log Log1p Neg Reciprocal Relu
    Relu6 Rsqrt Selu Sigmoid Sign Sin Softplus Sqrt Square Tanh ZerosLike
"""
_BINARY = """
    AddV2 BiasAdd DivNoNan EluGrad Equal Greater GreaterEqual LeakyReluGrad Less LessEqual Maximum
    Minimum Mul NotEqual Pow RealDiv Relu6Grad ReluGrad RsqrtGrad SeluGrad SigmoidGrad SoftplusGrad
    SquaredDifference Sub TanhGrad
"""


def _convolved(**kind: Any) -> Callable[..., Any]:
    return lambda x: tf.nn.conv2d(x, tf.ones((2, 2, 1, 1)), 1, "VALID", **kind)


def _gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: Any) -> Any:
        weights = tf.ones((2, 2, 1, 1))
        with tf.GradientTape() as tape:
            tape.watch([x, weights])
            y = function(x, weights)
        return [g for g in tape.gradient(y, [x, weights]) if g is not None]

    return run


def _both(operation: Any) -> Callable[..., Any]:
    return lambda x, w: operation(x, w, [1, 1, 1, 1], "VALID")


def _numbers() -> Iterator[Case]:
    yield from map(_unary, _UNARY.split())
    for name in _BINARY.split():
        yield _binary(
            name, (lambda x, y: R.BiasAdd(value=x[None], bias=y)) if name == "BiasAdd" else None
        )
    yield _binary("AddN", lambda x, y: R.AddN(inputs=[x, y]))
    yield _binary("Select", lambda x, y: R.Select(condition=x > y, x=x, y=y))
    yield _binary("SelectV2", lambda x, y: R.SelectV2(condition=x > y, t=x, e=y))
    yield _binary("LogicalAnd", lambda x, y: (x > 0) & (y > 0))
    yield _binary("LogicalOr", lambda x, y: (x > 0) | (y > 0))
    yield _unary("LogicalNot", lambda x: ~(x > 0))
    yield _unary("Bitcast", lambda x: tf.bitcast(x, "int32"))
    yield _unary("BitwiseAnd", lambda x: R.BitwiseAnd(x=tf.bitcast(x, "int32"), y=[2**31 - 1]))
    for kind in ("int32", "int64", "bool"):
        yield _unary("Cast", lambda x, kind=kind: tf.cast(x, kind))


def _reductions() -> Iterator[Case]:
    for name in ("Max", "Mean", "Min", "Prod", "Sum"):
        yield _rows(name, lambda x, name=name: getattr(R, name)(input=x, axis=1))
        yield _rows(name, lambda x, name=name: getattr(R, name)(input=x[:0], axis=0))  # of nothing
    for name in ("ArgMax", "ArgMin"):
        yield _rows(name, lambda x, name=name: getattr(R, name)(input=x, dimension=1))
    for name in ("All", "Any"):
        yield _rows(name, lambda x, name=name: getattr(R, name)(input=x > 0, axis=1))
    yield _rows("BiasAddGrad", lambda x: R.BiasAddGrad(out_backprop=tf.transpose(x)))
    yield _rows("Cumsum", lambda x: R.Cumsum(x=x, axis=1))
    for name in ("LogSoftmax", "Softmax"):
        yield _rows(name, lambda x, name=name: getattr(R, name)(logits=x))
    yield _rows("MatMul", lambda x, y: R.MatMul(a=x, b=y, transpose_b=True), twice=True)
    crossed = "SoftmaxCrossEntropyWithLogits"
    yield _rows(crossed, lambda x, y: getattr(R, crossed)(features=x, labels=y), twice=True)


def _pictures() -> Iterator[Case]:
    yield _images("Conv2D", _convolved())
    for name in ("Conv2DBackpropFilter", "Conv2DBackpropInput"):
        yield _images(name, _gradient(_both(tf.nn.conv2d)))
    depthwise = "DepthwiseConv2dNative"
    for name in (depthwise, depthwise + "BackpropFilter", depthwise + "BackpropInput"):
        yield _images(name, _gradient(_both(tf.nn.depthwise_conv2d)))
    for name, pool in (("MaxPool", tf.nn.max_pool2d), ("AvgPool", tf.nn.avg_pool2d)):
        yield _images(name, lambda x, pool=pool: pool(x, 2, 2, "VALID"))
        yield _images(
            name + "Grad", _gradient(lambda x, _, pool=pool: pool(x, 2, 2, "VALID") * [3.0])
        )


def _indices() -> Iterator[Case]:
    def numbers(*values: int) -> tuple[Any]:
        return (np.array(values, "int64"),)

    special = [numbers(i, j) for i, j in product([-(2**40), -1, 0, 1, 2, 3, 2**40], repeat=2)]
    logits = tf.constant([[0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    for name, function in (
        ("GatherV2", lambda i: tf.gather(logits, i, axis=1)),
        (
            "SparseSoftmaxCrossEntropyWithLogits",
            lambda i: R.SparseSoftmaxCrossEntropyWithLogits(features=logits, labels=i),
        ),
        (
            "UnsortedSegmentSum",
            lambda i: R.UnsortedSegmentSum(data=logits, segment_ids=i, num_segments=3),
        ),
    ):
        yield Case(name, function, special, numbers(0, 2), empties=False)  # as many as rows


def _formulas() -> Iterator[Case]:
    """What XLA rewrites."""
    yield _unary("StatelessIf", lambda x: tf.cond(tf.reduce_any(x == 1), lambda: 2 * x, lambda: -x))
    yield _unary("log(exp(x))", lambda x: tf.math.log(tf.exp(x)))
    yield _unary("sqrt(x * x)", lambda x: tf.sqrt(x * x))
    yield _unary("x / sqrt(x * x)", lambda x: x / tf.sqrt(x * x))
    yield _unary("x / x", lambda x: x / x)
    yield _unary("x - x", lambda x: x - x)
    yield _unary("0 x", lambda x: x * 0)
    yield _unary("x ** 2", lambda x: x ** tf.constant(2.0))
    yield _unary("x ** 0.5", lambda x: x ** tf.constant(0.5))
    yield _binary("exp(x) exp(y)", lambda x, y: tf.exp(x) * tf.exp(y))
    yield _binary("exp(x) / exp(y)", lambda x, y: tf.exp(x) / tf.exp(y))
    yield _binary("y / (x / y)", lambda x, y: y / (x / y))
    yield _binary("(x / y) / x", lambda x, y: (x / y) / x)
    yield _binary("exp(x) ** y", lambda x, y: tf.exp(x) ** y)
    yield _binary("log(x ** y)", lambda x, y: tf.math.log(x**y))
    # Where a check follows from another one.
    yield _binary("y / (sqrt(x) + 1e-7)", lambda x, y: y / (tf.sqrt(x) + 1e-7))
    yield _binary("y / (sqrt(x * x) + 1e-7)", lambda x, y: y / (tf.sqrt(x * x) + 1e-7))
    yield _binary("y / (2 - x ** 3)", lambda x, y: y / (2.0 - x ** tf.constant(3.0)))
    yield _binary("sqrt(2 - x ** y)", lambda x, y: tf.sqrt(2.0 - x**y))
    for name, function in {  # which need an element
        "max(-x, y + 0)": lambda x, y: tf.maximum(tf.reshape(-x, [1, 1]), y + 0.0),
        "sum(x[0]) / y": lambda x, y: tf.reduce_sum(x[0]) / tf.abs(y),
    }.items():
        yield replace(_binary(name, function), empties=False)
    yield _binary("x rsqrt(y)", lambda x, y: (x - y) * tf.math.rsqrt(tf.square(x) + 1e-3))


def _moves() -> Iterator[Case]:
    """What has its values from elsewhere."""
    for name, function in {
        "BroadcastTo": lambda x: tf.broadcast_to(x, (2, *x.shape)),
        "ConcatV2": lambda x: tf.concat([x, x], 1),
        "ExpandDims": lambda x: tf.expand_dims(x, 0),
        "Identity": tf.identity,
        "Pack": lambda x: tf.stack([x, x]),
        "Pad": lambda x: tf.pad(x, [[0, 0], [1, 2]]),
        "PadV2": lambda x: tf.pad(x, [[0, 0], [1, 2]], constant_values=np.inf),
        "Reshape": lambda x: tf.reshape(x, (3, -1)),
        "ReverseV2": lambda x: tf.reverse(x, [1]),
        "Squeeze": lambda x: tf.squeeze(x[None], 0),
        "StopGradient": tf.stop_gradient,
        "Tile": lambda x: tf.tile(x, [1, 2]),
        "Transpose": tf.transpose,
        "Unpack": lambda x: tf.unstack(x, axis=1),
    }.items():
        yield _rows(name, function)
    yield _unary("Fill", lambda x: tf.fill((2, 3), tf.reduce_max(x)))


CASES = [*_numbers(), *_reductions(), *_pictures(), *_indices(), *_moves(), *_formulas()]
# Operations without values of their own: they name, call, assign, and work on shapes.
MOVES = (
    *("Const", "IdentityN", "NoOp", "PartitionedCall", "Placeholder", "StatefulPartitionedCall"),
    *("AssignAddVariableOp", "AssignSubVariableOp", "AssignVariableOp", "ReadVariableOp"),
    *("BroadcastGradientArgs", "ConcatOffset", "Range", "Rank", "Shape", "ShapeN", "Size"),
)
