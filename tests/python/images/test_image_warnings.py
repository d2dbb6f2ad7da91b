"""What makes a flow other than its user may expect is said: classes and files that are left out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fitgenerator import ArgumentError, ImageWarning
from fitgenerator.images import ImageDataGenerator
from fitgenerator.r.reticulate import images as seam
from support.pictures import both, flat, photos, write, write_classes

pytestmark = pytest.mark.usefixtures("quietly")

SMALL: dict[str, Any] = {"target_size": (8, 8), "shuffle": False, "class_mode": "sparse"}


def labels_of(flow: Any) -> list[int]:
    """The classes of all images of a flow."""
    return [int(label) for _ in range(len(flow)) for label in next(flow)[1]]


# -- folders ------------------------------------------------------------------------------------


def test_T28_a_class_without_a_folder_has_no_images_as_in_keras(tmp_path: Path) -> None:
    write_classes(tmp_path, cats=2, dogs=3)
    theirs, ours = both()
    names = ["cats", "birds", "dogs"]
    wanted = theirs.flow_from_directory(tmp_path, classes=names, **SMALL)
    told = r"`classes` names 'birds', for which .* has no folder; it has cats, dogs\."
    with pytest.warns(ImageWarning, match=told):
        flow = ours.flow_from_directory(tmp_path, classes=names, **SMALL)
    assert flow.class_indices == wanted.class_indices == {"cats": 0, "birds": 1, "dogs": 2}
    assert labels_of(flow) == labels_of(wanted) == [0, 0, 2, 2, 2]
    with pytest.raises(ArgumentError, match="has 0 images"):
        ours.flow_from_directory(tmp_path, classes=["birds"], **SMALL)


@pytest.mark.parametrize("ending", ["gif", "webp", "pgm"])
def test_T28_pictures_of_other_formats_are_left_out_as_in_keras(
    tmp_path: Path, ending: str
) -> None:
    write_classes(tmp_path, cats=2)
    write(tmp_path / "dogs" / f"a.{ending.upper()}", flat(9), "L")
    (tmp_path / "cats" / "notes.txt").write_text("no picture")
    theirs, ours = both()
    wanted = theirs.flow_from_directory(tmp_path, **SMALL)
    told = rf"Only png, jpg.* count as images: 1 of 4 files in .* left out \(dogs.a\.{ending}\)"
    with pytest.warns(ImageWarning, match=f"(?i){told}"):
        flow = ours.flow_from_directory(tmp_path, **SMALL)
    assert flow.class_indices == wanted.class_indices == {"cats": 0, "dogs": 1}
    assert labels_of(flow) == labels_of(wanted) == [0, 0]
    with pytest.raises(ArgumentError, match=r"has 0 images \(png, jpg"):
        ours.flow_from_directory(tmp_path, classes=["dogs"], **SMALL)


def test_T28_other_files_in_a_folder_are_left_out_in_silence(tmp_path: Path) -> None:
    write_classes(tmp_path, cats=2)
    documents = ("a.pdf", "a.ps", "a.eps", "a.h5", "a.hdf", "a.mpg", "a.fits", "a.grib")
    for name in ("notes.txt", "Thumbs.db", ".DS_Store", "gif", *documents):
        (tmp_path / "cats" / name).write_text("no picture")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ImageDataGenerator().flow_from_directory(tmp_path, **SMALL).n == 2


# -- subsets ------------------------------------------------------------------------------------


def frame_flow(folder: Path, labels: list[Any], subset: str | None, mode: str = "sparse") -> Any:
    """A flow over pictures with these labels, of which a fifth is for validation."""
    names = [f"all/{number:03d}.png" for number in range(len(labels))]
    frame = {"filename": names, "class": labels}
    generator = ImageDataGenerator(validation_split=0.2)
    given = {**SMALL, "class_mode": mode}
    return generator.flow_from_dataframe(frame, folder, subset=subset, **given)


def test_T28_a_part_of_a_data_frame_that_lacks_classes_names_them(tmp_path: Path) -> None:
    write_classes(tmp_path, all=10)
    told = r"'validation' has no images of classes that the other part has: 'b', 'c'\. The first"
    ordered = ["a"] * 3 + ["b"] * 3 + ["c"] * 4
    with pytest.warns(ImageWarning, match=told):
        flow = frame_flow(tmp_path, ordered, "validation")
    assert labels_of(flow) == [0, 0]
    with pytest.warns(ImageWarning, match="'training' has no images of .*: 'a'"):
        frame_flow(tmp_path, ["a", "a", *"bbbbcccc"], "training")
    several = [["a", "b"], "c", *"abcabcab"]
    mixed = [*"abcabcabcc"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame_flow(tmp_path, ordered, None)
        frame_flow(tmp_path, ordered, "training")
        frame_flow(tmp_path, mixed, "training")
        frame_flow(tmp_path, several, "validation", "categorical")


def test_T28_a_part_of_a_directory_that_lacks_a_class_names_it(tmp_path: Path) -> None:
    write_classes(tmp_path, cats=10, dogs=3)
    generator = ImageDataGenerator(validation_split=0.2)
    with pytest.warns(ImageWarning, match=r"'validation' has no images of .*: 'dogs'\. Each class"):
        flow = generator.flow_from_directory(tmp_path, subset="validation", **SMALL)
    assert labels_of(flow) == [0, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generator.flow_from_directory(tmp_path, subset="training", **SMALL)


# -- what a preprocessing function returns ------------------------------------------------------

RESULTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "complex": (lambda x: x + 1j, r"an array of shape \(8, 8, 3\) and the dtype complex64"),
    "text": (lambda x: x.astype(str), r"an array of shape \(8, 8, 3\) and the dtype str"),
    "a batch": (lambda x: x[None], r"an array of shape \(1, 8, 8, 3\) and the dtype float32"),
    "a list": (lambda x: x[:2].tolist(), r"a list of length 2 .*, with the shape \(2, 8, 3\)"),
    "lists of unequal lengths": (lambda x: [[1], [1, 2]], r"a list of length 2 \(a list of"),
    "nothing": (lambda x: None, r"None, with the shape \(\) and the dtype object"),
    "objects": (lambda x: x.astype(object), r"an array of shape \(8, 8, 3\) and the dtype object"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_T28_what_is_no_image_is_told_by_shape_and_dtype(name: str) -> None:
    function, told = RESULTS[name]
    flow = ImageDataGenerator(preprocessing_function=function).flow(photos(2, 8, 8))
    rule = (
        r"must return an image of the shape that it was given, \(8, 8, 3\), of real numbers, not "
    )
    with pytest.raises(ArgumentError, match=rule + told):
        next(flow)


def test_T28_lists_of_the_right_shape_are_images() -> None:
    function = ImageDataGenerator(preprocessing_function=lambda x: (x * 2).tolist())
    np.testing.assert_array_equal(
        next(function.flow(photos(2, 8, 8), shuffle=False)), photos(2, 8, 8) * 2.0
    )


# -- flows that R makes -------------------------------------------------------------------------


def test_T28_a_flow_that_r_made_says_what_next_raises_in_rs_words() -> None:
    generator = ImageDataGenerator(featurewise_center=True)
    arguments = {"x": photos(2, 8, 8), "batch_size": 2}
    flow = seam.flow("flow", generator, arguments)["value"]
    with pytest.raises(ArgumentError, match=r"call fit_image_data_generator\(generator, images\)"):
        next(flow)
    with pytest.raises(ArgumentError, match=r"call generator\.fit\(images\)"):
        next(generator.flow(photos(2, 8, 8)))
