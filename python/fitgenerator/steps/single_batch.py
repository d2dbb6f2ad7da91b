"""One batch at a time: trained on, evaluated or predicted by the calling thread, for R."""

from __future__ import annotations

import io
from typing import Any

from .. import arguments
from ..batches.model_inputs import lacks_dimension
from ..batches.outputs import as_arrays
from ..batches.preparation import Preparer
from ..errors import ErrorContext, locate
from ..models.keras_versions import dialect_of
from ..models.supported import check_model
from .compiled_steps import Steps


def run(mode: str, model: Any, parts: list[Any], class_weight: Any = None) -> Any:
    """What a step gives on one batch.

    The step is that of `fit_generator`, so batches may change their form from call to call. The
    metrics are of this batch alone.

    Args:
        mode: "train", "test" or "predict".
        model: The model, compiled unless it predicts.
        parts: The batch.
        class_weight: Class to weight.

    Returns:
        The loss and the metrics by name; of "predict" an array, or the model's structure of arrays.

    Raises:
        ArgumentError: The model cannot be used so.
        BatchError: The batch is malformed.
    """
    predicts = mode == "predict"
    dialect = dialect_of(model)
    check_model(dialect, training=not predicts, foreign=False)
    weights = arguments.class_weights(class_weight)
    batch = Preparer(model, weights, predicting=predicts)(tuple(parts)).ready()
    steps = Steps.of(model)
    if not predicts:
        model.reset_metrics()
    try:
        with dialect.trained():
            if steps.eager:
                outputs = steps.run_eagerly(mode, batch.pack())
            else:
                outputs = (steps.find(mode, batch) or steps.trace(mode, batch))(*batch.leaves)
    except Exception as error:
        locate(error, ErrorContext(vector_inputs=lacks_dimension(model, batch)))
        raise
    return as_arrays(outputs) if predicts else dialect.logs(outputs)


def summary(model: Any, width: int, **given: Any) -> str:
    """What the model's `summary` prints, in lines of up to `width` characters."""
    text = io.StringIO()
    model.summary(line_length=width, print_fn=lambda line, **_: text.write(f"{line}\n"), **given)
    return text.getvalue()
