"""What the engine asks of a model, for Keras 3 and for Keras 2 (the package `tf_keras`).

Both have a train, a test and a predict step, metrics and callbacks, under nearly the same names.
What differs is here; `keras_version_of` tells by the model's class. `tf_keras` is never imported:
where there is a model of it, it has been.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial, reduce
from typing import Any, Literal

import keras
import numpy as np

from ..backends.chosen import backend_named, running
from ..backends.protocol import Backend, Replicas
from ..errors import ArgumentError, ArgumentTypeError
from ..messages import describe
from .handed_on import packed, with_tuples
from .protocol import KerasModel, Logs, Metric, Nested, Optimizer, Shaped, Variable
from .trainability import Freezable, Trainability, when_keras_traced

Gradients = list[Shaped | None]
# Context manager: given raw gradients, yields gradients that depend on the complete loss.
Waiting = Callable[[Gradients], AbstractContextManager[Gradients]]
# Where a batch comes from, as far as Keras's `fit` makes a difference: a `tf.data.Dataset`, a
# `PyDataset`, fixed arrays, and everything else.
Adapter = Literal["dataset", "sequence", "arrays", "generator"]


def classes(path: str) -> tuple[type[Any], ...]:
    """The classes with a name such as "callbacks.History", of Keras 3 and of Keras 2, if loaded."""
    modules = (keras, sys.modules.get("tf_keras"))
    found = [reduce(lambda thing, n: getattr(thing, n, None), path.split("."), m) for m in modules]
    return tuple(kind for kind in found if isinstance(kind, type))


class Keras3:
    """How a model of Keras 3 is driven."""

    updates = "apply"  # the optimizer's method that a step updates the weights with
    # What the model's attributes are called.
    _compiled, _strategy, _inputs = "compiled", "_distribute_strategy", "_inputs_struct"
    _outputs = "_outputs_struct"
    # Whether a group of steps that is not full counts as a full one in the number of its hook.
    full_groups = True
    builds_metrics = True  # by `build`; else a trace makes them

    def __init__(self, model: KerasModel) -> None:
        self.model = model
        self._private: Any = model  # with the attributes that this version alone has

    @property
    def backend(self) -> Backend:
        """What the model computes with; an `ArgumentError` where that is not supported."""
        return running()

    @property
    def compiled(self) -> bool:
        """Whether it was compiled."""
        return bool(getattr(self.model, self._compiled))

    def function(self, mode: str) -> Any:
        """What Keras's own `fit`, `evaluate` or `predict` calls; `None` where it is to be made.

        Keras drops it in `compile()`, in `quantize()`, and wherever else its steps may change.
        """
        return getattr(self.model, f"{mode}_function", None)

    def made_function(self, mode: str) -> Any:
        """The same, made by Keras where it has to be, as by `fit`; which traces nothing."""
        if self.function(mode) is None:
            self._make_function(mode)
        return self.function(mode)

    def _make_function(self, mode: str) -> None:
        getattr(self.model, f"make_{mode}_function")()
        function = self.function(mode)
        if mode == "train" and hasattr(function, "function_spec"):
            # Of old versions: TensorBoard would look in it for a graph, which Keras has not traced.
            setattr(self.model, f"{mode}_function", partial(function))

    @property
    def freezable(self) -> list[Freezable]:
        """What has an attribute `trainable`: layers, outer ones first, and then variables."""
        return [*self._private._flatten_layers(), *self.model.variables]

    @property
    def compiled_trainability(self) -> Trainability | None:
        """What was trainable when the model was compiled, where that counts."""
        return None

    @property
    def traced_trainability(self) -> Trainability | None:
        """What was trainable when Keras's own `fit` traced its step, where it has traced it."""
        if self.has_own_step("train"):  # which may have optimizers of its own
            return None
        return when_keras_traced(self.model, self.function("train"), self.freezable)

    @property
    def optimizers(self) -> list[Optimizer]:
        """What it was compiled with, where it was."""
        optimizer = getattr(self.model, "optimizer", None)
        return [] if optimizer is None else [optimizer]

    def update(self, optimizer: Optimizer, waiting: Waiting) -> Callable[..., Any]:
        """The optimizer's method `updates`, with gradients that wait."""
        apply = getattr(optimizer, self.updates)

        def apply_held(
            grads: Iterable[Shaped | None], trainable_variables: list[Variable] | None = None
        ) -> Any:
            with waiting(list(grads)) as held:
                return apply(held, trainable_variables)

        return apply_held

    def regardless(self, optimizer: Optimizer) -> list[tuple[Any, str]]:
        """What an update does whatever the gradients: objects, and the names of their methods."""
        inner: Any = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales losses
        # Of gradients that are added up, `iterations` is only a quotient.
        return [(inner._iterations, "assign_add"), (inner, "_apply_weight_decay")]

    @property
    def loss(self) -> Any:
        """What was given as `loss` to `compile`; `None` where nothing was."""
        return getattr(getattr(self.model, "_compile_loss", None), "_user_loss", None)

    @property
    def needs_targets(self) -> bool:
        """Whether `compile` was given a loss, not only `None`."""
        return any(loss is not None for loss in keras.tree.flatten(self.loss))

    def has_own_step(self, mode: str) -> bool:
        """Whether the step of a mode is the model's, not Keras's."""
        step = getattr(self.model, f"{mode}_step")
        package, _, _ = str(getattr(step, "__module__", "")).partition(".")
        return package not in ("keras", "tf_keras")

    def handed_on(self, raw: Any, adapter: Adapter) -> Any:
        """A batch as this Keras's `fit` hands it to a step: lists become tuples."""
        if adapter == "arrays":
            raw = packed(raw, (tuple, list))
        elif adapter == "sequence" and isinstance(raw, np.ndarray):
            raw = (raw,)
        return with_tuples(raw)

    def floatx(self, adapter: Adapter) -> str | None:
        """The type that this Keras's `fit` casts NumPy's floats to, where it does so."""
        return None

    @property
    def strategy(self) -> Any:
        """The strategy that it was made under, or `None`."""
        return getattr(self.model, self._strategy, None)

    @property
    def entered_strategy(self) -> Any:
        """The strategy that its steps run under; `None` where the backend has none."""
        return getattr(self.model, "distribute_strategy", None)

    @property
    def replicas(self) -> Replicas | None:
        """The replicas that it was made for, where there are several.

        An `ArgumentError` where such replicas are not served.
        """
        return self.backend.replicas(self.strategy)

    @property
    def steps_per_execution(self) -> int:
        """Steps between two hooks."""
        return int(getattr(self.model, "steps_per_execution", 1) or 1)

    @property
    def named_inputs(self) -> Nested:
        """The inputs as they were given when the model was made: a dict where they have names."""
        return getattr(self.model, self._inputs, None)

    @property
    def outputs(self) -> Nested:
        """The outputs as they were given when the model was made; `None` where nothing is known."""
        return getattr(self.model, self._outputs, None)

    def build(self, data: Nested, mode: str = "train") -> None:
        """Make the variables that such a batch needs."""
        if mode != "predict":
            self._private._symbolic_build(data_batch=data)
        elif not all(layer.built for layer in self._private._flatten_layers()):
            backend, inputs = keras.src.backend, keras.utils.unpack_x_y_sample_weight(data)[0]
            symbol = lambda v: keras.KerasTensor(v.shape, backend.standardize_dtype(v.dtype))  # noqa: E731
            symbols = keras.tree.map_structure(symbol, inputs)
            backend.compute_output_spec(self.model, symbols, training=False)

    def begin(self, mode: str) -> None:
        """A training, an evaluation or a prediction begins."""
        setattr(self.model, STOPS[mode], False)

    def step(self, mode: str, data: Nested) -> Any:
        """One step of one replica as Python code; an `ArgumentError` where it returns no logs."""
        outputs = getattr(self.model, f"{mode}_step")(data)
        self.check_logs(mode, outputs)
        return outputs

    def run(self, mode: str, data: Nested) -> Any:
        """One step as Python code; an `ArgumentError` where it returns no logs."""
        strategy = self.model.distribute_strategy
        outputs = strategy.run(getattr(self.model, f"{mode}_step"), args=(data,))
        self.check_logs(mode, outputs)
        local = strategy.experimental_local_results
        return keras.tree.map_structure(lambda value: local(value)[0], outputs)

    def check_logs(self, mode: str, outputs: Any) -> None:
        """An `ArgumentError` where a step returned no logs."""
        if mode != "predict" and not isinstance(outputs, Mapping):
            rule = f"The model's {mode}_step() must return a dict of names and values, such as "
            raise ArgumentError(f'{rule}{{"loss": loss}}, not {describe(outputs)}.')

    def first_epoch(self, given: int, steps: int | None) -> int:
        """The epoch to begin with, which a callback may have set."""
        return getattr(self.model, "_initial_epoch", None) or given

    def trained(self) -> AbstractContextManager[None]:
        """Around a training."""
        return nullcontext()

    def plain(self, value: Metric) -> Metric:
        """A metric, or a mapping of metrics, as callbacks get it: Python's numbers, or arrays."""
        if isinstance(value, Mapping):
            return {name: self.plain(part) for name, part in value.items()}
        try:
            return float(value)
        except (TypeError, ValueError, DeprecationWarning):  # of a vector with one element
            tensor = keras.ops.is_tensor(value)
        return self.plain(keras.ops.convert_to_numpy(value)) if tensor else value

    def logs(self, given: Mapping[str, Metric] | None) -> Logs:
        """Logs as callbacks get them: flat, and by name."""
        flat: Logs = {}
        for name, value in sorted((given or {}).items()):
            nested = isinstance(value, Mapping)
            flat.update(self.logs(value) if nested else {name: self.plain(value)})
        return flat


