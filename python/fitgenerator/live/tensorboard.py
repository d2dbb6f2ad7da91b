"""The pipeline's figures as scalars, for whoever has TensorBoard's callback."""

from __future__ import annotations

import os
from typing import Any

from ..errors import Warned
from ..models.keras_versions import classes
from ..models.protocol import Logs
from ..reporting.pipeline import Pipeline
from ..reporting.window import Sample, between
from .attended import Attended


def pipeline_scalars(callbacks: list[Any], pipeline: Pipeline) -> list[PipelineScalars]:
    """A callback that writes next to each TensorBoard callback among those of a call."""
    boards = [each for each in callbacks if isinstance(each, classes("callbacks.TensorBoard"))]
    return [PipelineScalars(os.fspath(board.log_dir), pipeline) for board in boards]


class PipelineScalars(Attended):
    """Writes what the pipeline did in each epoch, as the run `pipeline` of a TensorBoard folder."""

    def __init__(self, folder: str, pipeline: Pipeline) -> None:
        super().__init__()
        self._folder = os.path.join(folder, "pipeline")
        self._pipeline = pipeline
        self._writer: Any = None
        self._last = Sample.of(pipeline)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Where the epoch's figures begin."""
        self._last = Sample.of(self._pipeline)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Write the epoch's figures."""
        import tensorflow as tf

        done = between(self._last, Sample.of(self._pipeline), self._pipeline)
        wall = done.wall or 1.0
        shares = ("model_waited", "step", "callbacks", "other", "generator", "generator_waited")
        scalars = {f"share_{name}": getattr(done, name) / wall for name in shares}
        scalars |= {"queue_fill": done.queue_fill, "steps_per_second": done.steps / wall}
        scalars["batches_per_second"] = done.batches / wall
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(self._folder)
        with self._writer.as_default(), tf.summary.record_if(True):
            for name, value in scalars.items():
                tf.summary.scalar(f"pipeline/{name}", value, step=epoch)
        self._writer.flush()

    def close(self, pipeline: Pipeline, error: BaseException | None) -> list[Warned]:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        return []
