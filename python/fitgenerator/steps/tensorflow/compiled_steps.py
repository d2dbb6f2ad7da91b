"""A model's compiled steps on TensorFlow: traced once per form of batch, on the calling thread.

A step is a concrete function of flat tensors whose number of rows is free; a loop is one of stacked
tensors, which runs a step for each of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
import tensorflow as tf

from ...backends.tensorflow.replicas import Parts
from ...batches.model_inputs import known_symbols
from ...batches.prepared import Batch, Form, Layout, Shapes, common_shapes, pack
from ...errors import ArgumentError
from ...models.trainability import Trainability
from ...r_functions import is_r_function
from ..protocol import STEP, ExecutionMode, Kept, LimitsError, Steps, Traced
from ..sliding_windows import too_slow
from .loops import looped
from .rewritten_steps import is_rewritten_in_loops, uses_onednn
from .whole_updates import whole_updates
from .window_work import MOST, multiply_adds, on_cpu
from .xla_guard import undone
from .xla_operations import unsafe_operation

_REWRITTEN = (
    "in a loop, oneDNN's kernels would round an activation (swish) in another way; with "
    "TF_ENABLE_ONEDNN_OPTS=0 there are loops"
)


@dataclass
class TracedGraph(Traced):
    """A traced function of TensorFlow's."""

    function: Any  # owns the graph
    concrete: Any  # what is called
    guarded: bool = False  # it returns first whether its values are within limits
    replicated: bool = False  # it takes the parts of each leaf, one for each replica
    window_work: dict[Any, float] = field(default_factory=dict)  # by the shapes of the leaves

    def __call__(self, *leaves: tf.Tensor) -> Any:
        """Run it.

        Raises:
            LimitsError: XLA may give other values than TensorFlow; nothing was changed.
        """
        if self.replicated:
            leaves = tuple(tensor for leaf in leaves for tensor in leaf.tensors)
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

    def slow_in_loops(self, batch: Batch) -> str | None:
        """Why a loop of such steps on such batches is slower where XLA compiles it, if it is."""
        if not on_cpu(self.concrete):
            return None
        shapes = tuple(tuple(leaf.shape) for leaf in batch.leaves)
        if shapes not in self.window_work:
            self.window_work[shapes] = multiply_adds(self.concrete.graph, shapes)
        return too_slow(self.window_work[shapes], MOST)

    @cached_property
    def rewritten(self) -> bool:
        """TensorFlow would give the step other last digits in a loop."""
        return uses_onednn() and is_rewritten_in_loops(self.concrete.graph)


