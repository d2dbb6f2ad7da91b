"""Helpers that the benchmarks share: models, alternation, tables, and the result files."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

RESULTS = Path(__file__).resolve().parents[1] / "results"


def small_model() -> Any:
    """Return the small model of the comparisons: layers of 16, 32 and 1 units, Adam."""
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.Input((16,)), keras.layers.Dense(32, activation="relu"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    return model


def small_batch(rows: int = 32) -> tuple[Any, Any]:
    """Return one batch for the small model."""
    import numpy as np

    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 16)).astype("float32")
    return x, x.sum(axis=1, keepdims=True)


def forever(batch: Any) -> Any:
    """Yield the same batch without end; the generator itself costs nothing."""
    while True:
        yield batch


def marking_the_end() -> Any:
    """Return a callback; `seconds` is the time from `begin()` to the end of the last step."""
    import keras

    class End(keras.callbacks.Callback):
        def begin(self) -> None:
            self.begun = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds = time.perf_counter() - self.begun

    return End()


def alternate(
    contenders: Mapping[str, Callable[[], float | tuple[float, ...]]], rounds: int
) -> dict[str, list[Any]]:
    """Run all contenders in turn, `rounds` times, and return the figures of each."""
    figures: dict[str, list[Any]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            figures[name].append(run())
    return figures


def table(
    row: str,
    title: str,
    unit: str,
    figures: Mapping[str, list[float]],
    *,
    against: str | None = None,
    others: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Print medians, ratios to `against`, and spreads; save the figures for the plots."""
    others = others or {}
    print(f"\nRow {row}: {title} ({unit})")
    heads = ["median", *([f"{against} over it"] if against else []), "spread", *others]
    width = max(len(name) for name in figures)
    print(" " * width, *(f"{head:>{max(10, len(head))}}" for head in heads), sep="  ")
    base = statistics.median(figures[against]) if against else 0.0
    for name, values in figures.items():
        median = statistics.median(values)
        cells = [f"{median:.4g}"]
        if against:
            cells.append(f"{base / median:.2f}")
        cells.append(f"{min(values):.4g}-{max(values):.4g}")
        cells += [f"{other[name]:.4g}" if name in other else "" for other in others.values()]
        padded = (f"{c:>{max(10, len(h))}}" for c, h in zip(cells, heads, strict=True))
        print(f"{name:<{width}}", *padded, sep="  ")
    keep(row, title, unit, figures)


def keep(row: str, title: str, unit: str, figures: Mapping[str, Any]) -> None:
    """Save the figures of a row in `bench/results/`, where `plots.py` reads them."""
    RESULTS.mkdir(exist_ok=True)
    content = {"row": row, "title": title, "unit": unit, "machine": machine(), "figures": figures}
    path = RESULTS / f"row{row}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")


def machine() -> str:
    """Describe the machine in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores, {model or platform.machine()}, {platform.system()}"
