"""Row 6: cost of a step, and memory, as the work grows.

    tools/with-env python bench/rows/growth.py [MOST_STEPS]

Each figure is a separate warm call on the small model, with a varying number of steps, rows per
batch, places in the queue, or inputs. Memory is the growth of the resident set, in MiB.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import fitgenerator as fg
import keras
from common import forever, keep, small_batch, small_model

MOST = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000


def resident() -> float:
    """Return the resident set of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def measured(model: Any, batch: Any, steps: int, **options: Any) -> dict[str, float]:
    """Measure the cost of a warm call."""
    fg.fit_generator(model, forever(batch), max(min(steps, 10_000), 4000), verbose=0, **options)
    before, begun = resident(), time.perf_counter()
    history = fg.fit_generator(model, forever(batch), steps, verbose=0, **options)
    return {
        "us": 1e6 * (time.perf_counter() - begun) / steps,
        "calls": history.pipeline.calls,
        "MiB": resident() - before,
    }


def with_inputs(count: int) -> Any:
    """Return a small model with `count` inputs."""
    inputs = [keras.Input((16,)) for _ in range(count)]
    joined = keras.layers.Concatenate()(inputs) if count > 1 else inputs[0]
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dense(32)(joined)))
    model.compile("adam", "mse")
    return model


figures: dict[str, dict[str, dict[str, float]]] = {
    "steps": {
        str(n): measured(small_model(), small_batch(), n)
        for n in (100, 1000, 10_000, 100_000)
        if n <= MOST
    },
    "rows of a batch": {
        str(n): measured(small_model(), small_batch(n), 2000) for n in (1, 16, 64, 256, 1024, 4096)
    },
    "max_queue_size": {
        str(n): measured(small_model(), small_batch(), 2000, max_queue_size=n)
        for n in (1, 3, 10, 30, 100)
    },
    "inputs": {
        str(n): measured(with_inputs(n), ([small_batch()[0]] * n, small_batch()[1]), 2000)
        for n in (1, 2, 4, 8)
    },
}
print("\nRow 6: the cost of a step as the work grows")
for kind, rows in figures.items():
    print(f"{kind:>16}  {'us per step':>12}  {'calls':>8}  {'MiB more':>9}")
    for value, cells in rows.items():
        print(f"{value:>16}  {cells['us']:12.1f}  {cells['calls']:8.0f}  {cells['MiB']:9.1f}")
keep("6", "the cost of a step as the work grows", "microseconds per step", figures)
