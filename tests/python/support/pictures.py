"""Pictures to read and to transform: real photographs, files of every kind, Keras's own class."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
from fitgenerator.images import ImageDataGenerator
from keras.src.legacy.preprocessing import image as legacy
from PIL import Image

from support.tiny_trainings import outputs_alone

Array = np.ndarray[Any, Any]


@cache
def photo(height: int = 96, width: int = 96, number: int = 0) -> Array:
    """A photograph, uint8, of shape `(height, width, 3)`."""
    from sklearn.datasets import load_sample_images

    picture = load_sample_images().images[number % 2]
    shift = 7 * (number // 2) % 100
    part = picture[shift : shift + 320, shift : shift + 320]
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    small.setflags(write=False)
    return small


def photos(count: int, height: int = 24, width: int = 24) -> Array:
    """Several photographs, of shape `(count, height, width, 3)`."""
    return np.stack([photo(height, width, number) for number in range(count)])


def flat(value: int, size: int = 8) -> Array:
    """A picture of one grey."""
    return np.full((size, size, 3), value, np.uint8)


def write(path: Path, picture: Array, mode: str | None = None, **options: Any) -> Path:
    """Write a picture through Pillow, in the format that the path's ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(picture)
    (image if mode is None else image.convert(mode)).save(path, **options)
    return path


def write_classes(folder: Path, **counts: int) -> Path:
    """A directory with a folder for each class; picture k, through all of them, is of grey k."""
    number = 0
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for _ in range(count):
            write(folder / name / f"{number:03d}.png", flat(number))
            number += 1
    return folder


def greys(batch: Any) -> list[int]:
    """Which of the pictures of `write_classes` a batch of images has."""
    return [int(image[0, 0, 0]) for image in batch]


@cache
def mean_model() -> Any:
    """Its output is the mean of an image, its loss that of a batch; it never learns."""
    layers = [keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D()]
    layers.append(keras.layers.Dense(1, use_bias=False, kernel_initializer=one_third))
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.0), outputs_alone)
    return model


def one_third(shape: Any, dtype: Any = None) -> Any:
    """Weights that make a mean of three channels."""
    return keras.ops.full(shape, 1 / 3, dtype)


def both(**arguments: Any) -> tuple[Any, Any]:
    """Keras's class and ours, of the same arguments."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both warn of arguments that include others
        return legacy.ImageDataGenerator(**arguments), ImageDataGenerator(**arguments)


def difference(left: Any, right: Any) -> float:
    """The mean absolute difference of two images."""
    return float(np.abs(np.asarray(left, "float64") - np.asarray(right, "float64")).mean())
