"""Writing the pictures of a batch to a folder, for the user to look at."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Saving:
    """Where the pictures of a flow are written.

    Attributes:
        folder: A folder that exists; `None` if nothing is written.
        prefix: Beginning of the files' names.
        format: A format that Pillow writes: the ending of the names.
    """

    folder: str | None
    prefix: str
    format: str


def saving(save_to_dir: Path | None, save_prefix: str, save_format: str, channels: int) -> Saving:
    """The checked arguments.

    Raises:
        ArgumentError: There is no such folder, or Pillow does not write the format, or not with
            this number of channels.
    """
    if not save_to_dir:
        return Saving(None, "", "")
    name = Image.registered_extensions().get(f".{save_format}".lower())
    if name not in Image.SAVE:
        rule = 'must be a format that Pillow writes, such as "png" or "jpeg", not {value!r}.'
        raise ArgumentError.of("save_format", rule, value=save_format)
    try:
        _picture(np.zeros((1, 1, channels)), "channels_last").save(io.BytesIO(), name)
    except Exception as error:  # Pillow and its plugins raise what they like
        raise ArgumentError.of(
            "save_format",
            "= {value!r} cannot hold images of {channels} channels: {why}.",
            value=save_format,
            channels=channels,
            why=reason(error),
        ) from error
    return Saving(arguments.folder(save_to_dir, "save_to_dir"), str(save_prefix), str(save_format))


def save(
    where: Saving,
    images: Array,
    indices: Array,
    random: np.random.RandomState,
    data_format: str,
) -> None:
    """Write images as `prefix_index_number.format`, with values stretched to 0 to 255."""
    if where.folder is None:
        return
    for image, index in zip(images, indices, strict=True):
        number = random.randint(_LARGEST)
        name = f"{where.prefix}_{index}_{number}.{where.format}"
        path = os.path.join(where.folder, name)
        _picture(image, data_format).save(path)


def _picture(image: Array, data_format: str) -> Any:
    if data_format == "channels_first":
        image = image.transpose(1, 2, 0)
    values = image.astype(np.float64)
    values -= values.min()
    values *= 255 / (values.max() or 1)
    bytes_ = values.astype(np.uint8)
    return Image.fromarray(bytes_[:, :, 0] if bytes_.shape[2] == 1 else bytes_)
