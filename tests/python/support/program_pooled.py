"""Run by test_concurrency.py: trains on batches that other processes make."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from collections.abc import Iterator
from typing import Any


def make(number: int) -> Any:
    """A batch, made in a process that trains nothing."""
    import numpy as np

    return np.full((2, 1), number, "float32"), np.zeros((2, 1), "float32")


def pooled(way: str, steps: int) -> Iterator[Any]:
    """Batches from a pool that the generator makes, on its own thread, once training runs."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    yield make(1)
    numbers = range(2, steps + 1)
    if way == "executor":
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as executor:
            yield from executor.map(make, numbers)
        return
    with multiprocessing.get_context(way).Pool(2) as pool:
        yield from pool.imap(make, numbers)


def trained(way: str, steps: int) -> Any:
    """The losses of a training on such batches."""
    import multiprocessing

    from support.tiny_trainings import at_batch_begin, echo_model, numbered, run

    if way != "callback":
        return run(echo_model(), pooled(way, steps), steps).history["loss"]

    def fork(batch: int) -> None:  # from the thread that called
        process = multiprocessing.get_context("fork").Process(target=make, args=(batch,))
        process.start()
        process.join()
        assert process.exitcode == 0

    run(echo_model(), numbered(), 10, callbacks=[at_batch_begin(fork)])
    return run(echo_model(), numbered(), steps).history["loss"]


def main() -> None:
    """Train in every way that is named."""
    import threading

    for way in sys.argv[1:]:
        losses = trained(way, 50)
        left = [t.name for t in threading.enumerate() if t.name.startswith("fitgenerator")]
        print(f"{way}: trained {losses},", *(left or ["no thread left"]))


if __name__ == "__main__":
    main()
