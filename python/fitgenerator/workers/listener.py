"""Where workers dial in: each is let in once, by a token that only it knows.

Strangers cannot disturb: a connection has one try, of a fixed size and within a few seconds, and
is closed without a word if it does not know a token that is still expected.
"""

from __future__ import annotations

import hmac
import secrets
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ..host.joined_threads import JoinedThreads
from .wire import HELLO, MAGIC

# How long a connection may take to say its token, in seconds, and how many may be at it.
PATIENCE = 5.0
_MOST_STRANGERS = 64

# Called with a connection, on the listener's thread; the number of the worker's process.
Taken = Callable[[socket.socket, int], None]


@dataclass
class _Guest:
    """A connection that has not said its token yet."""

    connection: socket.socket
    said: bytearray = field(default_factory=bytearray)
    until: float = field(default_factory=lambda: time.monotonic() + PATIENCE)


class Listener:
    """Listens on `host` and `port` (0: one that is free) until it is closed."""

    def __init__(self, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.create_server((host, port), family=family, backlog=_MOST_STRANGERS)
        self.port: int = self._server.getsockname()[1]
        self._expected: dict[bytes, Taken] = {}
        self._guests: dict[socket.socket, _Guest] = {}
        self._bell, self._ringer = socket.socketpair()  # closing wakes the thread
        self._threads = JoinedThreads()

    def start(self) -> None:
        """Start the thread."""
        self._threads.start("fitgenerator-listener", self._listen)

    def expect(self, taken: Taken) -> bytes:
        """The token of one more worker, which is let in once; any thread may call this."""
        token = secrets.token_bytes(16)
        self._expected[token] = taken
        return token

    def forget(self, token: bytes) -> None:
        """Let this worker in no more; any thread may call this."""
        self._expected.pop(token, None)

    def close(self) -> None:
        """Let nobody in any more; any thread may call this, again."""
        self._expected.clear()
        with suppress(OSError):
            self._ringer.send(b"!")

    def join(self) -> None:
        """After `close`, wait for the thread."""
        self._threads.join()
        self._server.close()
        self._bell.close()
        self._ringer.close()

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            self._server.setblocking(False)
            selector.register(self._server, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            try:
                while self._serve(selector):
                    pass
            finally:
                for guest in tuple(self._guests):
                    self._leave(selector, guest).close()

    def _serve(self, selector: selectors.BaseSelector) -> bool:
        """Serve what is there; whether to go on."""
        ready = selector.select(PATIENCE / 5 if self._guests else None)
        for key, _ in ready:
            if key.fileobj is self._bell:
                return False
            if key.fileobj is self._server:
                self._open_door(selector)
            else:
                self._hear(selector, self._guests[key.fileobj])  # type: ignore[index]
        now = time.monotonic()
        for guest in tuple(self._guests.values()):
            if now > guest.until:
                self._leave(selector, guest.connection).close()
        return True

    def _open_door(self, selector: selectors.BaseSelector) -> None:
        with suppress(OSError):  # it has gone again
            connection, _ = self._server.accept()
            if len(self._guests) >= _MOST_STRANGERS:
                connection.close()
                return
            connection.setblocking(False)
            self._guests[connection] = _Guest(connection)
            selector.register(connection, selectors.EVENT_READ)

    def _hear(self, selector: selectors.BaseSelector, guest: _Guest) -> None:
        try:
            said = guest.connection.recv(HELLO.size - len(guest.said))
        except BlockingIOError:
            return
        except OSError:
            said = b""
        guest.said += said
        if said and len(guest.said) < HELLO.size:
            return
        connection = self._leave(selector, guest.connection)
        if len(guest.said) < HELLO.size or not self._let_in(connection, bytes(guest.said)):
            connection.close()

    def _let_in(self, connection: socket.socket, said: bytes) -> bool:
        magic, token, process = HELLO.unpack(said)
        known = [each for each in tuple(self._expected) if hmac.compare_digest(each, token)]
        taken = self._expected.pop(known[0], None) if known and magic == MAGIC else None
        if taken is None:
            return False
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        taken(connection, process)
        return True

    def _leave(self, selector: selectors.BaseSelector, guest: socket.socket) -> socket.socket:
        del self._guests[guest]
        selector.unregister(guest)
        return guest
