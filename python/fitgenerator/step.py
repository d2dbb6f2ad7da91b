"""A model's compiled steps on TensorFlow: traced once per signature, on the calling thread.

The only module that knows TensorFlow. A step is a concrete function of flat tensors whose number of
rows is free. The functions live on the model itself, so that they go when it goes, and are dropped
when it was compiled again or its trainable weights changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from .batch import Parts, Sparse
from .errors import ArgumentError, BatchError
from .foreign import is_r_function

MODES = ("train", "test", "predict")
_CACHE = "_fitgenerator_steps"
_Leaf = tuple[Any, tuple[Any, ...], str]  # dtype, shape without rows, kind


@dataclass(frozen=True)
class Batch:
    """What one step needs: flat tensors, and how they are put together again.

    Attributes:
        leaves: The tensors, without the places that are `None`.
        layout: The nested structure, with a leaf's index, or `None`, in each place.
        rows: Number of samples.
        kind: What batches of one signature share, lengths apart.
        shapes: The leaves' shapes without the rows.
    """

    leaves: tuple[Any, ...]
    layout: Any
    rows: int
    kind: Any
    shapes: tuple[tuple[Any, ...], ...]

    def pack(self) -> Any:
        """The nested structure, as a step takes it."""
        return _pack(self.layout, self.leaves)


def _pack(layout: Any, leaves: tuple[Any, ...]) -> Any:
    return keras.tree.map_structure(lambda i: None if i is None else leaves[i], layout)


def prepare(model: Any, parts: Parts, rows: int, *, predicting: bool = False) -> Batch:
    """Tensors of a checked batch. Called by the feeder."""
    given = (parts.inputs,) if predicting else tuple(parts)
    if not predicting and parts.weights is None:
        given = given[:2]
    sparse_inputs = {i for i, x in enumerate(_inputs(model)) if getattr(x, "sparse", False)}
    leaves: list[Any] = []
    structure: list[Any] = []
    for part, value in enumerate(given):
        flat = keras.tree.flatten(value) if value is not None else [None]
        indices: list[int | None] = []
        for place, leaf in enumerate(flat):
            indices.append(None if leaf is None else len(leaves))
            if leaf is not None:
                keep = part == 0 and place in sparse_inputs
                leaves.append(_to_tensor(leaf, keep_sparse=keep))
        packed = None if value is None else keras.tree.pack_sequence_as(value, indices)
        structure.append(packed)
    specs = [tf.type_spec_from_value(leaf) for leaf in leaves]
    kind = (repr(structure), tuple((type(s), s.dtype, s.shape.rank) for s in specs))
    shapes = tuple(tuple(s.shape[1:]) if s.shape.rank else () for s in specs)
    return Batch(tuple(leaves), tuple(structure), rows, kind, shapes)


def _inputs(model: Any) -> list[Any]:
    try:
        return list(keras.tree.flatten(model.inputs or []))
    except (AttributeError, ValueError):  # a subclassed model has none
        return []


def _to_tensor(leaf: Any, *, keep_sparse: bool) -> Any:
    if isinstance(leaf, Sparse):
        if not keep_sparse:
            return tf.convert_to_tensor(leaf.dense())
        where = np.stack([leaf.rows, leaf.cols], axis=1).astype("int64")
        return tf.sparse.reorder(tf.SparseTensor(where, np.asarray(leaf.values), leaf.shape))
    if isinstance(leaf, (tf.SparseTensor, tf.RaggedTensor)):
        return leaf
    try:
        if isinstance(leaf, np.ndarray) and _is_column_major(leaf):
            # TensorFlow transposes in blocks and on several threads: 6 times as fast as NumPy.
            return tf.transpose(tf.convert_to_tensor(leaf.T))
        return tf.convert_to_tensor(leaf)
    except (TypeError, ValueError) as error:
        raise BatchError(
            f"The batch has an array of dtype {leaf.dtype} and shape {tuple(leaf.shape)} that "
            f"cannot become a tensor: {error}"
        ) from error


def _is_column_major(array: np.ndarray[Any, Any]) -> bool:
    flags = array.flags
    return bool(array.ndim > 1 and flags.f_contiguous and not flags.c_contiguous)


class Steps:
    """The compiled steps of one model. `Steps.of` keeps them from call to call."""

    def __init__(self, model: Any, token: tuple[Any, ...]) -> None:
        self._model = model
        self._token = token
        self._traced: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._shapes: dict[tuple[Any, ...], tuple[tuple[Any, ...], ...]] = {}
        self.traces = 0

    @classmethod
    def of(cls, model: Any) -> Steps:
        """The model's steps, new ones where it has changed since."""
        token = _token(model)
        known = vars(model).get(_CACHE)
        if isinstance(known, cls) and _same(known._token, token):
            return known
        steps = cls(model, token)
        vars(model)[_CACHE] = steps
        return steps

    @property
    def eager(self) -> bool:
        """Steps run as Python code, on the calling thread."""
        return bool(self._model.run_eagerly or tf.config.functions_run_eagerly())

    def renew(self) -> None:
        """Drop what was traced before the model changed, where it did."""
        token = _token(self._model)
        if not _same(self._token, token):
            self._traced.clear()
            self._shapes.clear()
            self._token = token

    def find(self, mode: str, batch: Batch) -> Callable[..., Any] | None:
        """The traced function for such a batch, or `None`."""
        function = self._traced.get((mode, batch.kind, batch.shapes))
        if function is None and (mode, batch.kind) in self._shapes:
            general = _relaxed(self._shapes[mode, batch.kind], batch.shapes)
            function = self._traced.get((mode, batch.kind, general))
        return function

    def trace(self, mode: str, batch: Batch) -> Callable[..., Any]:
        """Trace the function for such batches. Called by the calling thread only.

        The first batch of a kind is traced with its own shapes; where another length follows, the
        dimensions in which they differ are left open, so that a third length needs no trace.
        """
        self.renew()
        shapes = self._shapes.get((mode, batch.kind))
        shapes = batch.shapes if shapes is None else _relaxed(shapes, batch.shapes)
        layout = batch.layout  # the function outlives the batch, which it must not hold

        def one_step(*leaves: Any) -> Any:
            return self.run_eagerly(mode, _pack(layout, leaves))

        if self._model._distribute_strategy is not None:  # variables belong into its scope
            with self._model.distribute_strategy.scope():
                self._model._symbolic_build(data_batch=batch.pack())
        jit = bool(self._model.jit_compile)
        function = tf.function(one_step, jit_compile=jit, autograph=False)
        concrete = function.get_concrete_function(*_specs(batch, shapes))
        _refuse_r_gradients(concrete.graph)
        self.traces += 1
        # Tracing may have built the model; that is no reason to trace again.
        self._token = _token(self._model)
        self._shapes[mode, batch.kind] = shapes
        self._traced[mode, batch.kind, shapes] = _Traced(function, concrete)
        return self._traced[mode, batch.kind, shapes]

    def run_eagerly(self, mode: str, data: Any) -> Any:
        """One step as Python code."""
        step = getattr(self._model, f"{mode}_step")
        strategy = self._model.distribute_strategy
        outputs = strategy.run(step, args=(data,))
        return keras.tree.map_structure(
            lambda v: strategy.experimental_local_results(v)[0], outputs
        )


