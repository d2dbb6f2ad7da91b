"""What the engine asks of a model, for Keras 3 and for Keras 2 (the package `tf_keras`).

Both have a train, a test and a predict step, metrics and callbacks, under nearly the same names.
What differs is here; `keras_version_of` tells by the model's class. `tf_keras` is never imported:
where there is a model of it, it has been.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import reduce
from typing import Any

import keras

from ..errors import ArgumentTypeError
from ..messages import describe
from .protocol import KerasModel, Logs, Metric, Nested, Optimizer, Shaped, Variable

Gradients = list[Shaped | None]
# Context manager: given raw gradients, yields gradients that depend on the complete loss.
Waiting = Callable[[Gradients], AbstractContextManager[Gradients]]


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
    _parts = ("optimizer", "_compile_loss", "_compile_metrics")
    _logs_by_name = True

    def __init__(self, model: KerasModel) -> None:
        self.model = model
        self._private: Any = model  # with the attributes that this version alone has

    @property
    def compiled(self) -> bool:
        """Whether it was compiled."""
        return bool(getattr(self.model, self._compiled))

    @property
    def parts(self) -> tuple[Any, ...]:
        """What `compile` makes anew."""
        return tuple(getattr(self.model, name, None) for name in self._parts)

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
    def strategy(self) -> Any:
        """The strategy that it was made under, or `None`."""
        return getattr(self.model, self._strategy)

    @property
    def steps_per_execution(self) -> int:
        """Steps between two hooks."""
        return int(getattr(self.model, "steps_per_execution", 1) or 1)

    @property
    def named_inputs(self) -> Nested:
        """The inputs as they were given when the model was made: a dict where they have names."""
        return getattr(self.model, self._inputs, None)

    def build(self, data: Nested) -> None:
        """Make the variables that such a batch needs."""
        self._private._symbolic_build(data_batch=data)

    def begin(self, mode: str) -> None:
        """A training, an evaluation or a prediction begins."""
        setattr(self.model, STOPS[mode], False)

    def run(self, mode: str, data: Nested) -> Any:
        """One step as Python code."""
        strategy = self.model.distribute_strategy
        outputs = strategy.run(getattr(self.model, f"{mode}_step"), args=(data,))
        local = strategy.experimental_local_results
        return keras.tree.map_structure(lambda value: local(value)[0], outputs)

    def first_epoch(self, given: int, steps: int | None) -> int:
        """The epoch to begin with, which a callback may have set."""
        return getattr(self.model, "_initial_epoch", None) or given

    def trained(self) -> AbstractContextManager[None]:
        """Around a training."""
        return nullcontext()

    def logs(self, given: Mapping[str, Metric] | None) -> Logs:
        """Logs as callbacks get them: flat, Python numbers where they are numbers."""
        flat: Logs = {}
        items = (given or {}).items()
        for name, value in sorted(items) if self._logs_by_name else items:
            flat.update(self.logs(value) if isinstance(value, Mapping) else {name: plain(value)})
        return flat


class Keras2(Keras3):
    """How a model of `tf_keras` is driven."""

    updates = "apply_gradients"
    _compiled, _strategy, _inputs = "_is_compiled", "_distribution_strategy", "_nested_inputs"
    _parts = ("optimizer", "compiled_loss", "compiled_metrics")
    _logs_by_name = False

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
    def steps_per_execution(self) -> int:
        """Steps between two hooks; it is a variable."""
        given = self._private._steps_per_execution
        return 1 if given is None else int(given.numpy())

    def build(self, data: Nested) -> None:
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

    @contextmanager
    def trained(self) -> Iterator[None]:
        """Which layers are trainable is what it was when the model was compiled."""
        from tf_keras.src.engine.training_utils import RespectCompiledTrainableState

        with RespectCompiledTrainableState(self.model):
            yield


# What a callback sets on a model to stop it.
STOPS = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


def keras_version_of(model: KerasModel) -> Keras3:
    """How a model is driven; an `ArgumentTypeError` where it is no Keras model."""
    if isinstance(model, keras.Model):
        return Keras3(model)
    if isinstance(model, classes("Model")):
        return Keras2(model)
    raise ArgumentTypeError(
        f"The model must be a keras.Model, or a tf_keras.Model, not {describe(model)}."
    )


def plain(value: Metric) -> Metric:
    """A metric as a Python number, where it is one; a mapping of metrics likewise."""
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    try:
        return float(value)
    except (TypeError, ValueError):
        return value
