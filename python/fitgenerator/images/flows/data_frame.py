"""A flow over image files that are listed in a data frame."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ...caller_warnings import warn
from ...errors import ArgumentError, ArgumentTypeError, ImageWarning
from ...messages import Message, describe, listed
from ...models.protocol import Array
from .. import arguments
from ..arguments import Path
from ..augmenter import Augmenter
from ..reading.target_format import TargetFormat
from . import targets
from .base import Batching
from .files import ENDINGS, FileIterator
from .subsets import part_of, share_of

# Arguments of `flow_from_dataframe` in Keras's first versions.
_GONE = ("drop_duplicates", "has_ext", "sort")
# One name, or several.
Names = str | Sequence[str]


@dataclass(frozen=True)
class Table:
    """A data frame of any package, or a dict of columns, and the names of the columns to use.

    Reading a column raises an `ArgumentTypeError` if there are none, or if its values cannot be
    used, and an `ArgumentError` if there is none of that name.
    """

    frame: Any
    x_col: str
    y_col: Names
    weight_col: str | None

    def column(self, name: Names, argument: str) -> list[Any]:
        """The column that an argument names."""
        frame = self.frame
        names = frame.keys() if hasattr(frame, "keys") else getattr(frame, "columns", None)
        if names is None:
            rule = f"must be a data frame, or a dict of columns, not {describe(frame)}."
            raise ArgumentTypeError.of("dataframe", rule)
        if not isinstance(name, str) or name not in names:
            rule = "must name a column of the data frame, not {name!r}; it has {names}."
            raise ArgumentError.of(argument, rule, name=name, names=listed(names))
        values = frame[name]
        return list(values.to_list() if hasattr(values, "to_list") else values)

    def files(self) -> list[str]:
        """The column of the files' names; a dict must have columns of that length only."""
        names = self.column(self.x_col, "x_col")
        if not all(isinstance(name, str) for name in names):
            rule = "= {col!r} must hold names of files, as text."
            raise ArgumentTypeError.of("x_col", rule, col=self.x_col)
        frame = self.frame
        lengths = {key: len(frame[key]) for key in frame} if isinstance(frame, Mapping) else {}
        if any(length != len(names) for length in lengths.values()):
            raise ArgumentError.of("dataframe", f"must have columns of one length, not {lengths}.")
        return names

    def targets(self, y_col: Names) -> Array:
        """A column of numbers, or of lists of them."""
        values = np.array(self.column(y_col, "y_col"))
        if values.dtype.kind not in "fiub":
            rule = "= {col!r} must hold numbers, or lists of one length, not {dtype} values."
            raise ArgumentTypeError.of("y_col", rule, col=y_col, dtype=values.dtype)
        return values

    def weights(self) -> Array | None:
        """The column of weights, if one is named."""
        if not self.weight_col:
            return None
        weights = np.array(self.column(self.weight_col, "weight_col"))
        if weights.dtype.kind not in "fiu" or weights.ndim != 1:
            rule = "= {col!r} must hold numbers."
            raise ArgumentTypeError.of("weight_col", rule, col=self.weight_col)
        return weights


class DataFrameIterator(FileIterator):
    """Batches of the images in a data frame; `ImageDataGenerator.flow_from_dataframe` makes it.

    Attributes:
        directory: The folder that the names of the files are relative to; may be empty.
        labels: The classes, or the targets that are not classes.
    """

    labels: Any

    def __init__(
        self,
        table: Table,
        generator: Augmenter,
        target_format: TargetFormat,
        batching: Batching,
        directory: Path | None,
        classes: Collection[str] | None,
        class_mode: str | None,
        validate_filenames: bool,
    ) -> None:
        self.directory = arguments.folder(directory, "directory") if directory else ""
        self.class_mode = arguments.one_of(class_mode, "class_mode", targets.FRAME_MODES)
        names = table.files()
        paths = [os.path.join(self.directory, name) for name in names]
        kept = _existing(paths, table.x_col) if validate_filenames else [*range(len(paths))]
        labels: list[Any] = []
        if self.class_mode in targets.OF_CLASSES:
            labels = table.column(table.y_col, "y_col")
            kept, self.class_indices = self._classes_in(labels, kept, classes, table.y_col)
        elif classes is not None:
            text = "`classes` has no effect with `class_mode` = {mode!r}."
            warn(Message(text, mode=self.class_mode), ImageWarning)
        kept = _part_of(kept, generator, batching.subset)
        self.filenames = [names[row] for row in kept]
        weights = table.weights()
        weights = None if weights is None else weights[kept]
        found = [paths[row] for row in kept]
        made = self._targets_of(table, labels, kept, generator.dtype)
        super().__init__(found, generator, target_format, batching, made, weights)
        if keras.config.is_interactive_logging_enabled():
            among = f" belonging to {len(self.class_indices)} classes" if labels else ""
            print(f"Found {self.samples} image filenames{among}.")

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


def _part_of(kept: list[int], generator: Augmenter, subset: str | None) -> list[int]:
    part = kept[part_of(len(kept), share_of(generator.validation_split, subset))]
    if not part:
        where = "" if subset is None else Message(" in the subset {subset!r}", subset=subset)
        rule = "has 0 images{where}: no row is left whose file is there and whose class is wanted."
        raise ArgumentError.of("dataframe", rule, where=where)
    return part


def _each(label: Names) -> Sequence[str]:
    return (label,) if isinstance(label, str) else label
