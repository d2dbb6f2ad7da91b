"""What image generators and flows refuse and warn of; see refusals.py."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import numpy as np
from fitgenerator import predict_generator
from fitgenerator.images import ImageDataGenerator, Iterator, NumpyArrayIterator, opencv

from support.broken_pictures import BROKEN
from support.pictures import flat, photos, write, write_classes

Call = Callable[[], object]


def in_folder(call: Callable[[Path], object], **counts: int) -> Call:
    """`call`, given a folder of its own, quietly, with so many pictures of each class in it."""

    def go() -> object:
        keras.config.disable_interactive_logging()
        try:
            with tempfile.TemporaryDirectory() as above:
                folder = Path(above) / "pictures"
                folder.mkdir()
                return call(write_classes(folder, **counts))
        finally:
            keras.config.enable_interactive_logging()

    return go


def generator(**arguments: Any) -> Call:
    """A generator of arguments that are wrong."""
    return lambda: ImageDataGenerator(**arguments)


def preprocessing_by_r(code: str, *, beside: bool = False) -> Call:
    """A batch whose images an R function is to work on, perhaps on another thread."""

    def go() -> object:
        from support.refusals import elsewhere, r_function

        flow = ImageDataGenerator(preprocessing_function=r_function(code)).flow(photos(1, 8, 8))
        return elsewhere(lambda: next(flow)) if beside else next(flow)

    return go


def array(*parts: Any, split: float = 0.0, **arguments: Any) -> Call:
    """A flow over arrays that are wrong."""
    return lambda: ImageDataGenerator(validation_split=split).flow(*parts, **arguments)


def directory(**arguments: Any) -> Call:
    """A flow over a directory, of arguments that are wrong."""
    return in_folder(
        lambda folder: ImageDataGenerator().flow_from_directory(folder, **arguments), cats=2, dogs=1
    )


def frame(split: float = 0.0, **arguments: Any) -> Call:
    """A flow over a data frame that is wrong."""

    def call(folder: Path) -> object:
        names = [f"all/{number:03d}.png" for number in range(3)]
        columns = {"filename": names, "class": ["a", "b", "c"], "n": [1, 2, 3], "m": ["a", 1, 2]}
        given: dict[str, Any] = {"dataframe": columns, "directory": folder, **arguments}
        return ImageDataGenerator(validation_split=split).flow_from_dataframe(**given)

    return in_folder(call, all=3)


def broken(name: str, **arguments: Any) -> Call:
    """The first batch of a directory that has a broken file."""

    def call(folder: Path) -> object:
        (folder / "a" / "000.png").write_bytes(BROKEN[name][0])
        return next(ImageDataGenerator().flow_from_directory(folder, shuffle=False, **arguments))

    return in_folder(call, a=1)


def nothing_left() -> object:
    """A batch of which every file is left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return broken("text", on_error="skip")()


