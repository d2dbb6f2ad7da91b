"""Train Keras models on batches that a generator yields while the model trains."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .doctor import absent
from .errors import (
    AbandonedThreadWarning,
    ArgumentError,
    ArgumentTypeError,
    BatchError,
    EndedEarlyWarning,
    EndedError,
    FormerArgumentWarning,
    GeneratorTimeoutError,
    ImageError,
    ImageWarning,
    SetupError,
    ShuffledWarning,
)

try:
    from .checkpoint import Checkpoint
    from .flows import flow_from_data
    from .frames import flow_from_chunks, flow_from_frame
    from .history import History, last_history
    from .pipeline import Pipeline
    from .sequence import batch_sequence
    from .timeseries import timeseries_generator
    from .training import evaluate_generator, fit_generator, predict_generator
except ModuleNotFoundError as error:  # the doctor works where Keras or TensorFlow is missing
    _refuse = absent(error)

__version__ = "0.1.0"

__all__ = [
    "AbandonedThreadWarning",
    "ArgumentError",
    "ArgumentTypeError",
    "BatchError",
    "Checkpoint",
    "EndedEarlyWarning",
    "EndedError",
    "FormerArgumentWarning",
    "GeneratorTimeoutError",
    "History",
    "ImageError",
    "ImageWarning",
    "Pipeline",
    "SetupError",
    "ShuffledWarning",
    "batch_sequence",
    "evaluate_generator",
    "fit_generator",
    "flow_from_chunks",
    "flow_from_data",
    "flow_from_frame",
    "last_history",
    "predict_generator",
    "timeseries_generator",
]


if TYPE_CHECKING:
    from . import images as images
else:

    def __getattr__(name: str) -> Any:
        """`fitgenerator.images`, which needs OpenCV, is loaded when it is first asked for."""
        if name == "images":
            return import_module(".images", __name__)
        if "_refuse" in globals():
            _refuse(name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
