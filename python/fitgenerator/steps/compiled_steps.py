"""A model's compiled steps on TensorFlow: traced once per form of batch, on the calling thread.

A step is a concrete function of flat tensors whose number of rows is free; a loop is one of stacked
tensors, which runs a step for each of them. The functions live on the model itself, so that they go
when it goes, and are dropped when it was compiled again or its trainable weights changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, partial
from typing import Any

import keras
import tensorflow as tf

from ..batches.model_inputs import known_symbols
from ..batches.prepared import Batch, Form, Shapes, pack
from ..errors import ArgumentError
from ..models.keras_versions import Keras3, keras_version_of
from ..models.protocol import KerasModel, Nested
from ..r_functions import is_r_function
from .whole_updates import whole_updates
from .xla_guard import LimitsError, undone, within_limits
from .xla_operations import unsafe_operation

_CACHE = "_fitgenerator_steps"


class ExecutionMode(Enum):
    """How a call runs its batches: one; several in a loop; several in a loop compiled by XLA."""

    STEP = "step"
    LOOP = "loop"
    XLA = "xla"


@dataclass
class Traced:
    """A traced function."""

    function: Any  # owns the graph
    concrete: Any  # what is called
    seconds: float  # how long the tracing took
    guarded: bool = False  # it returns first whether its values are within limits
    proven: bool = False  # it has run

    def __call__(self, *leaves: tf.Tensor) -> Any:
        """Run it.

        Raises:
            LimitsError: XLA may give other values than TensorFlow; nothing was changed.
        """
        outputs = self._call(*leaves)
        if not self.guarded:
            return outputs
        well, outputs = outputs
        if not well:
            raise LimitsError("a value is not finite, or not within its limits")
        return outputs

    def _call(self, *leaves: tf.Tensor) -> Any:
        if self._bare is None:
            return self.concrete(*leaves)
        function, captured = self._bare
        return function.function_type.pack_output(function.call_flat(*leaves, *captured))

    @cached_property
    def _bare(self) -> tuple[Any, list[Any]] | None:
        """The function below `concrete`, and what it captured.

        `concrete` compares types, and looks for gradient tapes, at each call: 0.1 ms, which is half
        of what ten small steps take. The batch's form was compared already. `None` where this
        TensorFlow has it elsewhere, or an input or a capture is more than one tensor.
        """
        function = getattr(self.concrete, "_inference_function", None)
        captured = getattr(self.concrete, "_captured_inputs", None)
        if captured is None or not hasattr(function, "call_flat"):
            return None
        given = len(self.concrete.inputs) - len(captured)
        specs = keras.tree.flatten(self.concrete.structured_input_signature)
        dense = all(isinstance(spec, tf.TensorSpec) for spec in specs) and len(specs) == given
        if not dense or any(callable(tensor) for tensor in captured):
            return None
        return function, list(captured)

    @cached_property
    def unsafe(self) -> str | None:
        """The operation that XLA may give another meaning, where the step has one."""
        return unsafe_operation(self.concrete.graph)


class Steps:
    """The compiled steps of one model. `Steps.of` keeps them from call to call."""

    def __init__(self, keras_version: Keras3) -> None:
        self._model = keras_version.model
        self._keras_version = keras_version
        self._signature = _signature_of(keras_version)
        self._traced: dict[tuple[Any, ...], Traced] = {}
        self._shapes: dict[tuple[Any, ...], Shapes] = {}
        self._refused: dict[tuple[Any, ...], str] = {}
        self.traces = 0

    @classmethod
    def of(cls, model: KerasModel) -> Steps:
        """The model's steps, new ones where it has changed since."""
        keras_version = keras_version_of(model)
        known = vars(model).get(_CACHE)
        if isinstance(known, cls) and _same(known._signature, _signature_of(keras_version)):
            return known
        steps = cls(keras_version)
        vars(model)[_CACHE] = steps
        return steps

    @property
    def eager(self) -> bool:
        """Steps run as Python code, on the calling thread: the exception of thread rule 3."""
        return bool(self._model.run_eagerly or tf.config.functions_run_eagerly())

    @property
    def compiled(self) -> bool:
        """The model's own `jit_compile`: every step is compiled by XLA."""
        return bool(self._model.jit_compile)

    @property
    def loops(self) -> bool:
        """Its steps may be put in a loop: they run in no strategy's scope."""
        return self._keras_version.strategy is None

    def renew(self) -> None:
        """Drop what was traced before the model changed, where it did."""
        signature = _signature_of(self._keras_version)
        if not _same(self._signature, signature):
            self._traced.clear()
            self._shapes.clear()
            self._refused.clear()
            self._signature = signature

    def find(
        self, mode: str, batch: Batch, execution: ExecutionMode = ExecutionMode.STEP
    ) -> Traced | None:
        """The traced function for such a batch, or `None`."""
        kind, shapes = (mode, execution, batch.form.kind), batch.form.shapes
        if execution is ExecutionMode.XLA:
            return self._traced.get((*kind, shapes, batch.count, batch.rows))
        function = self._traced.get((*kind, shapes))
        if function is None and kind in self._shapes:
            function = self._traced.get((*kind, _relaxed(self._shapes[kind], shapes)))
        return function

    def trace(
        self, mode: str, batch: Batch, execution: ExecutionMode = ExecutionMode.STEP
    ) -> Traced:
        """Trace the function for such batches; `LoopError` where it cannot be put in a loop.

        Thread rule 3 (traced on the calling thread, executed elsewhere): TensorFlow's graph context
        belongs to a thread, and what is traced may be R code. So only the calling thread calls
        this, and what other threads call is a concrete function, which cannot trace again.

        The first batch of a kind is traced with its own shapes; where another length follows, the
        dimensions in which they differ are left open, so that a third length needs no trace; but
        not where the model fixes them, or one is 1, which is squeezed or broadcast: with an open
        dimension Keras would not look. What XLA compiles has all its shapes fixed.
        """
        self.renew()
        begun = time.perf_counter()
        kind, shapes = (mode, execution, batch.form.kind), batch.form.shapes
        known = self._shapes.get(kind)
        xla = execution is ExecutionMode.XLA
        if not xla and known is not None and not self._fixes(batch.form):
            shapes = _relaxed(known, shapes)
        function, guarded = self._function(mode, batch, execution)
        concrete = function.get_concrete_function(*_specs(batch, shapes, execution))
        _refuse_r_gradients(concrete.graph)
        self.traces += 1
        # Tracing may have built the model; that is no reason to trace again.
        self._signature = _signature_of(self._keras_version)
        # The next length is compared with shapes that have as many open lengths as there were.
        known = self._shapes.get(kind)
        if known is None or _count_open(shapes) >= _count_open(known):
            self._shapes[kind] = shapes
        traced = Traced(function, concrete, time.perf_counter() - begun, guarded)
        self._traced[(*kind, shapes, batch.count, batch.rows) if xla else (*kind, shapes)] = traced
        return traced

    def _fixes(self, form: Form) -> bool:
        """Whether the model fixes a length that such batches have otherwise."""
        for part, wanted in zip(form.layout, known_symbols(self._model), strict=False):
            places = [i for i in keras.tree.flatten(part) if i is not None]
            if len(places) != len(wanted):
                continue
            for place, symbol in zip(places, wanted, strict=True):
                given = form.shapes[place]
                if len(given) == len(symbol.shape) - 1 and any(
                    b is not None and a != b for a, b in zip(given, symbol.shape[1:], strict=True)
                ):
                    return True
        return False

    def _function(self, mode: str, batch: Batch, execution: ExecutionMode) -> tuple[Any, bool]:
        """What is traced, and whether it is guarded."""
        layout = batch.form.layout  # the function outlives the batch, which it must not hold
        # During a training, a thread that reads its generator may trace another step of the model.
        updates = whole_updates if mode == "train" else nullcontext

        def one_step(*leaves: tf.Tensor) -> Any:
            with updates(self._keras_version):
                return self.run_eagerly(mode, pack(layout, leaves))

        if execution is ExecutionMode.STEP:
            if self._keras_version.strategy is not None:  # variables belong into its scope
                with self._model.distribute_strategy.scope():
                    self._keras_version.build(batch.pack())
            return tf.function(one_step, jit_compile=self.compiled, autograph=False), False
        first = batch.split()[0]
        single = self.find(mode, first) or self.trace(mode, first)
        outputs, keep_all = single.concrete.structured_outputs, mode == "predict"
        xla = execution is ExecutionMode.XLA
        # Single steps that XLA compiles differ as much as a loop, and cannot replace it.
        if xla and not self.compiled and single.unsafe is None:
            loop = _looped(one_step, outputs, keep_all=keep_all, rows=batch.rows, guarded=True)
            loop = undone(loop, single.concrete.graph)
            return tf.function(loop, jit_compile=True, autograph=False), True
        loop = _looped(one_step, outputs, keep_all=keep_all, rows=batch.rows if xla else None)
        return tf.function(loop, jit_compile=xla or self.compiled, autograph=False), False

    def refuse(self, mode: str, batch: Batch, execution: ExecutionMode, reason: str) -> None:
        """Remember that such batches cannot be run so."""
        self._refused[mode, batch.form.kind, execution] = reason

    def refused(self, mode: str, batch: Batch, execution: ExecutionMode) -> str | None:
        """Why such batches cannot be run so, where they cannot."""
        return self._refused.get((mode, batch.form.kind, execution))

    def run_eagerly(self, mode: str, data: Nested) -> Any:
        """One step as Python code."""
        return self._keras_version.run(mode, data)