class TensorFlowSteps(Steps[TracedGraph]):
    """The compiled steps of one model on TensorFlow."""

    worth_compiling = 10_000  # some 0.1 ms saved on each pay for a second

    @property
    def eager(self) -> bool:
        """Steps run as Python code, on the calling thread: the exception of thread rule 3."""
        return bool(self._model.run_eagerly or tf.config.functions_run_eagerly())

    @property
    def compiled(self) -> bool:
        """The model's own `jit_compile`: every step is compiled by XLA. Not on several replicas,
        whose variables are on several devices.
        """
        return bool(self._model.jit_compile) and not self._replicated

    @property
    def loops(self) -> bool:
        """Its steps may be put in a loop: they do not run in the scope of a single replica."""
        return self._keras_version.strategy is None or self._replicated

    @property
    def dispatch_cost(self) -> float:
        """On two replicas of a small model 1.5 ms, on three 1.8 ms (measured)."""
        return 6.0 if self._replicated else 1.0

    @cached_property
    def _replicated(self) -> bool:
        return self._keras_version.replicas is not None

    def refused(self, mode: str, batch: Batch, execution: ExecutionMode) -> str | None:
        """Why such batches cannot be run so, where they cannot."""
        if self._replicated and execution is ExecutionMode.XLA:
            return "XLA compiles for one device, and the model has several replicas"
        if execution is ExecutionMode.LOOP and not self.compiled:
            single = self.find(mode, batch)
            if single is not None and single.rewritten:
                return _REWRITTEN
        return super().refused(mode, batch, execution)

    def refrozen(self) -> list[str]:
        """The names of what was frozen or thawed since the first training step; each time once."""
        kept = self._kept["train"]
        keras_version = self._keras_version
        first = kept.trainability or keras_version.compiled_trainability
        if first is None:
            first = kept.trainability = keras_version.traced_trainability
        names = first.changed() if first else []
        if not names or names == kept.told:
            return []
        kept.told = names
        return names

    def _find(
        self, kept: Kept[TracedGraph], batch: Batch, execution: ExecutionMode
    ) -> TracedGraph | None:
        kind, shapes = (execution, batch.form.kind), batch.form.shapes
        if execution is ExecutionMode.XLA:
            return kept.traced.get((*kind, shapes, *_sizes(batch)))
        function = kept.traced.get((*kind, shapes))
        if function is None and kind in kept.shapes:
            function = kept.traced.get((*kind, common_shapes(kept.shapes[kind], shapes)))
        return function

    def trace(self, mode: str, batch: Batch, execution: ExecutionMode = STEP) -> TracedGraph:
        """Trace the function for such batches; `LoopError` where it cannot be put in a loop.

        Thread rule 3 (traced on the calling thread, executed elsewhere): TensorFlow's graph context
        belongs to a thread, and what is traced may be R code. So only the calling thread calls
        this, and what other threads call is a concrete function, which cannot trace again.

        The first batch of a kind is traced with its own shapes; where another length follows, the
        dimensions in which they differ are left open, so that a third length needs no trace; but
        not where the model fixes them, or one is 1, which is squeezed or broadcast: with an open
        dimension Keras would not look. What XLA compiles has all its shapes fixed.
        """
        self.renew(mode)
        begun = time.perf_counter()
        single = None
        if execution is not ExecutionMode.STEP:
            first = batch.split()[0]
            single = self.find(mode, first) or self.trace(mode, first)
        kept = self._kept[mode]
        kind, shapes = (execution, batch.form.kind), batch.form.shapes
        known = kept.shapes.get(kind)
        xla = execution is ExecutionMode.XLA
        if not xla and known is not None and not self._fixes(batch.form):
            shapes = common_shapes(known, shapes)
        with self._as_at_first(mode, kept):
            function, guarded = self._function(mode, batch, execution, single, shapes)
            concrete = function.get_concrete_function(*_specs(batch, shapes, execution))
        _refuse_r_gradients(concrete.graph)
        # The next length is compared with shapes that have as many open lengths as there were.
        if known is None or _count_open(shapes) >= _count_open(known):
            kept.shapes[kind] = shapes
        seconds = time.perf_counter() - begun
        traced = TracedGraph(
            seconds=seconds,
            function=function,
            concrete=concrete,
            guarded=guarded,
            replicated=self._replicated,
        )
        kept.traced[(*kind, shapes, *_sizes(batch)) if xla else (*kind, shapes)] = traced
        return traced

    @contextmanager
    def _as_at_first(self, mode: str, kept: Kept[TracedGraph]) -> Iterator[None]:
        """Context manager: what is trainable is what was at the mode's first trace.

        Keras traces a step once per `compile()`: what is frozen or thawed later has no effect.
        """
        if mode != "train":
            yield
            return
        things = self._keras_version.freezable
        if kept.trainability is None:  # where Keras's own `fit` was first, its trace is the first
            kept.trainability = self._keras_version.traced_trainability
        if kept.trainability is not None:
            with kept.trainability.held(things):
                yield
            return
        first = Trainability.now(things)
        yield
        first.complete(self._keras_version.freezable)
        kept.trainability = first

    def _fixes(self, form: Form) -> bool:
        """Whether the model fixes a length that such batches have otherwise."""
        for part, wanted in zip(form.parts, known_symbols(self._model), strict=False):
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

    def _function(
        self,
        mode: str,
        batch: Batch,
        execution: ExecutionMode,
        single: TracedGraph | None,
        shapes: Shapes,
    ) -> tuple[Any, bool]:
        """What is traced, and whether it is guarded; `single` is the step that a loop repeats."""
        step = self._step(mode, batch.form.layout)
        # During a training, a thread that reads its generator may trace another step of the model.
        updates = whole_updates if mode == "train" else nullcontext

        def one_step(*tensors: tf.Tensor) -> Any:
            with updates(self._keras_version):
                return step(*tensors)

        if single is None:
            if self._keras_version.strategy is not None:  # variables belong into its scope
                with self._model.distribute_strategy.scope():
                    self._keras_version.build(batch.pack(), mode)
            return tf.function(one_step, jit_compile=self.compiled, autograph=False), False
        outputs, keep_all = single.concrete.structured_outputs, mode == "predict"
        xla = execution is ExecutionMode.XLA
        # Single steps that XLA compiles differ as much as a loop, and cannot replace it.
        if xla and not self.compiled and single.unsafe is None:
            loop = looped(one_step, outputs, keep_all=keep_all, rows=batch.rows, guarded=True)
            loop = undone(loop, single.concrete.graph)
            return tf.function(loop, jit_compile=True, autograph=False), True
        plain = not xla and not self.compiled
        if plain and _takes(single.concrete, _specs(batch, shapes, ExecutionMode.STEP)):
            one_step = single.concrete
        loop = looped(one_step, outputs, keep_all=keep_all, rows=batch.rows if xla else None)
        return tf.function(loop, jit_compile=xla or self.compiled, autograph=False), False

    def _step(self, mode: str, layout: Layout) -> Callable[..., Any]:
        """One step of flat tensors, as Python code."""
        keras_version = self._keras_version
        if not self._replicated:
            return lambda *leaves: keras_version.run(mode, pack(layout, leaves))
        from .replicas import ReplicaStep

        one = lambda *leaves: keras_version.step(mode, pack(layout, leaves))  # noqa: E731
        return ReplicaStep(keras_version, one, predicts=mode == "predict")

    def run_eagerly(self, mode: str, batch: Batch) -> Any:
        """One step as Python code."""
        leaves = batch.leaves
        if self._replicated:
            leaves = tuple(tensor for leaf in leaves for tensor in leaf.tensors)
        return self._step(mode, batch.form.layout)(*leaves)


