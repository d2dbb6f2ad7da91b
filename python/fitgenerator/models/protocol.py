"""What the engine uses of the objects of Keras, in either version: their types, for checkers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

Array = np.ndarray[Any, Any]
Metric = Any  # the value of a metric: a number, but a callback may log anything
Logs = dict[str, Metric]


class Shaped(Protocol):
    """An array, a tensor, a variable, or a symbol of a model, of whose lengths some may be open."""

    @property
    def shape(self) -> Any: ...
    @property
    def dtype(self) -> Any: ...


# An array, `None`, or a list, tuple or dict of these, nested: inputs, targets, outputs.
Nested: TypeAlias = "Shaped | Sequence[Nested] | Mapping[str, Nested] | None"


class Variable(Shaped, Protocol):
    """A variable."""

    name: str

    def assign(self, value: Shaped, /) -> object: ...
    def numpy(self) -> Array: ...


class Optimizer(Protocol):
    """An optimizer; how it updates is asked of `keras_versions`."""

    variables: Any  # a list; in old ones of Keras 2 a method


class KerasModel(Protocol):
    """A `keras.Model` or a `tf_keras.Model`."""

    built: bool
    history: Any
    jit_compile: Any
    optimizer: Any
    run_eagerly: bool
    stop_training: bool

    @property
    def compute_loss(self) -> Callable[..., Any]: ...
    @property
    def summary(self) -> Callable[..., object]: ...
    @property
    def distribute_strategy(self) -> Any: ...
    @property
    def trainable_variables(self) -> Sequence[Any]: ...
    @property
    def variables(self) -> Sequence[Any]: ...
    @property
    def metrics(self) -> Sequence[Any]: ...
    @property
    def weights(self) -> Sequence[Any]: ...
    def count_params(self) -> int: ...
    def get_metrics_result(self) -> Logs: ...
    def reset_metrics(self) -> None: ...


class Callback(Protocol):
    """A callback; its hooks are looked for in the object."""

    def set_model(self, model: KerasModel, /) -> object: ...
    def set_params(self, params: Mapping[str, int | None], /) -> object: ...
