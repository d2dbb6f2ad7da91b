"""What the engine asks of a model, for Keras 3 and for Keras 2 (the package `tf_keras`).

Both have a train, a test and a predict step, metrics and callbacks, under nearly the same names.
What differs is here; `keras_version_of` tells by the model's class. `tf_keras` is never imported:
where there is a model of it, it has been.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import keras

from ..errors import ArgumentTypeError
from ..messages import describe

Logs = dict[str, Any]
# Within it an update may be made, with the gradients that it gives for those that it is given.
Waiting = Callable[[list[Any]], AbstractContextManager[list[Any]]]


def classes(path: str) -> tuple[Any, ...]:
    """The classes with a name such as "callbacks.History", of Keras 3 and of Keras 2, if loaded."""
    found = [_find(module, path) for module in (keras, sys.modules.get("tf_keras"))]
    return tuple(kind for kind in found if isinstance(kind, type))


def _find(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name, None)
    return module


class Keras3:
    """How a model of Keras 3 is driven.

    Args:
        model: The model.
    """

    # The optimizer's method that a step updates the weights with.
    updates = "apply"

    def __init__(self, model: Any) -> None:
        self.model = model

    @property
    def compiled(self) -> bool:
        """Whether it was compiled."""
        return bool(self.model.compiled)

    @property
    def parts(self) -> tuple[Any, ...]:
        """What `compile` makes anew."""
        model = self.model  # only a compiled one has an optimizer
        return (
            getattr(model, "optimizer", None),
            getattr(model, "_compile_loss", None),
            getattr(model, "_compile_metrics", None),
        )

    @property
    def optimizers(self) -> list[Any]:
        """What it was compiled with, where it was."""
        optimizer = getattr(self.model, "optimizer", None)
        return [] if optimizer is None else [optimizer]

    def update(self, optimizer: Any, waiting: Waiting) -> Callable[..., Any]:
        """The optimizer's method `updates`, with gradients that wait."""
        apply = optimizer.apply

        def apply_behind(grads: Any, trainable_variables: Any = None) -> Any:
            with waiting(list(grads)) as held:
                return apply(held, trainable_variables)

        return apply_behind

    def regardless(self, optimizer: Any) -> list[tuple[Any, str]]:
        """What an update does whatever the gradients: objects, and the names of their methods."""
        inner = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales losses
        # Of gradients that are added up, `iterations` is only a quotient.
        return [(inner._iterations, "assign_add"), (inner, "_apply_weight_decay")]

    @property
    def strategy(self) -> Any:
        """The strategy that it was made under, or `None`."""
        return self.model._distribute_strategy

    @property
    def steps_per_execution(self) -> int:
        """Steps between two hooks."""
        return int(getattr(self.model, "steps_per_execution", 1) or 1)

    @property
    def named_inputs(self) -> Any:
        """The inputs as they were given when the model was made: a dict where they have names."""
        return getattr(self.model, "_inputs_struct", None)

    def build(self, data: Any) -> None:
        """Make the variables that such a batch needs."""
        self.model._symbolic_build(data_batch=data)

    def begin(self, mode: str) -> None:
        """A training, an evaluation or a prediction begins."""
        setattr(self.model, STOPS[mode], False)

    def run(self, mode: str, data: Any) -> Any:
        """One step as Python code."""
        strategy = self.model.distribute_strategy
        outputs = strategy.run(getattr(self.model, f"{mode}_step"), args=(data,))
        return keras.tree.map_structure(
            lambda v: strategy.experimental_local_results(v)[0], outputs
        )

    def first_epoch(self, given: int, steps: int | None) -> int:
        """The epoch to begin with, which a callback may have set."""
        return getattr(self.model, "_initial_epoch", None) or given

    def trained(self) -> AbstractContextManager[None]:
        """Around a training."""
        return nullcontext()

    @staticmethod
    def logs(given: Any) -> Logs:
        """Logs as callbacks get them: flat, Python numbers where they are numbers, by name."""
        return _flat(given, by_name=True)


