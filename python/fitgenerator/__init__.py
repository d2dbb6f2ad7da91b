"""Train Keras models on batches that a generator yields while the model trains."""

from .checkpoint import Checkpoint
from .errors import (
    AbandonedThreadWarning,
    ArgumentError,
    ArgumentTypeError,
    BatchError,
    EndedEarlyWarning,
    EndedError,
    GeneratorTimeoutError,
    SetupError,
)
from .history import History, last_history
from .pipeline import Pipeline
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
    "Pipeline",
    "SetupError",
    "evaluate_generator",
    "fit_generator",
    "last_history",
    "predict_generator",
]
