"""A flow over the images of a directory that has a folder for each class."""

from __future__ import annotations

import os
from collections.abc import Iterator as Endless
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from ...caller_warnings import warn
from ...errors import ArgumentError, ArgumentTypeError, ImageWarning
from ...messages import Message, describe, listed, reason
from .. import arguments
from ..arguments import Path
from ..augmenter import Augmenter
from ..reading.target_format import TargetFormat
from . import targets
from .files import ENDINGS, FileIterator
from .image_flow import Batching
from .subsets import part_of, warn_of_lacking

# Endings of files that hold one picture, but do not count as images.
_OTHER_PICTURES = (
    *(".gif", ".webp", ".avif", ".heic", ".heif", ".jfif", ".jpe", ".jp2", ".j2k"),
    *(".pbm", ".pgm", ".pnm", ".tga", ".ico"),
)


class DirectoryIterator(FileIterator):
    """Batches of the images in a directory; `ImageDataGenerator.flow_from_directory` makes it.

    That method documents the arguments, which are those of Keras's class, and `on_error`.

    Attributes:
        directory: The directory.
        num_classes: Number of classes.
    """

    def __init__(
        self,
        directory: Path,
        image_data_generator: Augmenter | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Path | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
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
        self.directory = arguments.folder(directory, "directory")
        self.class_mode = arguments.one_of(class_mode, "class_mode", targets.DIRECTORY_MODES)
        self._find(_classes(self.directory, classes), batching, bool(follow_links))
        paths = [os.path.join(self.directory, name) for name in self.filenames]
        dtype = batching.batch_dtype
        made = targets.class_targets(self.class_mode, self.classes, self.num_classes, dtype)
        super().__init__(paths, target, batching, made)
        if keras.config.is_interactive_logging_enabled():
            print(f"Found {self.samples} images belonging to {self.num_classes} classes.")

    def _find(self, names: list[str], batching: Batching, follow_links: bool) -> None:
        """Find the files of these classes, and number the classes."""
        files = [_files_in(self.directory, name, follow_links) for name in names]
        of_class = [[file for file in some if file.lower().endswith(ENDINGS)] for some in files]
        found = [images[part_of(len(images), batching.share)] for images in of_class]
        self.filenames = [image for images in found for image in images]
        if not self.filenames:
            raise _empty(self.directory, names, batching.subset)
        _warn_of_missing(self.directory, names)
        _warn_of_endings(self.directory, [file for some in files for file in some])
        inside, everywhere = (
            [name for name, some in zip(names, images, strict=True) if some]
            for images in (found, of_class)
        )
        why = "Each class is split by itself: it needs more images, or another `validation_split`."
        warn_of_lacking(batching.subset, inside, everywhere, why)
        self.class_indices = {name: label for label, name in enumerate(names)}
        self.num_classes = len(names)
        labels = np.repeat(np.arange(len(names), dtype=np.int32), [*map(len, found)])
        self.classes = self.labels = labels


def _classes(directory: str, given: Sequence[str] | None) -> list[str]:
    """The folders that are classes: the given names, or else all folders in alphabetical order."""
    if given is None or (isinstance(given, (list, tuple)) and not given):
        return _folders_in(directory)
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        rule = f"must be a list of names of folders, not {describe(given)}."
        raise ArgumentTypeError.of("classes", rule)
    names = [str(name) for name in given]
    if len(set(names)) < len(names):
        raise ArgumentError.of("classes", f"must name each class once: {listed(names)}.")
    return names


def _folders_in(directory: str) -> list[str]:
    try:
        entries = sorted(os.listdir(directory))
    except OSError as error:
        rule = f"must be a folder that can be read; {directory}: {reason(error)}."
        raise ArgumentError.of("directory", rule) from error
    return [name for name in entries if os.path.isdir(os.path.join(directory, name))]


def _warn_of_missing(directory: str, names: list[str]) -> None:
    """Warn of classes that have no folder."""
    missing = [name for name in names if not os.path.isdir(os.path.join(directory, name))]
    if missing:
        there = listed(_folders_in(directory))
        text = (
            "`classes` names {names!l}, for which {directory} has no folder; it has {there}. Such "
            "a class has no images."
        )
        warn(Message(text, names=missing, directory=directory, there=there), ImageWarning)


def _warn_of_endings(directory: str, files: list[str]) -> None:
    """Warn of pictures whose names end otherwise than Keras's images."""
    left = [file for file in files if file.lower().endswith(_OTHER_PICTURES)]
    if left:
        text = (
            f"Only {', '.join(ENDINGS)} files count as images: {len(left)} of {len(files)} files "
            f"in {directory} are left out ({listed(left, 4)})."
        )
        warn(text, ImageWarning)


def _files_in(directory: str, name: str, follow_links: bool) -> list[str]:
    """The files of one class and of the folders in it, sorted, relative to `directory`."""
    top = os.path.join(directory, name)
    if not os.path.isdir(top):
        return []
    return [
        os.path.normpath(os.path.join(name, os.path.relpath(folder, top), file))
        for folder, files in sorted(_folders(top, follow_links), key=_in_order)
        for file in sorted(files)
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


def _in_order(found: tuple[str, list[str]]) -> str:
    """The same order on every system: with it, a seed's batches."""
    return found[0].replace(os.sep, "/")


def _leads_up(path: str) -> bool:
    target = os.path.realpath(path)  # of junctions, too, which are no links to Python
    here = os.path.realpath(os.path.dirname(path))
    try:
        return os.path.commonpath([target, here]) == target
    except ValueError:  # Windows: on another drive
        return False


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
