"""Files that are no pictures, or only a part of one, and what is said of them."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

from support.pictures import photo


def png(width: int, height: int) -> bytes:
    """The head of a PNG file of that size, which holds nothing else."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    nothing = chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + nothing


def encoded(ending: str) -> bytes:
    """A photograph as the contents of a file."""
    stream = io.BytesIO()
    Image.fromarray(photo()).save(stream, ending)
    return stream.getvalue()


BROKEN = {
    "an empty file": (b"", "is empty"),
    "text": (b"<html>404</html>", "no image that is known"),
    "half a JPEG": (encoded("jpeg")[:1500], "truncated"),
    "a JPEG without its end": (encoded("jpeg")[:-20], "truncated"),
    "half a PNG": (encoded("png")[:3000], "truncated"),
    "a PNG without its end": (encoded("png")[:-40], "truncated"),
    "half a BMP": (encoded("bmp")[:3000], "truncated"),
    "half a TIFF": (encoded("tiff")[:3000], "broken or truncated|no image"),
    "the head of a JPEG": (encoded("jpeg")[:20], "truncated|no image"),
    "a PNG whose data is damaged": (png(50, 50), "broken or truncated"),
    "a decompression bomb": (png(20000, 20000), "decompression bomb"),
}
