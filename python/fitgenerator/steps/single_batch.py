"""One batch at a time: trained on, evaluated or predicted by the calling thread, for R."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from .. import arguments
from ..batches.model_inputs import lacks_dimension
from ..batches.preparation import Preparer
from ..errors import ErrorContext, locate
from ..models.keras_versions import keras_version_of
from ..models.protocol import KerasModel
from ..models.result_order import arranged, loss_first
from ..models.supported import check_model
from .chosen import steps_of


def run(
    mode: str, model: KerasModel, parts: list[Any], class_weight: Mapping[int, float] | None = None
) -> Any:
    """Loss and metrics of one batch by name; in the mode "predict" the model's outputs as arrays.

    The step is that of `fit_generator`, so batches may change their form from call to call. The
    metrics are of this batch alone. `ArgumentError`: the model cannot be used so; `BatchError`: the
    batch is malformed.
    """
    predicts = mode == "predict"
    keras_version = check_model(keras_version_of(model), mode, foreign=False)
    weights = arguments.class_weights(class_weight)
    batch = Preparer(model, mode, weights, adapter="dataset")(tuple(parts)).ready()
    steps = steps_of(model)
    if not predicts:
        model.reset_metrics()
    try:
        with keras_version.trained():
            steps.renew(mode)
            if steps.eager:
                outputs = steps.run_eagerly(mode, batch)
            else:
                outputs = (steps.find(mode, batch) or steps.trace(mode, batch))(*batch.leaves)
    except Exception as error:
        locate(error, ErrorContext(vector_inputs=lacks_dimension(model, batch)))
        raise
    if predicts:
        return keras_version.backend.arrays(outputs)
    return arranged(keras_version.logs(outputs), loss_first(model, outputs or {}))


def summary(model: KerasModel, width: int, **given: Any) -> str:
    """What the model's `summary` prints, in lines of up to `width` characters."""
    text = io.StringIO()
    model.summary(line_length=width, print_fn=lambda line, **_: text.write(f"{line}\n"), **given)
    return text.getvalue()
