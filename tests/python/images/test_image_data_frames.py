"""Flows over the files that a data frame names; beside Keras's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from fitgenerator import ImageWarning
from fitgenerator.images import ImageDataGenerator
from support.pictures import both, greys, write_classes

FILES = [f"{number:03d}.png" for number in range(12)]
CLASSES = ["cat", "dog", "cat"] * 4


pytestmark = pytest.mark.usefixtures("quietly")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 pictures, of grey 0 to 11."""
    return write_classes(tmp_path_factory.mktemp("frames"), all=12) / "all"


def frame(**columns: Any) -> pd.DataFrame:
    """A data frame of the pictures."""
    return pd.DataFrame({"filename": FILES, "class": CLASSES, **columns})


def same(made: Any, wanted: Any) -> bool:
    """Whether two batches are equal."""
    keras.tree.map_structure(np.testing.assert_array_equal, made, wanted)
    return True


MODES: dict[str, dict[str, Any]] = {
    "categorical": {},
    "binary": {"class_mode": "binary"},
    "sparse": {"class_mode": "sparse"},
    "input": {"class_mode": "input"},
    "none": {"class_mode": None},
    "raw": {"class_mode": "raw", "y_col": "a"},
    "raw, two columns": {"class_mode": "raw", "y_col": ["a", "b"]},
    "multi_output": {"class_mode": "multi_output", "y_col": ["a", "b"]},
    "some classes": {"class_mode": "sparse", "classes": ["cat"]},
    "another order": {"classes": ["dog", "cat"]},
    "weights": {"weight_col": "w"},
    "several labels": {"y_col": "tags"},
    "some of several labels": {"y_col": "tags", "classes": ["red", "blue"]},
    "validation": {"subset": "validation", "class_mode": "sparse"},
    "training": {"subset": "training", "weight_col": "w"},
}


@pytest.mark.parametrize("name", MODES)
def test_batches_of_a_data_frame_are_keras_own(folder: Path, name: str) -> None:
    tags = [["red"], ["blue", "red"], ["green"]] * 4
    given = frame(a=np.arange(12), b=np.arange(12) / 2, w=np.arange(12) + 0.5, tags=tags)
    arguments = {"target_size": (8, 8), "batch_size": 5, "seed": 4, **MODES[name]}
    theirs, ours = both(validation_split=0.4)
    wanted = theirs.flow_from_dataframe(given, str(folder), **arguments)
    made = ours.flow_from_dataframe(given, folder, **arguments)
    assert made.filenames == wanted.filenames
    assert getattr(made, "class_indices", None) == getattr(wanted, "class_indices", None)
    for _ in range(4):
        assert same(next(made), next(wanted))


def test_a_dict_of_columns_does_as_well(folder: Path) -> None:
    columns = {"filename": np.array(FILES, object), "class": CLASSES, "w": np.ones(12)}
    flow = ImageDataGenerator().flow_from_dataframe(
        columns, folder, weight_col="w", shuffle=False, batch_size=12, target_size=(8, 8)
    )
    x, y, w = next(flow)
    assert (greys(x), y.shape, w.shape) == (list(range(12)), (12, 2), (12,))


def test_without_a_directory_names_are_paths(folder: Path) -> None:
    given = frame()
    given["filename"] = [str(folder / name) for name in FILES]
    flow = ImageDataGenerator().flow_from_dataframe(given, shuffle=False, target_size=(8, 8))
    assert greys(next(flow)[0]) == list(range(12))


def test_rows_whose_files_are_not_there_are_left_out_with_a_warning(folder: Path) -> None:
    given = frame()
    given.loc[1, "filename"] = "gone.png"
    given.loc[2, "filename"] = "notes.txt"
    with pytest.warns(ImageWarning, match=r"2 of 12 files are .*gone\.png"):
        flow = ImageDataGenerator().flow_from_dataframe(given, folder)
    assert flow.n == 10
    unchecked = ImageDataGenerator().flow_from_dataframe(given, folder, validate_filenames=False)
    assert unchecked.n == 12


def test_the_number_of_images_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras.config.enable_interactive_logging()
    ImageDataGenerator().flow_from_dataframe(frame(), folder)
    assert capsys.readouterr().out == "Found 12 image filenames belonging to 2 classes.\n"
