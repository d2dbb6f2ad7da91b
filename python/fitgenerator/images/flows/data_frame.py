"""A flow over image files that are listed in a data frame."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any

import keras
import numpy as np

from ...caller_warnings import warn
from ...errors import ArgumentError, ArgumentTypeError, ImageWarning
from ...messages import Message, describe, listed
from .. import arguments
from ..arguments import Path
from ..augmenter import Augmenter
from ..reading.target_format import TargetFormat
from . import targets
from .files import ENDINGS, FileIterator
from .image_flow import Batching
from .subsets import part_of, warn_of_lacking
from .table import Names, Table

# Arguments of `flow_from_dataframe` in Keras's first versions.
_GONE = ("drop_duplicates", "has_ext", "sort")


class DataFrameIterator(FileIterator):
    """Batches of the images in a data frame; `ImageDataGenerator.flow_from_dataframe` makes it.

    That method documents the arguments, which are those of Keras's class, and `on_error`.

    Attributes:
        directory: The folder that the names of the files are relative to; may be empty.
        labels: The classes, or the targets that are not classes.
    """

    labels: Any

    def __init__(
        self,
        dataframe: Any,
        directory: Path | None = None,
        image_data_generator: Augmenter | None = None,
        x_col: str = "filename",
        y_col: Names = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Collection[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Path | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
        validate_filenames: bool = True,
        on_error: str = "raise",
    ) -> None:
        target = TargetFormat(target_size, color_mode, interpolation, keep_aspect_ratio, on_error)
        batching = Batching(
            generator=image_data_generator or Augmenter(),
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            data_format=data_format,
            dtype=dtype,
        )
        class_mode = "raw" if class_mode == "other" else class_mode
        table = Table(dataframe, x_col, y_col, weight_col)
        self.directory = arguments.folder(directory, "directory") if directory else ""
        self.class_mode = arguments.one_of(class_mode, "class_mode", targets.FRAME_MODES)
        names = table.files()
        paths = [os.path.join(self.directory, name) for name in names]
        kept = _existing(paths, x_col) if validate_filenames else [*range(len(paths))]
        labels, kept = self._labels_of(table, kept, classes)
        kept = self._part_of(kept, labels, batching)
        self.filenames = [names[row] for row in kept]
        weights = table.weights()
        weights = None if weights is None else weights[kept]
        made = self._targets_of(table, labels, kept, batching.batch_dtype)
        found = [paths[row] for row in kept]
        super().__init__(found, target, batching, made, weights)
        if keras.config.is_interactive_logging_enabled():
            among = f" belonging to {len(self.class_indices)} classes" if labels else ""
            print(f"Found {self.samples} image filenames{among}.")

    def _labels_of(
        self, table: Table, kept: list[int], classes: Collection[str] | None
    ) -> tuple[list[Any], list[int]]:
        """The classes of all rows, where there are classes, and the rows that have one of them."""
        if self.class_mode in targets.OF_CLASSES:
            labels = table.column(table.y_col, "y_col")
            kept, self.class_indices = self._classes_in(labels, kept, classes, table.y_col)
            return labels, kept
        if classes is not None:
            text = "`classes` has no effect with `class_mode` = {mode!r}."
            warn(Message(text, mode=self.class_mode), ImageWarning)
        return [], kept

    def _classes_in(
        self, labels: list[Any], kept: list[int], given: Collection[str] | None, y_col: Names
    ) -> tuple[list[int], dict[str, int]]:
        """The rows that have one of the classes, and each class's number."""
        several = self.class_mode == "categorical"
        kinds = (str, list, tuple) if several else (str,)
        wrong = next((row for row in kept if not isinstance(labels[row], kinds)), None)
        if wrong is not None:
            rule = "= {col!r} must hold {what} for `class_mode` = {mode!r}; row {row!i} has {it}."
            what = "text, or lists of text," if several else "text"
            found = {"mode": self.class_mode, "row": wrong, "it": describe(labels[wrong])}
            raise ArgumentTypeError.of("y_col", rule, col=y_col, what=what, **found)
        if given is not None and (isinstance(given, str) or not hasattr(given, "__iter__")):
            rule = f"must be a list of classes, not {describe(given)}."
            raise ArgumentTypeError.of("classes", rule)
        names = list(dict.fromkeys(str(name) for name in given or ()))
        if not names:
            names = sorted({name for row in kept for name in _each(labels[row])})
        if self.class_mode == "binary" and len(names) != 2:
            rule = f'= "binary" needs 2 classes, not {len(names)}: {listed(names)}.'
            raise ArgumentError.of("class_mode", rule)
        numbers = {name: number for number, name in enumerate(names)}
        return [row for row in kept if any(n in numbers for n in _each(labels[row]))], numbers

    def _part_of(self, kept: list[int], labels: list[Any], batching: Batching) -> list[int]:
        subset = batching.subset
        part = kept[part_of(len(kept), batching.share)]
        if not part:
            where = Message(" in the subset {subset!r}", subset=subset) if subset else ""
            rule = (
                "has 0 images{where}: no row is left whose file is there and whose class is wanted."
            )
            raise ArgumentError.of("dataframe", rule, where=where)
        if labels:
            inside, everywhere = (
                {name for row in rows for name in _each(labels[row])} & self.class_indices.keys()
                for rows in (part, kept)
            )
            why = "The first rows are for validation: shuffle the data frame beforehand."
            warn_of_lacking(subset, inside, everywhere, why)
        return part

    def _targets_of(
        self, table: Table, labels: list[Any], kept: list[int], dtype: np.dtype[Any]
    ) -> targets.Targets | None:
        if self.class_mode in targets.OF_CLASSES:
            self.classes = [self._number(labels[row]) for row in kept]
            self.labels = self.classes
            count = len(self.class_indices)
            return targets.class_targets(self.class_mode, self.classes, count, dtype)
        if self.class_mode in targets.DIRECTORY_MODES:
            self.labels = None
            return targets.class_targets(self.class_mode, [], 0, dtype)
        several = isinstance(table.y_col, (list, tuple))
        if self.class_mode == "multi_output" and not several:
            rule = 'must be a list of columns for `class_mode` = "multi_output", not {value!r}.'
            raise ArgumentTypeError.of("y_col", rule, value=table.y_col)
        names = table.y_col if several else [table.y_col]
        columns = [table.targets(name)[kept] for name in names]
        if self.class_mode == "multi_output":
            self.labels = columns
        else:
            self.labels = np.stack(columns, axis=1) if several else columns[0]
        return targets.values(self.labels)

    def _number(self, label: Names) -> int | list[int]:
        if isinstance(label, str):
            return self.class_indices[label]
        return [self.class_indices[name] for name in label if name in self.class_indices]


