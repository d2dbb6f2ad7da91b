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
        awaited = tf.nest.flatten(
            losses or [g for g in gradients if g is not None], expand_composites=True
        )
        with tf.control_dependencies(awaited):
            gradients = [None if g is None else tf.identity(g) for g in gradients]
        if not optimizer.built:
            _build(optimizer, variables)
        if getattr(optimizer, "weight_decay", None):  # weights decay whatever their gradients
            with tf.control_dependencies(awaited):
                return apply(gradients, variables)
        # Of gradients that are added up, `iterations` is only a quotient.
        counter = getattr(optimizer, "inner_optimizer", optimizer)._iterations
        with _instead(counter, "assign_add", _behind(awaited, counter)):
            return apply(gradients, variables)

    def apply_pairs_behind(pairs: Any, *args: Any, **named: Any) -> Any:  # of Keras 2
        pairs = list(pairs)
        gradients = [g for g, _ in pairs if g is not None]
        with tf.control_dependencies(tf.nest.flatten(losses or gradients, expand_composites=True)):
            return apply(pairs, *args, **named)

    with (
        _instead(model, "compute_loss", compute_and_keep),
        _instead(
            optimizer,
            dialect.updates,
            apply_pairs_behind if isinstance(dialect, Keras2) else apply_behind,
        ),
    ):
        yield


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
