"""Arguments that `fit_generator` had in earlier versions of Keras, by their names of then.

What has another name now is mapped, with a warning; what counted samples cannot be, and says what
to give instead. Type checkers see today's signature only.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from .caller_warnings import warn
from .errors import ArgumentError, FormerArgumentWarning
from .messages import READ_BY_THREADS, describe

P = ParamSpec("P")
T = TypeVar("T")

_RENAMED = {"nb_epoch": "epochs", "max_q_size": "max_queue_size", "nb_worker": "workers"}
# What counted samples: the argument that counts batches.
_SAMPLES = {
    "samples_per_epoch": "steps_per_epoch",
    "nb_val_samples": "validation_steps",
    "val_samples": "steps",
}
_WITHOUT_EFFECT = {
    "use_multiprocessing": READ_BY_THREADS,
    "pickle_safe": READ_BY_THREADS,
    "shuffle": "batches come in the order of their source, which may shuffle in on_epoch_end()",
}


def accepts_former(function: Callable[P, T]) -> Callable[P, T]:
    """Let `function` be called with the names of former arguments as well."""
    names = tuple(inspect.signature(function).parameters)

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        former = [name for name in kwargs if name not in names]
        if former:
            _translate(kwargs, former, names[: len(args)], names)
        return function(*args, **kwargs)

    return wrapper


def _translate(
    kwargs: dict[str, Any], former: list[str], by_position: tuple[str, ...], names: tuple[str, ...]
) -> None:
    for name in former:
        if name in _SAMPLES:
            today = _SAMPLES[name] if _SAMPLES[name] in names else "steps"
            raise ArgumentError.of(
                name,
                f"counted samples. Give `{today}`, the number of batches: samples "
                f"divided by the rows of a batch, rounded up; not {describe(kwargs[name])}.",
            )
        today = _RENAMED.get(name, "")
        if today in names:
            if today in kwargs or today in by_position:
                raise ArgumentError.of(name, f"is `{today}` now; give one of them, not both.")
            kwargs[today] = kwargs.pop(name)
            warn(f"`{name}` is called `{today}` now.", FormerArgumentWarning)
        elif name in _WITHOUT_EFFECT:
            del kwargs[name]
            warn(f"`{name}` has no effect: {_WITHOUT_EFFECT[name]}.", FormerArgumentWarning)
