"""The compiled steps of a model, of the backend that it computes with."""

from __future__ import annotations

from typing import Any

from ..models.keras_versions import keras_version_of
from ..models.protocol import KerasModel
from .protocol import Steps


def steps_of(model: KerasModel) -> Steps[Any]:
    """The model's steps, kept from call to call."""
    keras_version = keras_version_of(model)
    if keras_version.backend.name == "jax":
        from .jax.compiled_steps import JaxSteps

        return JaxSteps.of(keras_version)
    if keras_version.backend.name == "torch":
        from .torch.eager_steps import TorchSteps

        return TorchSteps.of(keras_version)
    from .tensorflow.compiled_steps import TensorFlowSteps

    return TensorFlowSteps.of(keras_version)
