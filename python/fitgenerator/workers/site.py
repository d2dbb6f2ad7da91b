"""Where the workers of one pool live: how they are started, dial in, and leave nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from ..errors import WorkerError
from ..messages import Message
from .listener import Listener, Taken
from .process import Launch, LentProcess, Process


class Address(NamedTuple):
    """Where workers dial: `port` 0 is one that is free."""

    host: str
    port: int


class Door:
    """Where workers are let in."""

    patience: float | None = None  # seconds, in which the first worker of somebody else's must come

    def __init__(self, address: Address) -> None:
        self.listener: Listener | None = None
        self._address = address

    def open(self) -> None:
        """Listen.

        Raises:
            WorkerError: The address cannot be listened on.
        """
        try:
            self.listener = Listener(*self._address)
        except OSError as error:
            text = Message(
                "Workers cannot dial {host}, port {port} (the {settings of the address}): "
                "{reason}.",
                **self._address._asdict(),
                reason=_reason(error),
            )
            raise WorkerError(text) from error
        self.listener.start()

    @property
    def at(self) -> Address:
        """The address that is listened on, once it is."""
        assert self.listener is not None
        return Address(self._address.host, self.listener.port)

    def start(
        self, name: str, connected: Taken, ended: Callable[[], None]
    ) -> tuple[Process | LentProcess, bytes]:
        """Expect a process, which is let in by a token of its own."""
        raise NotImplementedError

    def forget(self, token: bytes) -> None:
        """Let a process in no more."""
        if self.listener is not None:
            self.listener.forget(token)

    def close(self) -> None:
        """Let nobody in any more; any thread may call this, again."""
        if self.listener is not None:
            self.listener.close()

    def leave(self) -> None:
        """After `close`, when no process is left: leave no thread, socket or file."""
        if self.listener is not None:
            self.listener.join()


class Site(Door):
    """Starts processes; `scratch` is the folder in which they have one for temporary files."""

    def __init__(self, launch: Launch, address: Address, scratch: str) -> None:
        super().__init__(address)
        self._launch = launch
        self._scratch = scratch
        self._folder = ""

    def open(self) -> None:
        """Listen, and make the folder."""
        super().open()
        self._folder = tempfile.mkdtemp(prefix="workers", dir=self._scratch)
        environment = {**self._launch.environment, "TMPDIR": self._folder}
        self._launch = replace(self._launch, environment=environment)

    def start(
        self, name: str, connected: Taken, ended: Callable[[], None]
    ) -> tuple[Process, bytes]:
        """Start a process, which is let in by a token of its own."""
        assert self.listener is not None
        token = self.listener.expect(connected)
        process = Process(self._launch, ended)
        # A wildcard is no address to dial; these processes are on this machine.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.at.host, self.at.host)
        process.start(name, [host, str(self.at.port), token.hex()])
        return process, token

    def leave(self) -> None:
        """Leave no folder, either."""
        super().leave()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def _reason(error: OSError) -> str:
    """The system's words: numbers of sockets, and of resolvers, need not be C's."""
    return (error.strerror or str(error)).partition(" (while attempting")[0]