class LoopError(Exception):
    """A step that cannot be put in a loop."""


def _looped(
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
    whether all values were within limits is returned first.
    """
    flat = keras.tree.flatten(outputs)
    dense = (tf.Tensor, tf.TensorSpec)
    if not all(isinstance(o, dense) and o.shape.rank is not None for o in flat):
        raise LoopError("a step returns something else than dense tensors")
    shapes = [tf.TensorShape(o.shape) for o in flat]
    if rows is not None:
        shapes = [s if s.rank == 0 or s[0] is not None else [rows, *s[1:]] for s in shapes]
        shapes = list(map(tf.TensorShape, shapes))

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

    def loop(*leaves: tf.Tensor) -> Any:
        count = tf.shape(leaves[0])[0]
        if keep_all:
            start = [
                tf.TensorArray(o.dtype, count, element_shape=shape)
                for o, shape in zip(flat, shapes, strict=True)
            ]
        else:
            start = [
                tf.zeros([d or 0 for d in shape], o.dtype)
                for o, shape in zip(flat, shapes, strict=True)
            ]
        invariants = (tf.TensorShape([]), tf.TensorShape([]), shapes)
        _, well, last = tf.while_loop(
            lambda i, *_: i < count,
            partial(body, leaves),
            (tf.constant(0), tf.constant(True), start),
            shape_invariants=None if keep_all else invariants,
            parallel_iterations=1,
        )
        if keep_all:
            last = [array.concat() for array in last]
        packed = keras.tree.pack_sequence_as(outputs, last)
        return (well, packed) if guarded else packed

    return loop


def _refuse_r_gradients(graph: tf.Graph) -> None:
    """Refuse a graph that asks for the gradient of an R function inside `tf.py_function`.

    Thread rule 4 (R code runs on R's thread): TensorFlow records such a function's operations on
    the thread that runs it, so the gradient would be empty, and the step fail with a riddle.
    """
    from tensorflow.python.ops import script_ops

    names = {op.name for op in graph.get_operations() if op.type == "EagerPyFunc"}
    for op in graph.get_operations():
        if op.type != "EagerPyFunc" or f"gradient_tape/{op.name}" not in names:
            continue
        called = script_ops._py_funcs.get(op.get_attr("token").decode())
        if is_r_function(getattr(called, "_func", None)):
            raise ArgumentError(
                "The model's loss, or a layer, calls an R function through tf$py_function, whose "
                "gradient TensorFlow cannot follow into R. Write it with tensor operations, which "
                "R functions may use directly."
            )


def _relaxed(known: Shapes, new: Shapes) -> Shapes:
    """`new`, with the lengths left open in which it differs from `known`."""
    return tuple(
        tuple(a if a == b else b if 1 in (a, b) else None for a, b in zip(k, n, strict=True))
        for k, n in zip(known, new, strict=True)
    )


def _count_open(shapes: Shapes) -> int:
    return sum(length is None for shape in shapes for length in shape)


def _specs(batch: Batch, shapes: Shapes, execution: ExecutionMode) -> Iterator[Any]:
    """What a function is traced with; the number of rows, and of batches, stays open."""
    for leaf, shape in zip(batch.leaves, shapes, strict=True):
        rows = (None, *shape)
        if execution is ExecutionMode.XLA:
            yield tf.TensorSpec((leaf.shape[0], None, *leaf.shape[2:]), leaf.dtype)
        elif execution is ExecutionMode.LOOP:
            yield tf.TensorSpec((None, *rows), leaf.dtype)
        elif isinstance(leaf, tf.SparseTensor):
            yield tf.SparseTensorSpec(rows, leaf.dtype)
        elif isinstance(leaf, tf.RaggedTensor):
            yield tf.RaggedTensorSpec(rows, leaf.dtype, leaf.ragged_rank, leaf.row_splits.dtype)
        else:
            yield tf.TensorSpec(rows, leaf.dtype)


def _signature_of(keras_version: Keras3) -> tuple[Any, ...]:
    """What the traced functions depend on; `compile` makes these objects anew."""
    model = keras_version.model
    trainable = tuple(map(id, model.trainable_variables)) if model.built else None
    return (*keras_version.parts, model.jit_compile, trainable)


def _same(old: tuple[Any, ...], new: tuple[Any, ...]) -> bool:
    return all(a is b or (isinstance(a, tuple) and a == b) for a, b in zip(old, new, strict=True))
