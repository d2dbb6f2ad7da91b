"""A file of arrays and one JSON entry: an .npz that is replaced as a whole or not at all.

It is written next to the old one, flushed to the disk, and then renamed: whoever looks, and
whatever kills the process, the path names the old file or the new one. Nothing is pickled.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from ..errors import ArgumentError, ArgumentTypeError
from ..messages import describe
from ..models.protocol import Array
from .lock import Lock
from .note import check, check_arrays, stored_as

NOTE = "checkpoint.json"
FORMAT = "fitgenerator checkpoint"
VERSION = 2  # the first without files within an epoch was 1
# How long another process may hold a file that is to be replaced, in seconds.
PATIENCE = 2.0


def write(path: Path, note: Mapping[str, Any], arrays: Iterable[tuple[str, Array]]) -> None:
    """Replace the file at `path`; where that fails, the old one stays.

    The JSON entry holds `note`; the arrays are asked for one by one.

    Raises:
        OSError: It cannot be written.
    """
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            _fill(file, {"format": FORMAT, "version": VERSION, **note}, arrays)
            file.flush()
            os.fsync(file.fileno())
        _patiently(lambda: os.replace(temporary, path))
    finally:
        _patiently(lambda: temporary.unlink(missing_ok=True))
    _sync(path.parent)


def copied(note: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON entry as it is now, for a file that is written while the training goes on."""
    copy: dict[str, Any] = json.loads(json.dumps(note, default=_as_list))
    return copy


def _patiently(change: Callable[[], None]) -> None:
    """Change a file; wait until whoever looks into it (on Windows, a virus scanner) is done."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return change()
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _fill(file: IO[bytes], note: Mapping[str, Any], arrays: Iterable[tuple[str, Array]]) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(NOTE, json.dumps(note, default=_as_list))
        for name, array in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                npy.write_array(entry, _plain(array), allow_pickle=False)


def _as_list(value: Any) -> Any:
    """A number or an array of NumPy's, for JSON."""
    array = np.asarray(value)
    if array.dtype == object:
        text = f"A checkpoint can keep metrics that are numbers or arrays, not {describe(value)}."
        raise ArgumentTypeError(text)
    return array.tolist()


def _plain(array: Array) -> Array:
    """`array`, its bits as whole numbers where NumPy itself does not know the type (bfloat16)."""
    return array.view(stored_as(array.dtype))


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.tmp")


def _sync(folder: Path) -> None:
    """Make a rename last; not every system lets a folder be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def prepare(path: Path, lock: Lock | None = None) -> None:
    """Make sure, before the work begins, that `path` is ours and can be written.

    What killed writes have left is removed.

    Raises:
        ArgumentError: No file can be written there, or another training uses it.
    """
    left = re.compile(re.escape(path.name) + r"\.\d+\.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if lock is not None and not lock.take():
            rule = f"is used by another training, which has not ended: {path}. Give another path."
            raise ArgumentError.of("path", rule)
        for other in path.parent.iterdir():
            if left.fullmatch(other.name):
                _patiently(partial(other.unlink, missing_ok=True))
        _temporary(path).touch()
        _patiently(_temporary(path).unlink)
    except OSError as error:
        rule = f"must name a file that can be written; {path} cannot: {error.strerror}."
        raise ArgumentError.of("path", rule) from error


def read_note(path: Path) -> dict[str, Any] | None:
    """What the JSON entry holds, `None` where there is no file.

    Raises:
        ArgumentError: The file was not written by `write`, or cannot be read.
    """
    if not path.exists():
        return None
    with _opened(path) as archive:
        return _note(archive)


def read(path: Path) -> tuple[dict[str, Any], dict[str, Array]] | None:
    """What the JSON entry holds, and the arrays by name; `None` where there is no file.

    Raises:
        ArgumentError: The file was not written by `write`, is damaged, or cannot be read.
    """
    if not path.exists():
        return None
    with _opened(path) as archive:
        note = _note(archive)
        names = (name for name in archive.namelist() if name.endswith(".npy"))
        arrays = {name.removesuffix(".npy"): _array(archive, name) for name in names}
        check_arrays(note, arrays)
        return note, arrays


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    """An array, of as many bytes as its header says: a damaged one must not fill the memory."""
    with archive.open(name) as entry:
        old = npy.read_magic(entry) == (1, 0)
        header = npy.read_array_header_1_0 if old else npy.read_array_header_2_0
        shape, _, dtype = header(entry)
        if math.prod(shape) * dtype.itemsize != archive.getinfo(name).file_size - entry.tell():
            raise ValueError(f"its entry {name} has not the size that its header says")
    with archive.open(name) as entry:
        array: Array = npy.read_array(entry, allow_pickle=False)
        return array


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        if not path.is_file() and not path.is_dir():  # to open a pipe would wait
            raise ValueError("it is not a file")
        with zipfile.ZipFile(path) as archive:
            whole = path.stat().st_size
            # Nothing is compressed, so that an entry of more bytes is damaged, or a trap.
            if any(entry.file_size > whole for entry in archive.infolist()):
                raise ValueError("an entry of it is larger than the file")
            yield archive
    except ArgumentError:
        raise
    except OSError as error:
        text = f"`path`: {path} cannot be read: {error.strerror}."
        raise ArgumentError(text, argument="path") from error
    except Exception as error:  # what a damaged file makes the readers of its parts raise
        text = f"`path`: {path} is not a checkpoint of fitgenerator, or it is damaged ({error})."
        advice = "Give another path, or remove the file to begin anew."
        raise ArgumentError(f"{text} {advice}", argument="path") from error


def _note(archive: zipfile.ZipFile) -> dict[str, Any]:
    note = json.loads(archive.read(NOTE))
    if note["format"] != FORMAT:
        raise ValueError(f"its format is {note['format']!r}")
    if note["version"] > VERSION:
        text = f"`path`: {archive.filename} was written by a later version of fitgenerator"
        raise ArgumentError(f"{text}; install that, or give another path.", argument="path")
    check(note)
    return dict(note)
