"""The update of a step waits for the step's whole loss: one that fails changes no weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import tensorflow as tf

from ..models.keras_versions import Keras3, Waiting


@contextmanager
def whole_updates(keras_version: Keras3) -> Iterator[None]:
    """Trace a step whose gradients reach the optimizer when the whole loss is there.

    TensorFlow runs what it can: where one output's loss fails, the weights of another output would
    be trained. A step that computes its loss without `compute_loss` waits for all gradients.
    """
    losses: list[Any] = []
    compute_loss = keras_version.model.compute_loss

    def compute_and_keep(*args: Any, **named: Any) -> Any:
        losses.append(compute_loss(*args, **named))
        return losses[-1]

    with ExitStack() as stack:
        stack.enter_context(_instead(keras_version.model, "compute_loss", compute_and_keep))
        for optimizer in keras_version.optimizers:
            with tf.init_scope():  # it may make the variable that counts
                regardless = keras_version.regardless(optimizer)
            update = keras_version.update(optimizer, _waiting(losses, regardless))
            stack.enter_context(_instead(optimizer, keras_version.updates, update))
        yield


def _waiting(losses: list[Any], regardless: list[tuple[Any, str]]) -> Waiting:
    """Has gradients wait, and what an update does regardless of them.

    Not all that the optimizer does: control inputs on all of its operations cost a dense model with
    Adam a tenth of its speed.
    """

    @contextmanager
    def waiting(gradients: list[Any]) -> Iterator[list[Any]]:
        awaited = _awaited(losses, gradients)
        with ExitStack() as stack:
            for thing, name in regardless:
                behind = _behind(awaited, getattr(thing, name))
                stack.enter_context(_instead(thing, name, behind))
            hold = _behind(awaited, tf.identity)
            yield [None if gradient is None else hold(gradient) for gradient in gradients]

    return waiting


def _awaited(losses: list[Any], gradients: list[Any]) -> list[Any]:
    """What an update waits for: the losses, where they were computed in its graph, not in one
    within (a function, a branch or a loop of the model's own step); else the gradients.
    """
    graph = tf.compat.v1.get_default_graph()
    here = [loss for loss in losses if getattr(loss, "graph", None) is graph]
    awaited = here if len(here) == len(losses) else []
    return list(
        tf.nest.flatten(awaited or [g for g in gradients if g is not None], expand_composites=True)
    )


def _behind(awaited: list[Any], method: Callable[..., Any]) -> Callable[..., Any]:
    """The method, whose operations wait."""

    def behind(*args: Any, **named: Any) -> Any:
        with tf.control_dependencies(awaited):
            return method(*args, **named)

    return behind


@contextmanager
def _instead(thing: Any, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """Give one object another method meanwhile."""
    own = vars(thing).get(name)
    vars(thing)[name] = method
    try:
        yield
    finally:
        if own is None:
            del vars(thing)[name]
        else:
            vars(thing)[name] = own
