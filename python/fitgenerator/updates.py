"""The update of a step waits for the step's whole loss: one that fails changes no weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from .dialects import Keras2, Keras3


@contextmanager
def whole_updates(dialect: Keras3) -> Iterator[None]:
    """Trace a step whose gradients reach the optimizer when the whole loss is there.

    TensorFlow runs what it can: where one output's loss fails, the weights of another output would
    be trained. A step that computes its loss without `compute_loss` waits for all gradients.

    The gradients wait, not what the optimizer does with them: control inputs on all of its
    operations cost a dense model with Adam a tenth of its speed.
    """
    model = dialect.model
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        yield
        return
    compute_loss, apply = model.compute_loss, getattr(optimizer, dialect.updates)
    losses: list[Any] = []

    def compute_and_keep(*args: Any, **named: Any) -> Any:
        losses.append(compute_loss(*args, **named))
        return losses[-1]

    def apply_behind(gradients: Any, variables: Any = None) -> Any:
        gradients = list(gradients)
        awaited = _awaited(losses, gradients)
        if not optimizer.built:
            _build(optimizer, variables)
        if getattr(optimizer, "weight_decay", None):  # weights decay whatever their gradients
            with tf.control_dependencies(awaited):
                return apply(gradients, variables)
        # Of gradients that are added up, `iterations` is only a quotient.
        counter = getattr(optimizer, "inner_optimizer", optimizer)._iterations
        with _instead(counter, "assign_add", _behind(awaited, counter)):
            return apply(_held(gradients, awaited), variables)

    def apply_pairs_behind(pairs: Any, *args: Any, **named: Any) -> Any:  # of Keras 2
        pairs = list(pairs)
        with tf.control_dependencies(_awaited(losses, [g for g, _ in pairs])):
            return apply(pairs, *args, **named)

    behind = apply_pairs_behind if isinstance(dialect, Keras2) else apply_behind
    with (
        _instead(model, "compute_loss", compute_and_keep),
        _instead(optimizer, dialect.updates, behind),
    ):
        yield


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


def _held(gradients: list[Any], awaited: list[Any]) -> list[Any]:
    with tf.control_dependencies(awaited):
        return [None if g is None else tf.identity(g) for g in gradients]


def _build(optimizer: Any, variables: Any) -> None:
    """As `apply` does, but where nothing waits: what makes variables has nothing to wait for."""
    with keras.name_scope(optimizer.name, caller=optimizer):
        optimizer.build(variables)
    optimizer.built = True


def _behind(awaited: list[Any], counter: Any) -> Callable[..., Any]:
    """The counter's `assign_add`, behind what is awaited: the count has no gradient to wait for."""
    add = counter.assign_add

    def add_behind(*args: Any) -> Any:
        with tf.control_dependencies(awaited):
            return add(*args)

    return add_behind


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
