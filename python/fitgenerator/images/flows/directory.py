"""A flow over the images of a directory that has a folder for each class."""

from __future__ import annotations

import os
from collections.abc import Iterator as Endless
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from ...messages import describe, listed, reason
from .. import arguments
from ..reading.target_format import Look
from . import targets
from .base import Batching
from .files import ENDINGS, FileIterator
from .subsets import part_of

if TYPE_CHECKING:
    from ..augmenter import Augmenter


class DirectoryIterator(FileIterator):
    """Batches of the images in a directory; `ImageDataGenerator.flow_from_directory` makes it.

    Attributes:
        directory: The directory.
        num_classes: Number of classes.
    """

    def __init__(
        self,
        directory: Any,
        generator: Augmenter,
        look: Look,
        batching: Batching,
        *,
        classes: Any,
        class_mode: Any,
        follow_links: Any,
    ) -> None:
        self.directory = arguments.folder(directory, "directory")
        self.class_mode = arguments.one_of(class_mode, "class_mode", targets.DIRECTORY_MODES)
        names = _classes(self.directory, classes)
        share = part_of(generator, batching.subset)
        found = [
            _share(_images_in(self.directory, name, bool(follow_links)), share) for name in names
        ]
        self.filenames = [file for files in found for file in files]
        if not self.filenames:
            raise _empty(self.directory, names, batching.subset)
        self.class_indices = {name: label for label, name in enumerate(names)}
        self.num_classes = len(names)
        self.classes = np.repeat(np.arange(len(names), dtype=np.int32), [*map(len, found)])
        super().__init__(
            [os.path.join(self.directory, name) for name in self.filenames],
            generator,
            look,
            batching,
            self._targets_of(generator.dtype),
        )
        if keras.config.is_interactive_logging_enabled():
            print(f"Found {self.samples} images belonging to {self.num_classes} classes.")

    @property
    def labels(self) -> Any:
        """The classes."""
        return self.classes

    def _targets_of(self, dtype: np.dtype[Any]) -> targets.Targets | None:
        if self.class_mode is None:
            return None
        if self.class_mode == "input":
            return targets.images_themselves
        return targets.class_targets(self.class_mode, self.classes, self.num_classes, dtype)


def _classes(directory: str, given: Any) -> list[str]:
    """The folders that are classes: those that are named, else all of them in order."""
    try:
        entries = sorted(os.listdir(directory))
    except OSError as error:
        raise ArgumentError.of(
            "directory", f"must be a folder that can be read; {directory}: {reason(error)}."
        ) from error
    there = [name for name in entries if os.path.isdir(os.path.join(directory, name))]
    if given is None or (isinstance(given, (list, tuple)) and not given):
        return there
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise ArgumentTypeError.of(
            "classes", f"must be a list of names of folders, not {describe(given)}."
        )
    names = [str(name) for name in given]
    if len(set(names)) < len(names):
        raise ArgumentError.of("classes", f"must name each class once: {listed(names)}.")
    for name in names:
        if not os.path.isdir(os.path.join(directory, name)):
            raise ArgumentError.of(
                "classes",
                "names {name!r}, and {directory} has no such folder; it has {there}.",
                name=name,
                directory=directory,
                there=listed(there) or "no folders",
            )
    return names


def _images_in(directory: str, name: str, follow_links: bool) -> list[str]:
    """The image files of one class and of the folders in it, sorted, relative to `directory`."""
    top = os.path.join(directory, name)
    found = []
    for folder, files in sorted(_folders(top, follow_links)):
        inner = os.path.relpath(folder, top)
        for file in sorted(files):
            if file.lower().endswith(ENDINGS):
                found.append(os.path.normpath(os.path.join(name, inner, file)))
    return found


def _share(files: list[str], share: tuple[float, float]) -> list[str]:
    begin, end = (int(edge * len(files)) for edge in share)
    return files[begin:end]


def _folders(top: str, follow_links: bool) -> Endless[tuple[str, list[str]]]:
    """Every folder from `top` down with its files; a link that leads back up is not followed."""

    def refuse(error: OSError) -> None:
        raise ArgumentError.of(
            "directory", f"must be a folder that can be read; {error.filename}: {error.strerror}."
        ) from error

    for folder, inner, files in os.walk(top, followlinks=follow_links, onerror=refuse):
        yield folder, files
        if follow_links:
            inner[:] = [name for name in inner if not _leads_up(os.path.join(folder, name))]


def _leads_up(path: str) -> bool:
    if not os.path.islink(path):
        return False
    target = os.path.realpath(path)
    here = os.path.realpath(os.path.dirname(path))
    return os.path.commonpath([target, here]) == target


def _empty(directory: str, names: list[str], subset: Any) -> ArgumentError:
    if subset is not None and names:
        return ArgumentError.of(
            "subset",
            "= {subset!r} has 0 images: `validation_split` leaves none of those in {directory} to "
            "it.",
            subset=subset,
            directory=directory,
        )
    there = f"its folders are {listed(names)}" if names else "it has no folders"
    return ArgumentError.of(
        "directory",
        "has 0 images ({endings}) in {directory}; {there}. It must have a folder of images for "
        "each class, such as cats/1.jpg and dogs/1.jpg. For images without classes in the "
        "directory itself, give `classes` = {the directory itself} and `class_mode` = {None}.",
        endings=", ".join(ENDINGS),
        directory=directory,
        there=there,
    )
