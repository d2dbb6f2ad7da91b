"""Writing the pictures of a batch to a folder, for the user to look at."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from ...errors import ArgumentError
from ...messages import reason
from ...models.protocol import Array
from .. import arguments
from ..arguments import Path
from ..opencv import Image

# The largest random number in a file's name, which tells the passes apart.
_LARGEST = 10**7


class Saving:
    """Writes the pictures of a flow to a folder, if there is one.

    Raises:
        ArgumentError: There is no such folder, or Pillow does not write the format, or not with
            this number of channels.
    """

    def __init__(
        self, save_to_dir: Path | None, save_prefix: str, save_format: str, channels: int
    ) -> None:
        self._folder: str | None = None
        if not save_to_dir:
            return
        name = Image.registered_extensions().get(f".{save_format}".lower())
        if name not in Image.SAVE:
            rule = 'must be a format that Pillow writes, such as "png" or "jpeg", not {value!r}.'
            raise ArgumentError.of("save_format", rule, value=save_format)
        try:
            _picture(np.zeros((1, 1, channels)), "channels_last").save(io.BytesIO(), name)
        except Exception as error:  # Pillow and its plugins raise what they like
            rule = "= {value!r} cannot hold images of {channels} channels: {why}."
            given = {"value": save_format, "channels": channels, "why": reason(error)}
            raise ArgumentError.of("save_format", rule, **given) from error
        self._folder = arguments.folder(save_to_dir, "save_to_dir")
        self._prefix, self._format = str(save_prefix), str(save_format)

    def save(
        self, images: Array, indices: Array, random: np.random.RandomState, data_format: str | None
    ) -> None:
        """Write images as `prefix_index_number.format`, with values stretched to 0 to 255."""
        if self._folder is None:
            return
        for image, index in zip(images, indices, strict=True):
            name = f"{self._prefix}_{index}_{random.randint(_LARGEST)}.{self._format}"
            _picture(image, data_format).save(os.path.join(self._folder, name))


def _picture(image: Array, data_format: str | None) -> Any:
    if data_format == "channels_first":
        image = image.transpose(1, 2, 0)
    values = image.astype(np.float64)
    values -= values.min()
    values *= 255 / (values.max() or 1)
    bytes_ = values.astype(np.uint8)
    return Image.fromarray(bytes_[:, :, 0] if bytes_.shape[2] == 1 else bytes_)
