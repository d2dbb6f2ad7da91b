"""The update of a step waits for the step's whole loss: one that fails changes no weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ParamSpec, TypeVar

import tensorflow as tf

from ...models.keras_versions import Gradients, Keras3, Waiting

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def whole_updates(keras_version: Keras3) -> Iterator[None]:
    """Context manager: a step traced in it gives its gradients to the optimizer after its loss.

    TensorFlow runs what it can: where one output's loss fails, the weights of another output would
    be trained. A step that computes its loss without `compute_loss` waits for all gradients.
    """
    losses: list[Any] = []
    model = keras_version.model
    compute_loss = model.compute_loss

    def compute_and_keep(*args: Any, **named: Any) -> Any:
        losses.append(compute_loss(*args, **named))
        return losses[-1]

    with ExitStack() as stack:
        stack.enter_context(instead(model, "compute_loss", compute_and_keep))
        for optimizer in keras_version.optimizers:
            with tf.init_scope():  # it may make the variable that counts
                regardless = keras_version.regardless(optimizer)
            update = keras_version.update(optimizer, _waiting(losses, regardless))
            stack.enter_context(instead(optimizer, keras_version.updates, update))
        yield


def _waiting(losses: list[Any], regardless: list[tuple[Any, str]]) -> Waiting:
    """Has gradients wait, and what an update does regardless of them.

    Not all that the optimizer does: control inputs on all of its operations cost a dense model with
    Adam a tenth of its speed.
    """

    @contextmanager
    def waiting(gradients: Gradients) -> Iterator[Gradients]:
        awaited = _awaited(losses, gradients)
        with ExitStack() as stack:
            for thing, name in regardless:
                stack.enter_context(instead(thing, name, _after(awaited, getattr(thing, name))))
            hold = _after(awaited, tf.identity)
            yield [None if gradient is None else hold(gradient) for gradient in gradients]

    return waiting


def _awaited(losses: list[Any], gradients: Gradients) -> list[Any]:
    """What an update waits for: the losses, where they were computed in its graph, not in one
    within (a function, a branch or a loop of the model's own step); else the gradients.
    """
    graph = tf.compat.v1.get_default_graph()
    here = [loss for loss in losses if getattr(loss, "graph", None) is graph]
    awaited = here if len(here) == len(losses) else []
    return list(
        tf.nest.flatten(awaited or [g for g in gradients if g is not None], expand_composites=True)
    )


def _after(awaited: list[Any], function: Callable[P, T]) -> Callable[P, T]:
    """The function, whose operations wait."""

    def wait_and_call(*args: P.args, **named: P.kwargs) -> T:
        with tf.control_dependencies(awaited):
            return function(*args, **named)

    return wait_and_call


@contextmanager
def instead(thing: object, name: str, method: Callable[..., Any]) -> Iterator[None]:
    """Context manager: one object has another method."""
    own = vars(thing).get(name)
    vars(thing)[name] = method
    try:
        yield
    finally:  # thread rule 11 (nothing survives the call)
        if own is None:
            del vars(thing)[name]
        else:
            vars(thing)[name] = own
