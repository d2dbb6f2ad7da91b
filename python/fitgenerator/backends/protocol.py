"""What the engine asks of the library that Keras computes with: its tensors, and its threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import keras
import numpy as np

from .forks import check_process

Array = np.ndarray[Any, Any]
Tensor = Any  # of the backend


class Spec(NamedTuple):
    """What is known of the tensor that a leaf becomes."""

    kind: Hashable  # its class, type and rank: other functions take others
    shape: tuple[Any, ...]  # `None` for a length that is open
    itemsize: int | None  # the bytes of a number; `None` where it is sparse or ragged


class Cluster(ABC):
    """The processes, on several machines, that train one model together."""

    index: int  # of this process
    names: tuple[str, ...]  # the addresses of all, in their order: "host:port"

    @abstractmethod
    def publish(self, key: str, value: str) -> None:
        """Let the other processes look up a value, in place of the one before it."""

    @abstractmethod
    def look_up(self, key: str, seconds: float) -> str | None:
        """What a process has published; `None` where nothing came within so many seconds."""

    @abstractmethod
    def lives(self, index: int) -> bool:
        """Whether another process answers."""

    @abstractmethod
    def abort(self, text: str) -> None:
        """End what waits for other processes, with an error; any thread may call it."""

    @abstractmethod
    def is_of_peers(self, error: BaseException) -> bool:
        """Whether an error is of what was computed together: another process may be its cause."""


class Replicas(ABC):
    """The replicas that a model was made for: each takes a part of every batch."""

    cluster: Cluster | None = None  # where they are those of several processes

    @abstractmethod
    def parts(self, leaf: Any, *, stacked: bool) -> Any:
        """A leaf cut by its rows, in order, each part on its replica's device.

        The numbers of rows differ by one at most. In a call of several batches, which are
        `stacked`, the rows are on the second axis. `BatchError`: such a leaf cannot be cut.
        """


class Backend(ABC):
    """A library that Keras computes with. There is one object of each, see `chosen.py`."""

    name: str  # as Keras calls it
    title: str  # as people do
    lacks: frozenset[np.dtype[Any]] = frozenset()  # NumPy's numbers that it has no tensors of
    checks_labels = False  # its steps raise an error where a label is of no class

    # -- tensors, on the thread that fetched the batch (a feeder) --

    @abstractmethod
    def tensor(self, leaf: Any, *, exclusive: bool = False, stacked: bool = False) -> Tensor:
        """An array as a tensor where a step needs it; nobody else has an `exclusive` array.

        One that is `stacked` is of several batches, and has its rows on the second axis.
        """

    @abstractmethod
    def leaf(self, leaf: Any) -> Tensor:
        """A leaf that cannot wait as an array, as a tensor; an error where it has no values."""

    @abstractmethod
    def sparse(self, where: Array, values: Array, shape: tuple[int, ...]) -> Tensor | None:
        """A sparse tensor, of the places in the rows of `where`; `None` where steps take none."""

    @abstractmethod
    def spec(self, leaf: Any) -> Spec:
        """What is known of the tensor that a leaf becomes."""

    @abstractmethod
    def stacked(self, tensors: list[Tensor]) -> Tensor:
        """Tensors on a new first axis."""

    # -- what steps returned --

    def joined(self, outputs: list[Any]) -> Any:
        """The outputs of several batches as one: all their rows, in the model's structure."""
        if len(outputs) == 1:
            return outputs[0]
        return keras.tree.map_structure_up_to(outputs[0], self._concatenated, *outputs)

    @abstractmethod
    def _concatenated(self, *tensors: Tensor) -> Tensor:
        """Tensors on their first axis."""

    def arrays(self, outputs: Any) -> Any:
        """Outputs with arrays for tensors."""
        return keras.tree.map_structure(np.array, outputs)

    # -- threads --

    def check_process(self) -> None:
        """A `SetupError` where it cannot run in this process."""
        if self._ran():
            check_process(self.title, self._try_out)

    @abstractmethod
    def _ran(self) -> bool:
        """Whether it may have started threads."""

    @abstractmethod
    def _try_out(self) -> None:
        """Compute something that needs its threads."""

    @abstractmethod
    def scope(self) -> Callable[[], AbstractContextManager[None]]:
        """The calling thread's scopes, for other threads to enter."""

    @abstractmethod
    def is_tracing(self) -> bool:
        """Whether this thread is tracing a function, in which a tensor is a symbol."""

    def unsupported(self, model: Any) -> str | None:
        """Why the model cannot be run in this session, as the end of a sentence."""
        return None

    def _other_values(self, model: Any, kind: type[Any]) -> str | None:
        """The same where the model's variables are another backend's, and none is a `kind`."""
        values = (getattr(variable, "_value", None) for variable in model.variables)
        other = next((v for v in values if v is not None and not isinstance(v, kind)), None)
        if other is None:
            return None
        name = f"{type(other).__module__.partition('.')[0]}.{type(other).__name__}"
        return f"Keras runs on {self.title}, and the model's variables are a {name}; make it anew"

    def unfit(self, rows: int) -> str | None:
        """Why no step can take a batch of so many rows, as the end of a sentence."""
        return None

    def shared(self, model: Any) -> AbstractContextManager[None]:
        """Around a call of ours: Keras's own calls of the model may run beside it."""
        return nullcontext()

    def variable_scope(self, model: Any) -> AbstractContextManager[Any]:
        """Around what makes variables of the model."""
        return nullcontext()

    def replicas(self, strategy: Any) -> Replicas | None:
        """The replicas of a model's distribution strategy, where there are several.

        An `ArgumentError` for a strategy whose replicas are not served.
        """
        return None

    def traces_on_threads(self, strategy: Any) -> bool:
        """Whether a model's distribution strategy traces on threads of its own."""
        return False