class Keras2(Keras3):
    """How a model of `tf_keras` is driven."""

    updates = "apply_gradients"

    @property
    def compiled(self) -> bool:
        """Whether it was compiled."""
        return bool(self.model._is_compiled)

    @property
    def parts(self) -> tuple[Any, ...]:
        """What `compile` makes anew."""
        names = ("optimizer", "compiled_loss", "compiled_metrics")
        return tuple(getattr(self.model, name, None) for name in names)

    @property
    def optimizers(self) -> list[Any]:
        """What it was compiled with; a list of them is for a model with a step of its own."""
        return [one for one in keras.tree.flatten(self.model.optimizer) if one is not None]

    def update(self, optimizer: Any, waiting: Waiting) -> Callable[..., Any]:
        """The optimizer's method `updates`, with gradients that wait."""
        apply = optimizer.apply_gradients

        def apply_behind(grads_and_vars: Any, *args: Any, **named: Any) -> Any:
            pairs = list(grads_and_vars)
            with waiting([gradient for gradient, _ in pairs]) as held:
                variables = [variable for _, variable in pairs]
                return apply(list(zip(held, variables, strict=True)), *args, **named)

        return apply_behind

    def regardless(self, optimizer: Any) -> list[tuple[Any, str]]:
        """What an update does whatever the gradients: objects, and the names of their methods."""
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        count = (inner.iterations, "assign_add")
        if not hasattr(inner, "_apply_weight_decay"):  # of before 2.11
            return [count]
        return [count, (inner, "_apply_weight_decay")]

    @property
    def strategy(self) -> Any:
        """The strategy that it was made under, or `None`."""
        return self.model._distribution_strategy

    @property
    def steps_per_execution(self) -> int:
        """Steps between two hooks; it is a variable."""
        given = self.model._steps_per_execution
        return 1 if given is None else int(given.numpy())

    @property
    def named_inputs(self) -> Any:
        """The inputs as they were given when the model was made: a dict where they have names."""
        return getattr(self.model, "_nested_inputs", None)

    def build(self, data: Any) -> None:
        """Its layers make their variables in the strategy's scope by themselves."""

    def begin(self, mode: str) -> None:
        """A training, an evaluation or a prediction begins."""
        super().begin(mode)
        self._counter(mode).assign(0)

    def run(self, mode: str, data: Any) -> Any:
        """One step as Python code; TensorBoard reads the counter."""
        outputs = super().run(mode, data)
        self._counter(mode).assign_add(1)
        return outputs

    def _counter(self, mode: str) -> Any:
        return getattr(self.model, f"_{mode}_counter")

    def first_epoch(self, given: int, steps: int | None) -> int:
        """The epoch to begin with, which a callback may have set."""
        if getattr(self.model, "_training_state", None) is not None:  # of BackupAndRestore
            given, _ = self.model._maybe_load_initial_counters_from_ckpt(steps, given)
        return super().first_epoch(int(given), steps)

    @contextmanager
    def trained(self) -> Iterator[None]:
        """Which layers are trainable is what it was when the model was compiled."""
        from tf_keras.src.engine.training_utils import RespectCompiledTrainableState

        with RespectCompiledTrainableState(self.model):
            yield

    @staticmethod
    def logs(given: Any) -> Logs:
        """Logs as callbacks get them: flat, Python numbers where they are numbers."""
        return _flat(given, by_name=False)


# What a callback sets on a model to stop it.
STOPS = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


def keras_version_of(model: Any) -> Keras3:
    """How a model is driven.

    Raises:
        ArgumentTypeError: It is no Keras model.
    """
    if isinstance(model, keras.Model):
        return Keras3(model)
    if isinstance(model, classes("Model")):
        return Keras2(model)
    raise ArgumentTypeError(
        f"The model must be a keras.Model, or a tf_keras.Model, not {describe(model)}."
    )


def _flat(logs: Any, *, by_name: bool) -> Logs:
    flat: Logs = {}
    items = (logs or {}).items()
    for name, value in sorted(items) if by_name else items:
        if isinstance(value, Mapping):
            flat.update(_flat(value, by_name=by_name))
        else:
            flat[name] = _plain(value)
    return flat


def _plain(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value
