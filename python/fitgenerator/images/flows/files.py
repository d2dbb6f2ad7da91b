"""A flow whose images are files, each read when its batch is made."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from ...caller_warnings import warn
from ...errors import ImageError, ImageWarning, Warned, Warns
from .. import arguments
from ..reading.decode import read
from ..reading.resize import FILTERS
from ..reading.target_format import Look
from ..transform.batch_row import fill_row
from .base import Array, Batching, Iterator
from .targets import Targets

if TYPE_CHECKING:
    from ..augmenter import Augmenter

# Endings of the files that count as images, as in Keras.
ENDINGS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
ON_ERROR = ("raise", "skip")
# How the names of the engine's threads begin.
OUR_THREADS = "fitgenerator-"


def look(
    target_size: Any, color_mode: Any, interpolation: Any, keep_aspect_ratio: Any, on_error: Any
) -> Look:
    """How the images are to come out of their files.

    Raises:
        ArgumentError: An argument is not what it must be.
    """
    return Look(
        arguments.size(target_size),
        arguments.one_of(color_mode, "color_mode", arguments.COLOR_MODES),
        arguments.one_of(interpolation, "interpolation", tuple(FILTERS)),
        bool(keep_aspect_ratio),
        arguments.one_of(on_error, "on_error", ON_ERROR),
    )


class FileIterator(Iterator, Warns):
    """Batches of images that are read from files.

    Attributes:
        filenames: The files, as they are named in the directory or the data frame.
        filepaths: Their paths.
        samples: Number of files.
        classes: Each image's class, from 0; missing where there are none.
        class_indices: Name of a class to its number; missing where there are none.
        labels: The classes, or the targets that are not classes.
        sample_weight: Weight of each image, or `None`.
        skipped: Path to reason of the files that were left out (`on_error="skip"`).
    """

    def __init__(
        self,
        paths: list[str],
        generator: Augmenter,
        look: Look,
        batching: Batching,
        targets: Targets | None,
        sample_weight: Array | None = None,
    ) -> None:
        size = look.target_size
        first = generator.data_format == "channels_first"
        shape = (look.channels, *size) if first else (*size, look.channels)
        super().__init__(len(paths), shape, generator, batching)
        self.samples = len(paths)
        self.filepaths = paths
        self.target_size = size
        self.color_mode = look.color_mode
        self.interpolation = look.interpolation
        self.keep_aspect_ratio = look.keep_aspect_ratio
        self.sample_weight = sample_weight
        self.on_error = look.on_error
        self.skipped: dict[str, str] = {}
        self._skipping = threading.Lock()
        self._untold = 0  # files left out that no warning has told of
        self._look = look
        self._targets = targets

    def _label(self, index: int) -> str:
        return self.filepaths[index]

    def _fill(self, row: Array, index: int, parameters: dict[str, Any]) -> bool:
        path = self.filepaths[index]
        try:
            image = read(path, self._look)
        except ImageError as error:
            if self.on_error == "raise":
                raise
            self._skip(path, str(error))
            return False
        fill_row(self.image_data_generator, image, parameters, row)
        return True

    def _skip(self, path: str, why: str) -> None:
        """Note a file that cannot be read; warn, but on a thread of the engine's, which does so."""
        with self._skipping:
            self._untold += path not in self.skipped
            self.skipped[path] = why
        if not threading.current_thread().name.startswith(OUR_THREADS):
            for text, kind in self.take_warnings():
                warn(text, kind)

    def take_warnings(self) -> list[Warned]:
        """What there is to warn of since the last time."""
        with self._skipping:
            untold, self._untold = self._untold, 0
            if not untold:
                return []
            last = next(reversed(self.skipped.values()))
        text = (
            f"{len(self.skipped)} of {self.n} files could not be read and were left out "
            f'(`on_error` = "skip"); `skipped` of the flow has all of them. The last: {last}'
        )
        return [(text, ImageWarning)]

    def _check_left(self, indices: Array) -> None:
        if not len(indices):
            with self._skipping:
                last = next(reversed(self.skipped.values()))
            raise ImageError(
                f"Not one image of a batch could be read; {len(self.skipped)} of {self.n} files "
                f"were left out so far. The last: {last}"
            )

    def _with_targets(self, x: Array, indices: Array) -> Any:
        if self._targets is None:
            return x
        targets = self._targets(x, indices)
        if self.sample_weight is None:
            return x, targets
        return x, targets, np.asarray(self.sample_weight)[indices]
