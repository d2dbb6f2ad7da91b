"""The targets of a batch of image files, by `class_mode`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...models.protocol import Array

# From the images of a batch and their indices to its targets.
Targets = Callable[[Array, Array], Any]

OF_CLASSES = ("categorical", "binary", "sparse")
DIRECTORY_MODES = (*OF_CLASSES, "input", None)
FRAME_MODES = (*DIRECTORY_MODES, "multi_output", "raw")


def class_targets(
    class_mode: str, classes: Sequence[Any] | Array, count: int, dtype: np.dtype[Any]
) -> Targets:
    """Targets that say which class an image is of.

    Args:
        class_mode: "categorical": of shape `(rows, count)`, 1 at the class, or at each of several;
            else of shape `(rows,)`.
        classes: Each image's class, from 0, or a list of them.
        count: Number of classes.
        dtype: Of the targets.
    """
    if class_mode != "categorical":
        numbers = np.asarray(classes)
        return lambda x, indices: numbers[indices].astype(dtype)

    def one_hot(x: Array, indices: Array) -> Array:
        targets = np.zeros((len(indices), count), dtype)
        for row, index in enumerate(indices):
            targets[row, classes[index]] = 1
        return targets

    return one_hot


def images_themselves(x: Array, indices: Array) -> Array:
    """The images as their own targets."""
    return np.array(x)


def values(arrays: Array | list[Array]) -> Targets:
    """Rows of an array, or of each of several."""
    if isinstance(arrays, list):
        return lambda x, indices: [array[indices] for array in arrays]
    return lambda x, indices: arrays[indices]
