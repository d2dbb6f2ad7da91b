"""A flow over image files, each of which is read when its batch is made."""

from __future__ import annotations

from typing import Any

from ...errors import ImageError
from ...models.protocol import Array
from ..reading.decode import read
from ..reading.target_format import TargetFormat
from .batch_row import fill_row
from .image_flow import Batching, ImageFlow
from .skipping import Skipping
from .targets import Targets

# Endings of the files that count as images, as in Keras.
ENDINGS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")


class FileIterator(ImageFlow, Skipping):
    """Batches of images that are read from files.

    Attributes:
        filenames: The files, as the directory or the data frame names them.
        filepaths: Their paths.
        samples: Number of files.
        classes: Each image's class, from 0; missing where there are none.
        class_indices: Name of a class to its number; missing where there are none.
        labels: The classes, or the targets that are not classes.
        sample_weight: Weight of each image, or `None`.
        on_error: What to do with a file that cannot be read: "raise" or "skip".
        skipped: Path to reason of the files that were left out (`on_error="skip"`).
    """

    fixed = ImageFlow.fixed | {
        *("samples", "filenames", "directory", "target_size", "color_mode", "interpolation"),
        *("keep_aspect_ratio", "class_mode", "class_indices", "num_classes", "classes", "labels"),
        "on_error",
    }

    def __init__(
        self,
        paths: list[str],
        target_format: TargetFormat,
        batching: Batching,
        targets: Targets | None,
        sample_weight: Array | None = None,
    ) -> None:
        size = target_format.target_size
        first = batching.generator.data_format == "channels_first"
        shape = (target_format.channels, *size) if first else (*size, target_format.channels)
        super().__init__(len(paths), shape, batching)
        Skipping.__init__(self)
        self.samples = len(paths)
        self.filepaths = paths
        self.target_size = size
        self.color_mode = target_format.color_mode
        self.interpolation = target_format.interpolation
        self.keep_aspect_ratio = target_format.keep_aspect_ratio
        self.on_error = target_format.on_error
        self.sample_weight = sample_weight
        self._format = target_format
        self._targets = targets

    def _label(self, index: int) -> str:
        return self.filepaths[index]

    def _fill(self, row: Array, index: int, parameters: dict[str, Any]) -> bool:
        path = self.filepaths[index]
        try:
            image = read(path, self._format)
        except ImageError as error:
            if self.on_error == "raise":
                raise
            self._skip(path, str(error))
            return False
        fill_row(self.image_data_generator, image, parameters, row)
        return True

    def leave_out_batch(self) -> None:
        """Note a batch in whose place the next one comes."""
        self._note_empty()

    def _with_targets(self, x: Array, indices: Array) -> Any:
        self._check_left(indices)
        targets = None if self._targets is None else self._targets(x, indices)
        return self._weighted(x, targets, indices)
