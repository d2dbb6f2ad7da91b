"""The values of a model's variables: read and written all at once, by our calls and by Keras's.

Keras takes the values out of the variables while it runs, gives their memory away, and puts its own
back at the end. That is right where nothing else runs the model. A generator that predicts with the
model that is being trained would take the training's values, and undo its steps.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
from jax import numpy as jnp

Variables = tuple[Sequence[Any], ...]  # in groups
Values = tuple[list[jax.Array], ...]

_lock = threading.Lock()  # held for microseconds: no thread sees some new values and some old


def read(groups: Variables) -> Values:
    """The values of variables."""
    with _lock:
        return tuple([variable._value for variable in group] for group in groups)


def write(groups: Variables, values: Values, before: Values | None = None) -> None:
    """Give variables their values; only those that still have the values `before`, if given.

    A training may have gone on while a prediction ran, and must not get old values back.
    """
    with _lock:
        for group, new, old in zip(groups, values, before or values, strict=True):
            for variable, value, known in zip(group, new, old, strict=True):
                if before is None or variable._value is known:
                    variable._value = value


@contextmanager
def shared(model: Any) -> Iterator[None]:
    """Context manager: Keras's calls of the model get copies, and put back what they may.

    That is all where they trained, as in a callback; of others, what did not change meanwhile.
    """
    get, sync = model._get_jax_state, model.jax_state_sync
    before = {name: vars(model).get(name) for name in ("_get_jax_state", "jax_state_sync")}
    taken: dict[int, Any] = {}  # the values that were given away

    def get_copies(*, purge_model_variables: bool = False, **asked: bool) -> Any:
        with _lock:
            values = get(**asked)
            taken.update((id(v), v._value) for v in model.non_trainable_variables)
        return jax.tree.map(jnp.copy, values)

    def put_back() -> None:
        state = getattr(model, "_jax_state", None) or {}
        if not model._jax_state_synced and not state.get("optimizer_variables"):
            pairs = zip(
                model.non_trainable_variables,
                state.get("non_trainable_variables") or (),
                strict=False,
            )
            with _lock:
                for variable, value in pairs:
                    if variable._value is taken.get(id(variable)):
                        variable._value = value
            measured = state.get("metrics_variables")
            model._jax_state = {"metrics_variables": measured} if measured else None
        sync()

    vars(model).update(_get_jax_state=get_copies, jax_state_sync=put_back)
    try:
        yield
    finally:  # thread rule 11 (nothing survives the call)
        for name, own in before.items():
            if own is None:
                del vars(model)[name]
            else:
                vars(model)[name] = own
