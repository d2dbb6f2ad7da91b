"""Where workers of the user's are let in; nothing here starts, stops or replaces them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from .listener import Taken
from .process import LentProcess
from .site import Address, Door


class LentDoor(Door):
    """Lets in the workers of a launcher, which is told the `token` of each.

    Args:
        patience: Seconds in which the first one must dial in.
    """

    def __init__(self, address: Address, patience: float) -> None:
        super().__init__(address)
        self.patience = patience
        self._heard = threading.Condition()
        self._knocks: dict[str, bool] = {}

    @property
    def at(self) -> Address:
        """What they dial: this machine's own address, where a wildcard is listened on."""
        host, port = super().at
        if host in ("0.0.0.0", "::"):
            host = "127.0.0.1"
            with suppress(OSError):  # its name means nothing
                host = socket.gethostbyname(socket.gethostname())
        return Address(host, port)

    def start(
        self, name: str, connected: Taken, ended: Callable[[], None]
    ) -> tuple[LentProcess, bytes]:
        """Expect one more worker."""
        assert self.listener is not None
        process = LentProcess()

        def taken(connection: socket.socket, number: int) -> None:
            process.pid = number
            connected(connection, number)

        return process, self.listener.expect(taken)

    def knock(self) -> str:
        """The token by which a worker may say that it is there, and idle."""
        assert self.listener is not None
        token = self.listener.expect(lambda connection, _: self._hear(token.hex(), connection))
        self._knocks[token.hex()] = False
        return token.hex()

    def _hear(self, token: str, connection: socket.socket) -> None:
        connection.close()
        with self._heard:
            self._knocks[token] = True
            self._heard.notify_all()

    def knocked(self, seconds: float) -> list[str]:
        """The tokens of those who have, after at most so many seconds if some have not."""
        with self._heard:
            self._heard.wait_for(lambda: all(self._knocks.values()), seconds)
            return [token for token, heard in self._knocks.items() if heard]
