"""A file that one training at a time may use, held by a lock that ends with its process.

The lock is the system's, on a file beside the one that it is for: it is dropped when the process
dies, however it dies. Such a lock does not keep apart the threads of one process; a set of names
does.
"""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

# What a system says where another process holds the lock; anything else: it has no locks there.
_HELD_ELSEWHERE = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_held: set[Path] = set()  # by this process

if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: int) -> None:
        # Of the process, and not of the open file: a fork, which has that too, must not hold it.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """The lock for the file at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.lock")
        self._name = self._path.absolute()
        self._file: int | None = None

    def take(self) -> bool:
        """Whether the file is this training's from now on.

        Raises:
            OSError: No file can be made there.
        """
        if self._name in _held:
            return False
        while self._file is None:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(file)
            except OSError as error:
                if error.errno in _HELD_ELSEWHERE:
                    os.close(file)
                    return False
            if self._is_there(file):
                self._file = file
            else:  # whoever held it has removed the file meanwhile
                os.close(file)
        _held.add(self._name)
        return True

    def _is_there(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self._path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let others use the file; harmless where it is not held."""
        file, self._file = self._file, None
        if file is None:
            return
        windows = sys.platform == "win32"  # where an open file cannot be removed
        if not windows:
            with suppress(OSError):
                self._path.unlink()
        os.close(file)
        if windows:
            with suppress(OSError):
                self._path.unlink()
        _held.discard(self._name)
