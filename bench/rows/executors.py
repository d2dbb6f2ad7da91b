"""Row 9, Python: a function of 60 ms in an executor of two processes, beside a step of 10 ms.

tools/with-env python bench/rows/executors.py

dask is measured where it is installed. Run this script on an idle machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fitgenerator as fg
import keras
import numpy as np
from common import alternate, table

ITEM, STEPS = 0.06, 60


def item(index: int) -> tuple[Any, Any]:
    """Compute for 60 ms, and return a small batch."""
    end = time.process_time() + ITEM
    while time.process_time() < end:
        pass
    return np.full((32, 700), 0.1, "float32"), np.ones((32, 1), "float32")


class Pause(keras.layers.Layer):
    """Lets a step take ten milliseconds without a core, as on a device of its own."""

    def call(self, x: Any) -> Any:
        """Return `x`, later."""
        import tensorflow as tf

        def pause(value: Any) -> Any:
            time.sleep(0.01)
            return value

        y = tf.numpy_function(pause, [x], tf.float32)
        y.set_shape(x.shape)
        return x + tf.stop_gradient(y - x)


@contextmanager
def dask() -> Iterator[Executor | None]:
    """Two processes of dask, where it is installed."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        yield None
        return
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor()


def main() -> None:
    """Print and keep the figures."""
    model = keras.Sequential([keras.Input((700,)), Pause(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")

    def per_step(executor: Executor | None) -> float:
        batches = fg.batch_sequence(item, STEPS, seed=1, executor=executor)
        ends: list[float] = []
        ended = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
        )
        fg.fit_generator(model, batches, epochs=2, callbacks=[ended], verbose=0)
        return 1000 * (ends[1] - ends[0]) / STEPS

    with ProcessPoolExecutor(2) as pool, dask() as cluster:

        def alone(executor: Executor) -> float:
            begun = time.perf_counter()
            list(executor.map(item, range(STEPS)))
            return 1000 * (time.perf_counter() - begun) / STEPS

        contenders = {
            "one thread": lambda: per_step(None),
            "fit_generator, process pool": lambda: per_step(pool),
            "the process pool alone": lambda: alone(pool),
        }
        if cluster is not None:
            contenders["fit_generator, dask"] = lambda: per_step(cluster)
            contenders["dask alone"] = lambda: alone(cluster)
        figures = alternate(contenders, 5)
    title = "Python function of 60 ms, two processes, step of 10 ms"
    table("9-executors", title, "milliseconds per step", figures, against="one thread")


if __name__ == "__main__":
    main()
