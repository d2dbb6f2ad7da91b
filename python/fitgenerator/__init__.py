"""Train Keras models on batches that a generator yields while the model trains."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__
from .doctor import absent
from .errors import (
    AbandonedThreadWarning,
    ArgumentError,
    ArgumentTypeError,
    BatchError,
    CheckpointWarning,
    EndedEarlyWarning,
    EndedError,
    FormerArgumentWarning,
    GeneratorTimeoutError,
    ImageError,
    ImageWarning,
    LiveViewWarning,
    ProcessError,
    SetupError,
    ShuffledWarning,
    StepsWarning,
    Terminated,
    TrainableWarning,
    WorkerError,
    WorkersWarning,
)

try:
    from .api import evaluate_generator, fit_generator, predict_generator
    from .checkpoint.checkpoint import Checkpoint
    from .flows.chunks import ChunkFlow, flow_from_chunks
    from .flows.data import DataFlow, flow_from_data
    from .flows.frames import flow_from_frame
    from .flows.sequence import BatchSequence, batch_sequence
    from .flows.timeseries import TimeseriesFlow, timeseries_generator
    from .live.view import LiveView
    from .reporting.history import History, last_history
    from .reporting.pipeline import Pipeline
    from .sources.shares import Share, share_of

    _shown = [
        *(BatchSequence, Checkpoint, ChunkFlow, DataFlow, History, LiveView, Pipeline),
        *(Share, TimeseriesFlow),
    ]
except Exception as error:  # the doctor works where Keras or TensorFlow does not
    _refuse = absent(error)
    _shown = []

__all__ = [
    "AbandonedThreadWarning",
    "ArgumentError",
    "ArgumentTypeError",
    "BatchError",
    "Checkpoint",
    "CheckpointWarning",
    "EndedEarlyWarning",
    "EndedError",
    "FormerArgumentWarning",
    "GeneratorTimeoutError",
    "History",
    "ImageError",
    "ImageWarning",
    "LiveView",
    "LiveViewWarning",
    "Pipeline",
    "ProcessError",
    "SetupError",
    "ShuffledWarning",
    "StepsWarning",
    "Terminated",
    "TrainableWarning",
    "WorkerError",
    "WorkersWarning",
    "batch_sequence",
    "evaluate_generator",
    "fit_generator",
    "flow_from_chunks",
    "flow_from_data",
    "flow_from_frame",
    "last_history",
    "predict_generator",
    "share_of",
    "timeseries_generator",
]

# Users meet these classes in `repr`, in tracebacks, in pickles and in R's class(): their module is
# the public one, wherever their file lies.
for _kind in [*_shown, *(kind for kind in map(globals().get, __all__) if isinstance(kind, type))]:
    _kind.__module__ = __name__

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
