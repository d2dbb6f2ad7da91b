"""One process: ours is started, fed by its standard input, watched, ended; the user's is let be."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..host.joined_threads import JoinedThreads
from . import broken_pipes

_POSIX = sys.platform != "win32"
_TAIL = 2000  # characters that are kept of what a process writes to its standard error
_SLICE = 0.1  # seconds: a child of the process may hold its standard error open


@dataclass(frozen=True)
class Launch:
    """How a process is started."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: str  # its working directory
    work: Sequence[bytes | bytearray]  # follows, on its standard input, where to dial


class Process:
    """A process that runs `launch`; `ended` is called, on a thread of ours, when it has ended."""

    def __init__(self, launch: Launch, ended: Callable[[], None]) -> None:
        self.over = threading.Event()
        self._launch = launch
        self._ended = ended
        self._wrote = b""
        self._trouble = "no time"
        self._killed = False
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._threads = JoinedThreads()

    def start(self, name: str, lines: Sequence[str]) -> None:
        """Start it, on a thread that then watches it; `lines` open its standard input."""
        opening = "".join(f"{line}\n" for line in lines).encode()
        self._threads.start(f"fitgenerator-process-{name}", lambda: self._watch(opening))

    def _watch(self, opening: bytes) -> None:
        try:
            broken_pipes.unblock()
            process = self._open()
            broken_pipes.block()
            if process is not None:
                self._feed(process, opening)
                self._attend(process)
        except OSError as error:  # there is no such program, or no room for it
            self._trouble = error.strerror or str(error)
        self.over.set()
        self._ended()

    def _open(self) -> subprocess.Popen[bytes] | None:
        launch = self._launch
        with self._lock:
            if self._killed:
                return None
            # A session (Windows: a console) of its own: Ctrl-C is for the trainer, who ends them.
            self._process = subprocess.Popen(
                launch.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE if _POSIX else subprocess.DEVNULL,
                env=dict(launch.environment),
                cwd=launch.folder,
                start_new_session=_POSIX,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            return self._process

    def _feed(self, process: subprocess.Popen[bytes], opening: bytes) -> None:
        assert process.stdin is not None
        with suppress(OSError):  # it has ended before it had read all
            process.stdin.write(opening)
            for part in self._launch.work:
                process.stdin.write(part)
        with suppress(OSError):
            process.stdin.close()

    def _attend(self, process: subprocess.Popen[bytes]) -> None:
        while process.stderr is not None and process.poll() is None:
            if select.select([process.stderr], [], [], _SLICE)[0] and not self._read(process):
                break
        process.wait()
        self._signal(signal.SIGKILL if _POSIX else signal.SIGTERM)  # whatever it had started
        while process.stderr is not None and select.select([process.stderr], [], [], 0)[0]:
            if not self._read(process):
                break
        if process.stderr is not None:
            process.stderr.close()

    def _read(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.stderr is not None
        said = os.read(process.stderr.fileno(), 4096)
        self._wrote = (self._wrote + said)[-_TAIL:]
        return bool(said)

    @property
    def pid(self) -> int:
        """Its number; 0 before it has one."""
        return 0 if self._process is None else self._process.pid

    @property
    def status(self) -> int | None:
        """What it ended with, below 0 the signal that ended it; `None` before."""
        return None if self._process is None else self._process.returncode

    @property
    def wrote(self) -> str:
        """The end of what it wrote to its standard error."""
        return self._wrote.decode("utf-8", "replace").strip()

    @property
    def fate(self) -> str:
        """How it ended, in words."""
        if self.status is None:
            return f"could not be started ({self._trouble})"
        if self.status >= 0:
            return f"ended with status {self.status}"
        with suppress(ValueError):
            return f"was ended by signal {-self.status} ({signal.Signals(-self.status).name})"
        return f"was ended by signal {-self.status}"

    def interrupt(self) -> None:
        """Interrupt what it does, as Ctrl-C would."""
        with self._lock:
            if _POSIX and self._process is not None and self.status is None:
                with suppress(OSError):
                    os.kill(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it at once, with all that it has started; any thread may call this, again."""
        with self._lock:
            self._killed = True
            if self._process is not None and self.status is None:
                self._signal(signal.SIGKILL if _POSIX else signal.SIGTERM)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        with suppress(OSError):
            if _POSIX:
                os.killpg(self.pid, number)  # its session is a group of processes
            else:
                self._process.send_signal(number)

    def join(self) -> None:
        """After `kill`, or when it ends by itself, wait for it and its thread."""
        self._threads.join()


class LentProcess:
    """A process of the user's: all that is known of it is its number, once it has dialled in."""

    fate = "has gone"
    wrote = ""

    def __init__(self) -> None:
        self.pid = 0
        self.over = threading.Event()
        self.over.set()  # it is never waited for

    def interrupt(self) -> None:
        """It is not ours."""

    def kill(self) -> None:
        """It is not ours."""

    def join(self) -> None:
        """There is no thread."""
