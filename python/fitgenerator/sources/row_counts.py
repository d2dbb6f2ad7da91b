"""How many rows a source has, where it is one of rows that are cut into batches of one size."""

from __future__ import annotations

from contextlib import suppress
from typing import Any


def rows_left_out(given: Any, steps: int) -> tuple[int, int] | None:
    """Rows that `steps` batches leave out, where there are any, and all rows of the source.

    Flows, ours and Keras's, have `n` rows in batches of `batch_size`; another object may have other
    things by these names, which do not agree with its length.
    """
    with suppress(Exception):  # what an object answers is its own business
        rows, size = int(given.n), int(given.batch_size)
        left = rows - steps * size
        if len(given) in (rows // size, -(-rows // size)) and left > 0:
            return left, rows
    return None
