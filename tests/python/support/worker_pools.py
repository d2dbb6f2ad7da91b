"""Pools of workers without R, which make what they are asked for, or misbehave."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fitgenerator.workers.pool import Pool
from fitgenerator.workers.process import Launch
from fitgenerator.workers.site import Address, Site

PROGRAM = Path(__file__).with_name("program_worker.py")


@contextmanager
def pool_of(
    how: str = "well",
    numbers: str = "",
    count: int = 2,
    *,
    program: str = sys.executable,
    port: int = 0,
) -> Iterator[Pool]:
    """A pool that is started, and ended; the batches of these numbers are not made well."""
    with tempfile.TemporaryDirectory() as folder:
        work = how if how == "not at all" else f"{how}|{numbers}|{folder}"
        launch = Launch([program, str(PROGRAM)], dict(os.environ), folder, [work.encode()])
        pool = Pool(count, Site(launch, Address("127.0.0.1", port), folder))
        try:
            pool.start()
            yield pool
        finally:
            pool.end()
