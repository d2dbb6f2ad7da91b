"""Sample weights of several outputs, as Keras takes them: for each output, in their structure.

Where weights are missing, Keras 3 fails with a `KeyError`, and Keras 2 leaves an output out of the
loss that a list is too short for.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras

from ..errors import BatchError
from ..messages import Message, listed
from ..models.keras_versions import Keras3
from ..models.protocol import Nested
from .structure import Parts


def for_each_output(parts: Parts, keras_version: Keras3) -> Parts:
    """`parts` with weights for each output: `None`, which stands for 1, where none were given.

    Raises:
        BatchError: There are weights for what is no output, or a list is not as long as there are
            outputs.
    """
    weights, outputs = parts.weights, keras_version.outputs
    names = output_names(keras_version)
    if len(names) < 2 or not isinstance(weights, (Mapping, list, tuple)):
        targets = parts.targets
        if outputs is None and isinstance(weights, Mapping) and isinstance(targets, Mapping):
            return parts._replace(weights=dict.fromkeys(targets) | dict(weights))
        return parts
    if not isinstance(weights, Mapping):
        if len(weights) != len(names):
            text = "The batch's sample weights are a list of {given}, and the model has {wanted} "
            text += "outputs: {weigh outputs}, or one array for all of them."
            raise BatchError(Message(text, given=len(weights), wanted=len(names)))
        weights = dict(zip(names, weights, strict=True))
    elif not set(weights) <= set(names):
        came, known = listed(sorted(map(str, weights))), listed(names)
        text = (
            f"The batch's sample weights are named {came}; the model's outputs are named {known}."
        )
        raise BatchError(text)
    found: Nested = {name: weights.get(name) for name in names}
    if not isinstance(outputs, Mapping):
        found = [weights.get(name) for name in names]
    return parts._replace(weights=found)


def output_names(keras_version: Keras3) -> list[str]:
    """What the model's outputs are called; none where they are unknown, or nested."""
    outputs = keras_version.outputs
    if not isinstance(outputs, (Mapping, list, tuple)):
        return []
    if isinstance(outputs, Mapping):
        names = sorted(outputs)  # as keras.tree flattens them
    else:
        names = list(getattr(keras_version.model, "output_names", ()))
    flat = len(set(names)) == len(outputs) == len(keras.tree.flatten(outputs))
    return names if flat else []
