"""A flow over the images of a directory that has a folder for each class."""

from __future__ import annotations

import os
from collections.abc import Iterator as Endless
from collections.abc import Sequence

import keras
import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from ...messages import describe, listed, reason
from .. import arguments
from ..augmenter import Augmenter
from ..reading.target_format import TargetFormat
from . import targets
from .base import Batching
from .files import ENDINGS, FileIterator
from .subsets import part_of, share_of


class DirectoryIterator(FileIterator):
    """Batches of the images in a directory; `ImageDataGenerator.flow_from_directory` makes it.

    Attributes:
        directory: The directory.
        num_classes: Number of classes.
    """

    def __init__(
        self,
        directory: arguments.Path,
        generator: Augmenter,
        target_format: TargetFormat,
        batching: Batching,
        classes: Sequence[str] | None,
        class_mode: str | None,
        follow_links: bool,
    ) -> None:
        self.directory = arguments.folder(directory, "directory")
        self.class_mode = arguments.one_of(class_mode, "class_mode", targets.DIRECTORY_MODES)
        names = _classes(self.directory, classes)
        share = share_of(generator.validation_split, batching.subset)
        of_class = [_images_in(self.directory, name, bool(follow_links)) for name in names]
        found = [files[part_of(len(files), share)] for files in of_class]
        self.filenames = [file for files in found for file in files]
        if not self.filenames:
            raise _empty(self.directory, names, batching.subset)
        self.class_indices = {name: label for label, name in enumerate(names)}
        self.num_classes = len(names)
        labels = np.repeat(np.arange(len(names), dtype=np.int32), [*map(len, found)])
        self.classes = self.labels = labels
        super().__init__(
            [os.path.join(self.directory, name) for name in self.filenames],
            generator,
            target_format,
            batching,
            targets.class_targets(self.class_mode, self.classes, self.num_classes, generator.dtype),
        )
        if keras.config.is_interactive_logging_enabled():
            print(f"Found {self.samples} images belonging to {self.num_classes} classes.")


def _classes(directory: str, given: Sequence[str] | None) -> list[str]:
    """The folders that are classes: the given names, or else all folders in alphabetical order."""
    try:
        entries = sorted(os.listdir(directory))
    except OSError as error:
        rule = f"must be a folder that can be read; {directory}: {reason(error)}."
        raise ArgumentError.of("directory", rule) from error
    there = [name for name in entries if os.path.isdir(os.path.join(directory, name))]
    if given is None or (isinstance(given, (list, tuple)) and not given):
        return there
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        rule = f"must be a list of names of folders, not {describe(given)}."
        raise ArgumentTypeError.of("classes", rule)
    names = [str(name) for name in given]
    if len(set(names)) < len(names):
        raise ArgumentError.of("classes", f"must name each class once: {listed(names)}.")
    for name in names:
        if not os.path.isdir(os.path.join(directory, name)):
            rule = "names {name!r}, and {directory} has no such folder; it has {there}."
            folders = listed(there) or "no folders"
            raise ArgumentError.of("classes", rule, name=name, directory=directory, there=folders)
    return names


def _images_in(directory: str, name: str, follow_links: bool) -> list[str]:
    """The image files of one class and of the folders in it, sorted, relative to `directory`."""
    top = os.path.join(directory, name)
    return [
        os.path.normpath(os.path.join(name, os.path.relpath(folder, top), file))
        for folder, files in sorted(_folders(top, follow_links))
        for file in sorted(files)
        if file.lower().endswith(ENDINGS)
    ]


def _folders(top: str, follow_links: bool) -> Endless[tuple[str, list[str]]]:
    """Every folder from `top` down with its files; links that lead back up are not followed."""

    def refuse(error: OSError) -> None:
        rule = f"must be a folder that can be read; {error.filename}: {error.strerror}."
        raise ArgumentError.of("directory", rule) from error

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


def _empty(directory: str, names: list[str], subset: str | None) -> ArgumentError:
    if subset is not None and names:
        rule = (
            "= {subset!r} has 0 images: `validation_split` leaves none of those in {directory} to "
            "it."
        )
        return ArgumentError.of("subset", rule, subset=subset, directory=directory)
    there = f"its folders are {listed(names)}" if names else "it has no folders"
    endings = ", ".join(ENDINGS)
    rule = (
        "has 0 images ({endings}) in {directory}; {there}. It must have a folder of images for "
        "each class, such as cats/1.jpg and dogs/1.jpg. For images without classes in the "
        "directory itself, give `classes` = {the directory itself} and `class_mode` = {None}."
    )
    return ArgumentError.of("directory", rule, endings=endings, directory=directory, there=there)
