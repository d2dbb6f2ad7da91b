"""Which checks of values are needed: not those that follow from others.

A small step that XLA compiles has some thirty kernels, and each check adds more. Where these are
many and do not wait for each other, XLA gives some of them to other threads, for longer than they
take.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from .xla_operations import LARGEST, Holds, finite, ordinary

# Their output has the magnitudes of the input.
_VIEWS = frozenset(
    {"Abs", "BroadcastTo", "ExpandDims", "Identity", "Neg", "Reshape", "Squeeze", "Transpose"}
)
_SHIFTS = frozenset({"AddV2", "Sub"})


def needed(checks: Iterable[tuple[Holds, tf.Tensor]]) -> list[tuple[Holds, tf.Tensor]]:
    """The checks from which all of `checks` follow, each once."""
    of_roots = [(h, _root(t) if h in (ordinary, finite) else t) for h, t in checks]
    unique = {(holds, id(tensor)): (holds, tensor) for holds, tensor in of_roots}
    checked = {id(tensor) for holds, tensor in unique.values() if holds is not finite}
    return [(h, t) for h, t in unique.values() if not (_is_known(h, t) or _follows(h, t, checked))]


def _root(tensor: tf.Tensor) -> tf.Tensor:
    while tensor.op.type in _VIEWS:
        tensor = tensor.op.inputs[0]
    return tensor


def _is_known(holds: Holds, tensor: tf.Tensor) -> bool:
    """Constants are checked by nobody; an integer, as a float, is below 2^64."""
    if tensor.op.type == "Const":
        return True
    given = tensor.op.inputs[0].dtype if tensor.op.type == "Cast" else None
    whole = given is not None and (given.is_integer or given.is_bool)
    return whole and holds in (ordinary, finite)


def _follows(holds: Holds, tensor: tf.Tensor, checked: set[int]) -> bool:
    """Whether a sum of this tensor and a constant is checked, and shows what this one is.

    x + 1 is within bounds only where x is, and the square root of 1 - x is finite only where x is.
    Other formulas are not relied on: XLA rewrites the square root of x * x, for example.
    """
    if holds not in (ordinary, finite):
        return False
    for made in tensor.consumers():
        others = [given for given in made.inputs if given is not tensor]
        if made.type not in _SHIFTS or len(others) != 1 or not _is_moderate(others[0]):
            continue
        (total,) = made.outputs
        roots = [op.outputs[0] for op in total.consumers() if op.type == "Sqrt"]
        if id(total) in checked or (holds is finite and any(id(t) in checked for t in roots)):
            return True
    return False


def _is_moderate(tensor: tf.Tensor) -> bool:
    """A constant that hides no other number in a sum."""
    if tensor.op.type != "Const":
        return False
    sizes = np.abs(tf.get_static_value(tensor))
    return bool(sizes.size) and bool((sizes <= LARGEST).all())