def refuse_unknown(given: Collection[str]) -> None:
    """Refuse unknown arguments of `flow_from_dataframe`; warn of those that Keras once had.

    Raises:
        ArgumentTypeError: There has never been an argument of that name.
    """
    for name in given:
        if name not in _GONE:
            raise ArgumentTypeError.of(name, "is no argument of flow_from_dataframe().")
        text = f"`{name}` has no effect, as in Keras; give the data frame the rows that you want."
        warn(text, ImageWarning)


def _existing(paths: list[str], x_col: str) -> list[int]:
    """The rows whose file exists and has the ending of an image; warns about the others."""
    there = [path.lower().endswith(ENDINGS) and os.path.isfile(path) for path in paths]
    if not all(there):
        missing = [path for path, fine in zip(paths, there, strict=True) if not fine]
        text = Message(
            "`x_col` = {col!r}: {missing} of {all} files are not there, or have another ending "
            "than {endings}; their rows are left out: {paths}.",
            col=x_col,
            missing=len(missing),
            all=len(paths),
            endings=", ".join(ENDINGS),
            paths=listed(missing[:4]),
        )
        warn(text, ImageWarning)
    return [row for row, fine in enumerate(there) if fine]


def _each(label: Names) -> Sequence[str]:
    return (label,) if isinstance(label, str) else label
