"""What R has to know of a model: what its steps take."""

from __future__ import annotations

from typing import Any

from ...batches import structure
from ...errors import ArgumentTypeError
from ...models.keras_versions import keras_version_of


def batch_form(model: Any, mode: str) -> structure.BatchForm:
    """What the model's step takes in a mode; what is no model is refused later, in words."""
    try:
        return structure.batch_form(keras_version_of(model), mode)
    except ArgumentTypeError:
        return "inputs" if mode == "predict" else "targets"
