"""What the engine asks of a backend's compiled steps, and what is kept of them on the model.

They live on the model itself, so that they go when it goes. They are dropped when Keras has dropped
its own: whatever makes Keras trace its steps anew (`compile()`, `quantize()`,
`make_train_function(force=True)`), it drops that function or makes another one. What does not, has
no effect on what was traced, in Keras as here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from ..batches.prepared import Batch, Shapes
from ..models.keras_versions import Keras3
from ..models.protocol import Shaped
from ..models.supported import check_function
from ..models.trainability import Trainability

_CACHE = "_fitgenerator_steps"


class ExecutionMode(Enum):
    """How a call runs its batches: one; several in a loop; several in a loop compiled by XLA."""

    STEP = "step"
    LOOP = "loop"
    XLA = "xla"


STEP = ExecutionMode.STEP


class LimitsError(Exception):
    """Values of a call were not within the limits; the call has changed nothing."""


@dataclass(kw_only=True)
class Traced(ABC):
    """A traced function, of one step or of several. Any thread may call it."""

    seconds: float  # how long the tracing took
    proven: bool = False  # it has run

    @abstractmethod
    def __call__(self, *leaves: Shaped) -> Any:
        """Run it on the leaves of a batch; what the last step returned, of predictions all rows.

        Raises:
            LimitsError: XLA may give other values than the step alone; nothing was changed.
        """

    @property
    @abstractmethod
    def unsafe(self) -> str | None:
        """The operation that XLA may give another meaning, where the step has one."""

    def slow_in_loops(self, batch: Batch) -> str | None:
        """Why a loop of such steps on such batches is slower where XLA compiles it, if it is."""
        return None


T = TypeVar("T", bound=Traced)


@dataclass
class Kept(Generic[T]):
    """What was traced of one mode, for as long as Keras keeps its own function of that mode."""

    owner: Any  # Keras's function
    traced: dict[tuple[Any, ...], T] = field(default_factory=dict)
    shapes: dict[tuple[Any, ...], Shapes] = field(default_factory=dict)
    refused: dict[tuple[Any, ...], str] = field(default_factory=dict)
    trainability: Trainability | None = None  # at the first trace, of the mode "train"
    told: list[str] = field(default_factory=list)  # of what was frozen or thawed since


class Steps(ABC, Generic[T]):
    """The compiled steps of one model. `of` keeps them from call to call."""

    # Steps asked for from which on "auto" runs several in a call compiled by XLA: compiling takes
    # as long as they save.
    worth_compiling: int
    calls_function = False  # Keras's function of a mode is called as it is

    def __init__(self, keras_version: Keras3) -> None:
        self._model = keras_version.model
        self._keras_version = keras_version
        self._kept: dict[str, Kept[T]] = {}  # by mode

    @classmethod
    def of(cls, keras_version: Keras3) -> Steps[T]:
        """The steps of a model."""
        model = keras_version.model
        steps = vars(model).get(_CACHE)
        if not isinstance(steps, cls) or steps._model is not model:
            steps = vars(model)[_CACHE] = cls(keras_version)
        return steps

    @property
    def traces(self) -> int:
        """How often the steps that are kept were traced."""
        return sum(len(kept.traced) for kept in self._kept.values())

    @property
    @abstractmethod
    def eager(self) -> bool:
        """Steps run as Python code, on the calling thread: the exception of thread rule 3."""

    @property
    @abstractmethod
    def compiled(self) -> bool:
        """Every step is compiled by XLA, single ones too."""

    @property
    @abstractmethod
    def loops(self) -> bool:
        """Its steps may be put in a loop."""

    @property
    def dispatch_cost(self) -> float:
        """What the dispatch of a single step costs, over that of a step on one device."""
        return 1.0

    def renew(self, mode: str) -> None:
        """Drop what was traced, of any mode, before Keras dropped its own function of that mode.

        Called on the calling thread, before steps of the mode `mode` are found or traced.
        """
        owner = self._keras_version.made_function(mode)
        if not self.calls_function:
            check_function(owner, mode)
        for known, kept in list(self._kept.items()):
            if kept.owner is not self._keras_version.function(known):
                del self._kept[known]
        if mode not in self._kept:
            self._kept[mode] = Kept(owner)

    def refrozen(self) -> list[str]:
        """The names of what was frozen or thawed, to no effect; each time once."""
        return []

    def begin(self, mode: str) -> None:
        """A round of steps begins; for the calling thread."""

    def end(self, mode: str) -> None:
        """A round of steps has ended, without an error."""

    def find(self, mode: str, batch: Batch, execution: ExecutionMode = STEP) -> T | None:
        """The traced function for such a batch, or `None`."""
        kept = self._kept.get(mode)
        return None if kept is None else self._find(kept, batch, execution)

    @abstractmethod
    def _find(self, kept: Kept[T], batch: Batch, execution: ExecutionMode) -> T | None:
        """What was traced for such a batch, among what is kept."""

    @abstractmethod
    def trace(self, mode: str, batch: Batch, execution: ExecutionMode = STEP) -> T:
        """Trace the function for such batches; an error where it cannot be put in a loop.

        Thread rule 3 (traced on the calling thread, executed elsewhere): what is traced may be R
        code. So only the calling thread calls this.
        """

    def refuse(self, mode: str, batch: Batch, execution: ExecutionMode, reason: str) -> None:
        """Remember that such batches cannot be run so."""
        if mode in self._kept:
            self._kept[mode].refused[batch.form.kind, execution] = reason

    def refused(self, mode: str, batch: Batch, execution: ExecutionMode) -> str | None:
        """Why such batches cannot be run so, where they cannot."""
        kept = self._kept.get(mode)
        return None if kept is None else kept.refused.get((batch.form.kind, execution))

    @abstractmethod
    def run_eagerly(self, mode: str, batch: Batch) -> Any:
        """One step as Python code."""