def nothing_in_a_pass(folder: Path) -> object:
    """An evaluation on files none of which can be read."""
    (folder / "a" / "000.png").write_bytes(BROKEN["text"][0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flow = ImageDataGenerator().flow_from_directory(folder, (8, 8), on_error="skip")
        return predict_generator(mean_model(), flow)


def one_left_out(folder: Path) -> object:
    """Predictions for two batches, one of which cannot be read."""
    (folder / "a" / "000.png").write_bytes(BROKEN["text"][0])
    options: dict[str, Any] = {"batch_size": 1, "shuffle": False, "on_error": "skip"}
    flow = ImageDataGenerator().flow_from_directory(folder, (8, 8), **options)
    return predict_generator(mean_model(), flow)


def vanished(folder: Path) -> object:
    """The first batch of a directory whose file is gone."""
    flow = ImageDataGenerator().flow_from_directory(folder)
    (folder / "a" / "000.png").unlink()
    return next(flow)


def not_to_be_listed(folder: Path) -> object:
    """A directory that the user may not look into."""
    error = PermissionError(13, "Permission denied", str(folder))
    with mock.patch.object(os, "listdir", side_effect=error):
        return ImageDataGenerator().flow_from_directory(folder)


def not_to_be_walked(folder: Path) -> object:
    """A class that the user may not look into."""
    error = PermissionError(13, "Permission denied", str(folder / "a"))
    with mock.patch.object(os, "scandir", side_effect=error):
        return ImageDataGenerator().flow_from_directory(folder)


def unlabelled(folder: Path) -> object:
    """Pictures without folders of classes."""
    write(folder / "0.png", flat(0))
    return ImageDataGenerator().flow_from_directory(folder)


def with_gif(folder: Path) -> object:
    """A class with a picture whose format does not count."""
    write(folder / "a" / "0.gif", flat(0))
    return ImageDataGenerator().flow_from_directory(folder)


def too_few_for_validation(folder: Path) -> object:
    """A share of the images that is less than one."""
    return ImageDataGenerator(validation_split=0.1).flow_from_directory(folder, subset="validation")


def without_opencv() -> None:
    """Import the module of what is needed where OpenCV is not installed."""
    spec = importlib.util.spec_from_file_location(
        "fitgenerator.images.needs_again", opencv.__file__
    )
    assert spec is not None
    assert spec.loader is not None
    with mock.patch.dict(sys.modules, {"cv2": None}):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def whitened() -> object:
    """Whiten images of another size."""
    made = ImageDataGenerator(featurewise_center=True, zca_whitening=True)
    made.fit(photos(3, 4, 4))
    return made.standardize(np.ones((5, 5, 3), "float32"))


def mean_model() -> Any:
    """A model that takes images of any size."""
    return keras.Sequential(
        [keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    )


IMAGES: dict[str, Call] = {
    "no OpenCV": without_opencv,
    # the generator
    "a rotation that is no number": generator(rotation_range="90"),
    "a negative epsilon": generator(zca_epsilon=-1),
    "a brightness that is no pair": generator(brightness_range=0.5),
    "a brightness below 0": generator(brightness_range=(-1, 1)),
    "a zoom of more than 1": generator(zoom_range=1.5),
    "shifts in two dimensions": generator(width_shift_range=[[1, 2], [3, 4]]),
    "an unknown fill mode": generator(fill_mode="mirror"),
    "a function that is none": generator(preprocessing_function="rescale"),
    "a function of R that needs more than an image": preprocessing_by_r("function(x, by) x"),
    "a function of R that makes no image": preprocessing_by_r("function(x) x[, 1, ]"),
    "a function of R on another thread": preprocessing_by_r("function(x) x", beside=True),
    "an order of interpolation above 5": generator(interpolation_order=6),
    "an unknown data format": generator(data_format="channels"),
    "a dtype of text": generator(dtype="str"),
    "a validation split of 1": generator(validation_split=1),
    "no fit": lambda: ImageDataGenerator(featurewise_center=True).standardize(photos(1)[0]),
    "a function that changes the shape": lambda: ImageDataGenerator(
        preprocessing_function=lambda image: image[:2]
    ).standardize(photos(1, 8, 8)[0]),
    "a function that makes complex numbers": lambda: ImageDataGenerator(
        preprocessing_function=lambda image: image * 1j
    ).standardize(photos(1, 8, 8)[0]),
    "a function that makes lists of unequal lengths": lambda: ImageDataGenerator(
        preprocessing_function=lambda image: [[1], [1, 2]]
    ).standardize(photos(1, 8, 8)[0]),
    "whitening of another size": whitened,
    "whole numbers to be normalised": lambda: ImageDataGenerator(rescale=0.5).standardize(
        photos(1)[0]
    ),
    "no samples": lambda: ImageDataGenerator().fit(photos(1)[:0]),
    "an image of rank 2": lambda: ImageDataGenerator().random_transform(photos(1)[0, :, :, 0]),
    # arrays
    "images of rank 3": array(photos(1)[0]),
    "images of unequal sizes": array([photos(1, 8, 8)[0], photos(1, 9, 9)[0], [1]]),
    "images of two sizes in a list": lambda: ImageDataGenerator().fit(
        [photos(1, 8, 8)[0], photos(1, 9, 9)[0]]
    ),
    "images that are text": array(np.full((1, 2, 2, 3), "a")),
    "no images": array(photos(2)[:0]),
    "targets of another length": array(photos(3), [1, 2]),
    "a subset of nothing": array(photos(3), split=0.1, subset="validation"),
    "a subset without a split": array(photos(3), subset="validation"),
    "an unknown subset": array(photos(3), subset="test"),
    "classes that only one subset has": array(
        photos(4), [0, 0, 1, 1], split=0.5, subset="training"
    ),
    "a batch that is not there": lambda: ImageDataGenerator().flow(photos(3))[1],
    "a batch size of 0": array(photos(3), batch_size=0),
    "a seed of 2**32": array(photos(3), seed=2**32),
    "a format that nobody writes": array(photos(3), save_to_dir=".", save_format="doc"),
    "a format without transparency": array(
        np.zeros((1, 4, 4, 4)), save_to_dir=".", save_format="jpeg"
    ),
    "a data format that is not the generator's": lambda: NumpyArrayIterator(
        photos(2), None, data_format="channels_first"
    ),
    "a flow of an own class that makes no batch": lambda: next(Iterator(2, 1, False, None)),
    "a folder to save in that is not there": array(photos(3), save_to_dir="/nowhere/pictures"),
    # directories
    "a directory that is no path": lambda: ImageDataGenerator().flow_from_directory(3),
    "a directory that is a file": in_folder(
        lambda folder: ImageDataGenerator().flow_from_directory(folder / "a" / "000.png"), a=1
    ),
    "a directory without classes": in_folder(unlabelled),
    "a validation of nothing": in_folder(too_few_for_validation, a=2),
    "a directory that cannot be listed": in_folder(not_to_be_listed, a=1),
    "a class that cannot be listed": in_folder(not_to_be_walked, a=1),
    "a class that is there twice": directory(classes=["cats", "cats"]),
    "classes that are one name": directory(classes="cats"),
    "an unknown class mode": directory(class_mode="raw"),
    "a target size of one number": directory(target_size=224),
    "an unknown colour mode": directory(color_mode="bgr"),
    "an unknown interpolation": directory(interpolation="cubic"),
    "an unknown on_error": directory(on_error="ignore"),
    # files
    "an empty file": broken("an empty file"),
    "a file that is no image": broken("text"),
    "a batch of which nothing is left": nothing_left,
    "a pass of which nothing is left": in_folder(nothing_in_a_pass, a=1),
    "a truncated file": broken("half a JPEG"),
    "a decompression bomb": broken("a decompression bomb"),
    "a file that is gone": in_folder(vanished, a=1),
    # data frames
    "an argument that is none": frame(y_column="class"),
    "no data frame": frame(dataframe=3),
    "columns of two lengths": frame(dataframe={"filename": ["a.png"], "class": ["a", "b"]}),
    "a column that is not there": frame(y_col="classes"),
    "names that are no text": frame(x_col="n"),
    "classes that are numbers": frame(y_col="n"),
    "a list of classes that is text": frame(classes="a"),
    "three classes for two": frame(class_mode="binary"),
    "one column for several": frame(class_mode="multi_output"),
    "targets that are no numbers": frame(class_mode="raw"),
    "weights that are no numbers": frame(weight_col="m"),
    "rows of no class": frame(classes=["z"]),
    "rows of no class in a subset": frame(0.5, classes=["z"], subset="training"),
}

IMAGE_WARNINGS: dict[str, Call] = {
    "a normalisation that includes another": generator(featurewise_std_normalization=True),
    "images of 2 channels": array(photos(3)[:, :, :, :2]),
    "an argument without effect": frame(sort=True),
    "classes without effect": frame(class_mode=None, classes=["a"]),
    "rows whose files are gone": frame(
        dataframe={"filename": ["all/000.png", "gone.png"], "class": ["a", "b"]}
    ),
    "a batch that is left out": in_folder(one_left_out, a=2),
    "a class that is not there": directory(classes=["cats", "dog"]),
    "pictures of another format": in_folder(with_gif, a=1),
    "a class that has too few images for a part": in_folder(too_few_for_validation, a=10, b=1),
    "a sorted data frame": frame(0.5, subset="training"),
    "predictions of a shuffled flow": lambda: predict_generator(
        mean_model(), ImageDataGenerator().flow(photos(3))
    ),
}