def _refuse_r_gradients(graph: Any) -> None:
    """Refuse a graph that asks for the gradient of an R function inside `tf.py_function`.

    TensorFlow records such a function's operations on the thread that runs it, and R code runs on
    R's: the gradient would be empty, and the step fail with a riddle.
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


@dataclass(frozen=True)
class _Traced:
    """A concrete function, and the function that owns its graph."""

    function: Any
    concrete: Callable[..., Any]

    def __call__(self, *leaves: Any) -> Any:
        return self.concrete(*leaves)


def _relaxed(
    known: tuple[tuple[Any, ...], ...], new: tuple[tuple[Any, ...], ...]
) -> tuple[tuple[Any, ...], ...]:
    return tuple(
        tuple(a if a == b else None for a, b in zip(k, n, strict=True))
        for k, n in zip(known, new, strict=True)
    )


def _specs(batch: Batch, shapes: tuple[tuple[Any, ...], ...]) -> Iterator[Any]:
    for leaf, shape in zip(batch.leaves, shapes, strict=True):
        if isinstance(leaf, tf.SparseTensor):
            yield tf.SparseTensorSpec((None, *shape), leaf.dtype)
        elif isinstance(leaf, tf.RaggedTensor):
            yield tf.RaggedTensorSpec(
                (None, *shape), leaf.dtype, leaf.ragged_rank, leaf.row_splits.dtype
            )
        else:
            yield tf.TensorSpec((None, *shape), leaf.dtype)


def _token(model: Any) -> tuple[Any, ...]:
    """What the traced functions depend on; `compile` makes these objects anew."""
    trainable = tuple(map(id, model.trainable_variables)) if model.built else None
    return (
        getattr(model, "optimizer", None),  # only a compiled model has one
        getattr(model, "_compile_loss", None),
        getattr(model, "_compile_metrics", None),
        model.jit_compile,
        trainable,
    )


def _same(old: tuple[Any, ...], new: tuple[Any, ...]) -> bool:
    return all(a is b or (isinstance(a, tuple) and a == b) for a, b in zip(old, new, strict=True))


def joined(outputs: list[Any]) -> Any:
    """The outputs of several batches as one: all their rows in order, in the model's structure."""
    return keras.tree.map_structure_up_to(
        outputs[0], lambda *tensors: _concatenated(tensors), *outputs
    )


