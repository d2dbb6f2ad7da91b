"""The structure in which Keras's `fit` hands a batch on to a step."""

from __future__ import annotations

from typing import Any


def packed(parts: Any, several: type | tuple[type, ...]) -> Any:
    """Inputs, targets and weights as Keras packs them; several inputs remain one part."""
    inputs, targets, weights = [*parts, None, None][:3]
    if targets is None:
        return (inputs,) if isinstance(inputs, several) else inputs
    return (inputs, targets) if weights is None else (inputs, targets, weights)


def with_tuples(structure: Any) -> Any:
    """The same with tuples for lists, as in a `tf.data.Dataset`."""
    if isinstance(structure, list) or type(structure) is tuple:
        return tuple(map(with_tuples, structure))
    if type(structure) is dict:
        return {name: with_tuples(value) for name, value in structure.items()}
    return structure
