"""What crosses the socket of a worker: numbers there, arrays and conditions back.

Nothing is unpickled or unserialised: every reply is a chain of nodes, each a header of fixed size
and what it announces, which is bounded. `R/workers-link.R` is the other end.
"""

from __future__ import annotations

import math
import socket
import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

MAGIC = int.from_bytes(b"fgw1", "little")
# What a worker says first: the magic number, its token, the number of its process.
HELLO = struct.Struct("<i16si")
# What it is asked: the number of the source, of the batch, what the function is called with (index
# from 1, epoch from 0), the seed of its random numbers, and the bytes of each number of an image
# that follows: a node, whose numbers are in R's order; 0 where the function takes none.
REQUEST = struct.Struct("<6i")
# The header of a node: magic number, kind, type, count, dimensions, and the bytes of a text.
_MOST_DIMENSIONS = 11
_HEADER = struct.Struct(f"<4i{_MOST_DIMENSIONS}iI")

_ARRAY, _LIST, _NAMED, _NULL, _SPARSE, _CONDITION, _STANDS = range(1, 8)
_TYPES = ("<f4", "<f8", "<i4", "?", "u1", "text")
_KINDS = ("error", "refused", "warning", "message", "setup")

# Beyond these, a reply is none.
_LARGEST_ARRAY = 2**36  # bytes
_LARGEST_TEXT = 2**28
_MOST_CHILDREN = 2**12
_DEEPEST = 32
_MOST_SIGNALS = 2**12

Array = np.ndarray[Any, Any]
Value = Any  # an array, a list, a dict, `None`, or what of a sparse matrix there is


class LostError(ConnectionError):
    """The worker has gone, or does not answer in the way that was agreed on."""


class Asked(NamedTuple):
    """One batch, or one image of it, as a worker is asked for it."""

    source: int
    number: int  # of the batch, or image, from 1, in its call
    place: int  # what the function is called with, from 0
    epoch: int
    seed: int
    image: Array | None = None  # what it is called with, if anything

    def packed(self) -> bytes:
        """The request."""
        asked, image = (*self[:2], self.place + 1, *self[3:5]), self.image
        if image is None:
            return REQUEST.pack(*asked, 0)
        dtype = np.dtype("<f4" if image.dtype == np.float32 else "<f8")
        dims = (*image.shape, *[0] * (_MOST_DIMENSIONS - image.ndim))
        header = _HEADER.pack(MAGIC, _ARRAY, _TYPES.index(dtype.str), image.ndim, *dims, 0)
        return REQUEST.pack(*asked, dtype.itemsize) + header + image.astype(dtype).tobytes("F")


@dataclass(frozen=True)
class Condition:
    """What a function signalled, in texts."""

    kind: str  # "error"; "refused": it returned no batch; "warning"; "message"; "setup"
    message: str
    call: str  # the code of it, empty where there is none
    classes: tuple[str, ...]
    calls: tuple[str, ...] = ()  # that led to it: the code of each, the innermost last


@dataclass(frozen=True)
class Coordinates:
    """A sparse matrix: rows and columns, from 0, and values of its entries; its shape."""

    rows: Value
    cols: Value
    values: Value
    shape: Value


@dataclass(frozen=True)
class Reply:
    """What came of one request."""

    value: Value = None
    failed: Condition | None = None
    signalled: tuple[Condition, ...] = ()  # in their order
    stands: str | None = None  # it was interrupted: where the function stood


class Stream:
    """Reads a connected socket, on the thread that waits for the reply."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def reply(self) -> Reply:
        """The whole reply to one request.

        Raises:
            LostError: The connection is closed, or what came is no reply.
        """
        signalled: list[Condition] = []
        while len(signalled) <= _MOST_SIGNALS:
            node = self._header()
            if node.kind == _STANDS:
                return Reply(stands="\n".join(self._strings(node.size, None)))
            if node.kind != _CONDITION:
                return Reply(self._value(node, 0), None, tuple(signalled))
            condition = self._condition(node)
            if condition.kind not in ("warning", "message"):
                return Reply(None, condition, tuple(signalled))
            signalled.append(condition)
        raise LostError("it signalled too many conditions")

    def _header(self) -> _Node:
        magic, kind, type_, count, *dims, size = _HEADER.unpack(self._bytes(_HEADER.size))
        if magic != MAGIC or not 0 <= count <= _MOST_CHILDREN or size > _LARGEST_TEXT:
            raise LostError("it sent something that is no reply")
        return _Node(kind, type_, count, dims, size)

    def _value(self, node: _Node, depth: int) -> Value:
        if depth > _DEEPEST:
            raise LostError("it sent lists that are nested too deeply")
        if node.kind == _ARRAY:
            return self._array(node)
        if node.kind == _LIST:
            return [self._child(depth) for _ in range(node.items)]
        if node.kind == _NAMED:
            names = self._strings(node.size, node.items)
            return {name: self._child(depth) for name in names}
        if node.kind == _NULL:
            return None
        if node.kind == _SPARSE:
            return Coordinates(*(self._child(depth) for _ in range(4)))
        raise LostError("it sent something that is no reply")

    def _child(self, depth: int) -> Value:
        return self._value(self._header(), depth + 1)

    def _array(self, node: _Node) -> Value:
        shape = node.dims[: node.items]
        if not 1 <= node.items <= len(node.dims) or min(shape) < 0 or node.type not in range(6):
            raise LostError("it sent an array of no shape")
        count = math.prod(shape)
        if _TYPES[node.type] == "text":
            return np.array(self._strings(node.size, count), object).reshape(shape, order="F")
        dtype = np.dtype("<i4" if _TYPES[node.type] == "?" else _TYPES[node.type])
        if count * dtype.itemsize > _LARGEST_ARRAY:
            raise LostError("it sent an array that is too large")
        flat = np.empty(count, dtype)
        if count:
            self._into(flat.data.cast("B"))
        if _TYPES[node.type] == "?":
            flat = flat.astype(bool)
        return flat.reshape(shape, order="F")

    def _condition(self, node: _Node) -> Condition:
        texts = self._strings(node.size, None)
        if not 0 <= node.type < len(_KINDS) or len(texts) < 2 + node.items:
            raise LostError("it sent something that is no condition")
        calls, classes = tuple(texts[2 : 2 + node.items]), tuple(texts[2 + node.items :])
        return Condition(_KINDS[node.type], texts[0], texts[1], classes, calls)

    def _strings(self, size: int, count: int | None) -> list[str]:
        """Texts, each of which ends with a zero byte."""
        texts = self._text(size).split("\0")[:-1]
        if count is not None and len(texts) != count:
            raise LostError("it sent another number of texts than it said")
        return texts

    def _text(self, size: int) -> str:
        return self._bytes(size).decode("utf-8", "replace")

    def _bytes(self, count: int) -> bytes:
        data = bytearray(count)
        self._into(memoryview(data))
        return bytes(data)

    def _into(self, view: memoryview) -> None:
        while view:
            try:
                got = self._socket.recv_into(view)
            except OSError as error:
                raise LostError(str(error)) from error
            if not got:
                raise LostError("it closed the connection")
            view = view[got:]


class _Node(NamedTuple):
    """A header."""

    kind: int
    type: int
    items: int
    dims: list[int]
    size: int