def _takes(concrete: Any, specs: Iterator[Any]) -> bool:
    """Whether a loop over such batches may call a traced step.

    Its operations then give the bits that they give by themselves: TensorFlow rewrites the formulas
    of a step that is traced within a loop in another way. Nor is the model's code traced again.
    """
    given = keras.tree.flatten(concrete.structured_input_signature)
    return all(
        spec.shape.is_subtype_of(taken.shape) for spec, taken in zip(specs, given, strict=True)
    )


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


def _sizes(batch: Batch) -> tuple[Any, ...]:
    """What XLA fixes in addition to the shapes: the numbers of batches, and of rows."""
    return batch.count, batch.rows, batch.form.uneven


def _count_open(shapes: Shapes) -> int:
    return sum(length is None for shape in shapes for length in shape)


def _specs(batch: Batch, shapes: Shapes, execution: ExecutionMode) -> Iterator[Any]:
    """What a function is traced with; the number of rows, and of batches, stays open."""
    for leaf, shape in zip(batch.leaves, shapes, strict=True):
        rows = (None, *shape)
        if execution is ExecutionMode.XLA:
            yield tf.TensorSpec((leaf.shape[0], None, *leaf.shape[2:]), leaf.dtype)
        elif isinstance(leaf, Parts):
            stacked = (None,) if execution is ExecutionMode.LOOP else ()
            yield from (tf.TensorSpec((*stacked, *rows), leaf.dtype) for _ in leaf.tensors)
        elif execution is ExecutionMode.LOOP:
            yield tf.TensorSpec((None, *rows), leaf.dtype)
        elif isinstance(leaf, tf.SparseTensor):
            yield tf.SparseTensorSpec(rows, leaf.dtype)
        elif isinstance(leaf, tf.RaggedTensor):
            yield tf.RaggedTensorSpec(rows, leaf.dtype, leaf.ragged_rank, leaf.row_splits.dtype)
        else:
            yield tf.TensorSpec(rows, leaf.dtype)
