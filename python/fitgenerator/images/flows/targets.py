"""The targets of a batch of image files, by `class_mode`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...models.protocol import Array

# Makes the targets of a batch from its images and their indices.
Targets = Callable[[Array, Array], Any]

OF_CLASSES = ("categorical", "binary", "sparse")
DIRECTORY_MODES = (*OF_CLASSES, "input", None)
FRAME_MODES = (*DIRECTORY_MODES, "multi_output", "raw")


def class_targets(
    class_mode: str | None, classes: Sequence[Any] | Array, count: int, dtype: np.dtype[Any]
) -> Targets | None:
    """Targets that say which class an image is of; or the images themselves, or none.

    Args:
        class_mode: One of `DIRECTORY_MODES`. With "categorical", targets have shape `(rows, count)`
            and are 1 at the class, or at each of several; else they have shape `(rows,)`.
        classes: Each image's class, from 0, or a list of its classes.
        count: Number of classes.
        dtype: Dtype of the targets.
    """
    if class_mode is None:
        return None
    if class_mode == "input":
        return lambda x, indices: np.array(x)
    if class_mode != "categorical":
        numbers = np.asarray(classes)
        return lambda x, indices: numbers[indices].astype(dtype)

    def one_hot(x: Array, indices: Array) -> Array:
        targets = np.zeros((len(indices), count), dtype)
        for row, index in enumerate(indices):
            targets[row, classes[index]] = 1
        return targets

    return one_hot


def values(arrays: Array | list[Array]) -> Targets:
    """Rows of an array, or of each of several."""
    if isinstance(arrays, list):
        return lambda x, indices: [array[indices] for array in arrays]
    return lambda x, indices: arrays[indices]
