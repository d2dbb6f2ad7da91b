"""A worker process without R: run by the tests of the pool, it speaks the wire and misbehaves."""

from __future__ import annotations

import math
import os
import signal
import socket
import struct
import sys
import time
from pathlib import Path

MAGIC = int.from_bytes(b"fgw1", "little")


def header(
    kind: int, type_: int = 0, items: int = 0, dims: tuple[int, ...] = (), size: int = 0
) -> bytes:
    """The header of a node."""
    return struct.pack("<16i", MAGIC, kind, type_, items, *dims, *[0] * (11 - len(dims)), size)


def texts(*given: str) -> bytes:
    return b"".join(text.encode() + b"\0" for text in given)


def condition(type_: int, *given: str) -> bytes:
    said = texts(*given)
    return header(6, type_, size=len(said)) + said


def batch(values: tuple[int, ...]) -> bytes:
    """A list of one array of integers."""
    return (
        header(2, items=1)
        + header(1, 2, 1, (len(values),))
        + struct.pack(f"<{len(values)}i", *values)
    )


REPLIES = {
    "garbage": b"HTTP/1.1 400 Bad Request\r\n" * 9,
    "huge array": header(1, 1, 3, (2**31 - 1, 2**31 - 1, 9)),
    "huge text": header(6, 0, size=-1),
    "no type": header(1, 99, 1, (1,)),
    "no dimensions": header(1, 1, 0),
    "below zero": header(1, 1, 2, (-1, -1)),
    "no kind": header(77),
    "many parts": header(2, items=2**20),
    "no condition": header(6, 44),
    "deep": header(2, items=1) * 99,
    "talks on": condition(2, "odd", "", "warning") * 5000,
    "names": header(3, items=3, size=2) + texts("a"),
    "closes": b"",
}


def image_of(connection: socket.socket, size: int) -> tuple[int, ...]:
    """The dimensions and numbers of the image that follows a request, if one does."""
    if not size:
        return ()
    _, _, _, count, *rest = struct.unpack("<16i", connection.recv(64, socket.MSG_WAITALL))
    dims = rest[:count]
    data = connection.recv(size * math.prod(dims), socket.MSG_WAITALL)
    numbers = struct.unpack(f"<{math.prod(dims)}{'f' if size == 4 else 'd'}", data)
    return (*dims, *map(int, numbers))


def answer(connection: socket.socket, work: str, asked: tuple[int, ...]) -> None:
    """Answer one request, in the way that `work` says: behaviour, numbers of batches, folder."""
    how, numbers, folder = work.split("|")
    if str(asked[1]) in numbers.split(",") and how != "well":
        try:
            first = how.endswith(" always")
            if not first:
                Path(folder, f"{asked[1]}").touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            misbehave(connection, how.removesuffix(" always"))
            return
    if asked[1] == 5:
        connection.sendall(condition(2, "odd", "f(1)", "my_warning", "warning"))
    connection.sendall(batch((*asked, os.getpid())))


def misbehave(connection: socket.socket, how: str) -> None:
    match how:
        case "exit":
            sys.stderr.write("no memory is left")
            sys.stderr.flush()
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "sleep":
            time.sleep(600)
        case "fail":
            connection.sendall(condition(0, "no such file", "f(1)", "simpleError", "error"))
        case "unset":
            connection.sendall(condition(4, "there is no package called 'x'", "", "error"))
        case _:
            connection.sendall(REPLIES[how])
            connection.shutdown(socket.SHUT_RDWR)
            time.sleep(600)


def main() -> None:
    host, port, token = (sys.stdin.buffer.readline().decode().strip() for _ in range(3))
    work = sys.stdin.buffer.read().decode()
    if work == "not at all":
        sys.exit("cannot begin")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(struct.pack("<i16si", MAGIC, bytes.fromhex(token), os.getpid()))
        while len(said := connection.recv(24, socket.MSG_WAITALL)) == 24:
            *asked, size = struct.unpack("<6i", said)
            answer(connection, work, (*asked, *image_of(connection, size)))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