def _concatenated(tensors: tuple[Any, ...]) -> Any:
    if isinstance(tensors[0], tf.SparseTensor):
        return tf.sparse.concat(0, list(tensors))
    if isinstance(tensors[0], tf.RaggedTensor):
        return tf.concat(tensors, axis=0)
    if len({tuple(t.shape[1:]) for t in tensors}) > 1:
        # Sequences of changing length: as Keras's `predict`, ragged.
        return tf.concat([tf.RaggedTensor.from_tensor(t) for t in tensors], axis=0)
    return tf.concat(tensors, axis=0)


def as_arrays(outputs: Any) -> Any:
    """`outputs` with arrays for tensors, but for those that are ragged or sparse."""
    composite = (tf.RaggedTensor, tf.SparseTensor)
    return keras.tree.map_structure(
        lambda t: t if isinstance(t, composite) else np.array(t), outputs
    )


def check_model(model: Any, *, training: bool, foreign: bool) -> None:
    """Refuse models that cannot be run here, before anything is pulled.

    Raises:
        ArgumentError: The backend is not TensorFlow, the model is not compiled, or it belongs to a
            strategy of several replicas (each would get the whole batch), or of one replica that
            traces on a thread of its own while the model holds foreign code.
    """
    if keras.config.backend() != "tensorflow":
        raise ArgumentError(
            f"The Keras backend must be 'tensorflow', not {keras.config.backend()!r}: set "
            "KERAS_BACKEND=tensorflow before Keras is imported."
        )
    if training and not model.compiled:
        raise ArgumentError("The model must be compiled: call its compile() first.")
    strategy = model.distribute_strategy
    if strategy.num_replicas_in_sync > 1:
        raise ArgumentError(
            f"The model was made for {strategy.num_replicas_in_sync} replicas "
            f"({type(strategy).__name__}); only one is supported. Make it outside that scope."
        )
    if foreign and isinstance(strategy, tf.distribute.MirroredStrategy):
        raise ArgumentError(
            "The model has R code in it and was made under a MirroredStrategy, which traces on "
            "threads of its own, where R cannot run. Make it outside that scope."
        )


def capture_scope() -> Callable[[], AbstractContextManager[None]]:
    """The caller's device and strategy scopes and Keras's thread-local state, for our threads."""
    from keras.src.backend.common import global_state
    from tensorflow.python.eager import context

    device = context.context().device_name
    strategy = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
    state = dict(vars(global_state.GLOBAL_STATE_TRACKER))
    settings = dict(vars(global_state.GLOBAL_SETTINGS_TRACKER))

    @contextmanager
    def scope() -> Iterator[None]:
        vars(global_state.GLOBAL_STATE_TRACKER).update(state)
        vars(global_state.GLOBAL_SETTINGS_TRACKER).update(settings)
        with ExitStack() as stack:
            if strategy is not None:
                stack.enter_context(strategy.scope())
            if device:
                stack.enter_context(tf.device(device))
            yield

    return scope