class Keras2(Keras3):
    """How a model of `tf_keras` is driven."""

    updates = "apply_gradients"
    _compiled, _strategy, _inputs = "_is_compiled", "_distribution_strategy", "_nested_inputs"
    _outputs = "_nested_outputs"
    full_groups = False
    builds_metrics = False

    @property
    def backend(self) -> Backend:
        return backend_named("tensorflow")

    @property
    def loss(self) -> Any:
        compiled = getattr(self.model, "compiled_loss", None)
        return getattr(compiled, "_user_losses", None)

    def handed_on(self, raw: Any, adapter: Adapter) -> Any:
        """What is missing is left out, but for the elements of a data set, and of other forms."""
        parts = raw if isinstance(raw, (tuple, list)) else (raw,)
        if adapter != "dataset" and 1 <= len(parts) <= 3:
            raw = packed(parts, tuple)
        return with_tuples(raw)

    def floatx(self, adapter: Adapter) -> str | None:
        return None if adapter == "dataset" else str(sys.modules["tf_keras"].backend.floatx())

    @property
    def optimizers(self) -> list[Optimizer]:
        """What it was compiled with; a list of them is for a model with a step of its own."""
        return [one for one in keras.tree.flatten(self.model.optimizer) if one is not None]

    def update(self, optimizer: Optimizer, waiting: Waiting) -> Callable[..., Any]:
        apply = getattr(optimizer, self.updates)

        def apply_held(
            grads_and_vars: Iterable[tuple[Shaped | None, Variable]], *args: Any, **named: Any
        ) -> Any:
            pairs = list(grads_and_vars)
            with waiting([gradient for gradient, _ in pairs]) as held:
                variables = [variable for _, variable in pairs]
                return apply(list(zip(held, variables, strict=True)), *args, **named)

        return apply_held

    def regardless(self, optimizer: Optimizer) -> list[tuple[Any, str]]:
        inner: Any = getattr(optimizer, "inner_optimizer", optimizer)
        count = (inner.iterations, "assign_add")
        if not hasattr(inner, "_apply_weight_decay"):  # of before 2.11
            return [count]
        return [count, (inner, "_apply_weight_decay")]

    @property
    def replicas(self) -> None:
        strategy = self.strategy
        if strategy is not None and strategy.num_replicas_in_sync > 1:
            raise ArgumentError(
                f"The model was made for {strategy.num_replicas_in_sync} replicas "
                f"({type(strategy).__name__}) with tf_keras (Keras 2), where only one is "
                "supported. Make it with Keras 3, or outside of that scope."
            )

    @property
    def steps_per_execution(self) -> int:
        """Steps between two hooks; it is a variable."""
        given = self._private._steps_per_execution
        return 1 if given is None else int(given.numpy())

    def build(self, data: Nested, mode: str = "train") -> None:
        """Its layers make their variables in the strategy's scope by themselves."""

    def begin(self, mode: str) -> None:
        super().begin(mode)
        self._counter(mode).assign(0)

    def run(self, mode: str, data: Nested) -> Any:
        """One step as Python code; TensorBoard reads the counter."""
        outputs = super().run(mode, data)
        self._counter(mode).assign_add(1)
        return outputs

    def _counter(self, mode: str) -> Any:
        return getattr(self.model, f"_{mode}_counter")

    def first_epoch(self, given: int, steps: int | None) -> int:
        if getattr(self.model, "_training_state", None) is not None:  # of BackupAndRestore
            given, _ = self._private._maybe_load_initial_counters_from_ckpt(steps, given)
        return super().first_epoch(int(given), steps)

    def plain(self, value: Metric) -> Metric:
        from tf_keras.src.utils.tf_utils import sync_to_numpy_or_python_type

        return sync_to_numpy_or_python_type(value)

    def logs(self, given: Mapping[str, Metric] | None) -> Logs:
        """Logs as callbacks get them: as they are."""
        return dict(self.plain(given or {}))

    def _make_function(self, mode: str) -> None:
        made = getattr(self.model, f"make_{mode}_function")()
        setattr(self.model, f"{mode}_function", made)
        if mode == "train":  # TensorBoard looks there for a graph, which Keras has not traced
            self._private.train_tf_function = None

    @property
    def freezable(self) -> list[Freezable]:
        return list(self._private._flatten_layers())

    @property
    def traced_trainability(self) -> Trainability | None:
        return None

    @property
    def compiled_trainability(self) -> Trainability | None:
        return Trainability(self._private._compiled_trainable_state.items())

    @contextmanager
    def trained(self) -> Iterator[None]:
        """Which layers are trainable is what it was when the model was compiled."""
        from tf_keras.src.engine.training_utils import RespectCompiledTrainableState

        try:
            with RespectCompiledTrainableState(self.model):
                yield
        finally:
            function = self.function("train")
            if self._private.train_tf_function is None and hasattr(function, "function_spec"):
                self._private.train_tf_function = function  # as Keras left it


_MODEL = "keras.src.models.model.Model"
# What a callback sets on a model to stop it.
STOPS = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


def keras_version_of(model: KerasModel) -> Keras3:
    """How a model is driven; an `ArgumentTypeError` where it is no Keras model."""
    if isinstance(model, keras.Model):
        return Keras3(model)
    if isinstance(model, classes("Model")):
        return Keras2(model)
    if any(f"{kind.__module__}.{kind.__name__}" == _MODEL for kind in type(model).__mro__):
        raise ArgumentTypeError(
            "The model is of another Keras than the one that was loaded first, as "
            "keras.config.set_backend() loads one: set the variable KERAS_BACKEND instead, before "
            "Keras is loaded."
        )
    raise ArgumentTypeError(
        f"The model must be a keras.Model, or a tf_keras.Model, not {describe(model)}."
    )
