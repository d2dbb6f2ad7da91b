"""Train Keras models on batches that a generator yields while the model trains."""

from importlib import import_module
from typing import Any

from .checkpoint import Checkpoint
from .errors import (
    AbandonedThreadWarning,
    ArgumentError,
    ArgumentTypeError,
    BatchError,
    EndedEarlyWarning,
    EndedError,
    GeneratorTimeoutError,
    ImageError,
    ImageWarning,
    SetupError,
    ShuffledWarning,
)
from .flows import flow_from_data
from .frames import flow_from_chunks, flow_from_frame
from .history import History, last_history
from .pipeline import Pipeline
from .sequence import batch_sequence
from .timeseries import timeseries_generator
from .training import evaluate_generator, fit_generator, predict_generator

__version__ = "0.1.0"

__all__ = [
    "AbandonedThreadWarning",
    "ArgumentError",
    "ArgumentTypeError",
    "BatchError",
    "Checkpoint",
    "EndedEarlyWarning",
    "EndedError",
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


def __getattr__(name: str) -> Any:
    """`fitgenerator.images`, which needs OpenCV, is loaded when it is first asked for."""
    if name == "images":
        return import_module(".images", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
