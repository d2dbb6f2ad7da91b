"""A connection to another process: frames both ways, and a thread that receives them."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..host.joined_threads import JoinedThreads

# What a frame begins with: a magic number, its kind, and the bytes of what follows.
_HEADER = struct.Struct("<4sB3xQ")
_MAGIC = b"fga1"
HELLO, WELCOME, VALUE, DATA, FAILED, BEAT = range(1, 7)
_LARGEST = 2**40
_LARGEST_HELLO = 2**16


class Link:
    """One connection; the receiver thread is started by `start`."""

    def __init__(self, connection: socket.socket, index: int) -> None:
        self.index = index  # of the other process
        self.inbox: deque[Any] = deque()  # values and data that came, not yet taken
        self.heard = time.monotonic()  # when something came
        self.ended = False  # the other process has said that it ends, or why
        self._socket = connection
        self._sending = threading.Lock()
        connection.settimeout(None)
        # A frame is to leave at once, not when the one before it was acknowledged.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(
        self,
        threads: JoinedThreads,
        came: Callable[[Link, int, Any], None],
        lost: Callable[[Link], None],
    ) -> None:
        """Receive on a thread: `came` gets each frame, and `lost` is told of the end."""

        def receive() -> None:
            with suppress(OSError, ValueError):
                while True:
                    kind, body = receive_frame(self._socket, self._progress)
                    self._progress()
                    came(self, kind, body if kind == DATA else json.loads(body or b"null"))
            lost(self)

        threads.start(f"fitgenerator-agreement-{self.index}", receive)

    def _progress(self) -> None:
        self.heard = time.monotonic()

    def send(self, kind: int, value: Any = None) -> None:
        """Send a frame. One that cannot be sent is dropped: the receiver learns of the end."""
        with suppress(OSError), self._sending:
            send_frame(self._socket, kind, value)

    def beat(self) -> None:
        """Give a sign of life, unless something is being sent, which is one."""
        if self._sending.acquire(blocking=False):
            try:
                with suppress(OSError):
                    send_frame(self._socket, BEAT)
            finally:
                self._sending.release()

    def finish(self) -> None:
        """Send nothing any more; what was sent arrives."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """End the connection at once; the receiver ends."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back; the receiver has ended."""
        self._socket.close()


def send_frame(connection: socket.socket, kind: int, value: Any = None) -> None:
    """Send a frame: bytes as they are, and anything else as JSON."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    connection.sendall(_HEADER.pack(_MAGIC, kind, len(body)))
    connection.sendall(body)


def receive_frame(
    connection: socket.socket,
    progress: Callable[[], None] = lambda: None,
    largest: int = _LARGEST,
) -> tuple[int, bytes]:
    """The kind and the body of the next frame.

    Raises:
        OSError: The connection has ended.
        ValueError: What came is no frame.
    """
    magic, kind, size = _HEADER.unpack(_exactly(connection, _HEADER.size, progress))
    if magic != _MAGIC or size > largest:
        raise ValueError("no frame of an agreement")
    return kind, _exactly(connection, size, progress)


def receive_hello(connection: socket.socket, kind: int) -> Any:
    """What one side says first; `None` where it is something else."""
    with suppress(OSError, ValueError):
        came, body = receive_frame(connection, largest=_LARGEST_HELLO)
        if came == kind:
            return json.loads(body)
    return None


def _exactly(connection: socket.socket, size: int, progress: Callable[[], None]) -> bytes:
    received = bytearray()
    while len(received) < size:
        part = connection.recv(min(size - len(received), 2**20))
        if not part:
            raise ConnectionError("the other process has ended")
        received += part
        progress()
    return bytes(received)
