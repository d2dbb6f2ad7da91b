"""What files within epochs cost: a training with them over the same without.

    tools/with-env python bench/rows/checkpoint.py [PAIRS]

The model has 1.2 million weights, and a file 14 MB. `every` is such that a file is due each 2 s; by
`seconds`, one is due each 30 s. The pairs are interleaved, because machines are noisy. The second
ratio is that of the processor's time, of all threads, which other processes disturb less.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parents[1] / "endurance"))

import fitgenerator as fg
import numpy as np
from common import alternate
from resume_training import FEATURES, new_model

PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 9
ROWS = 256  # of a batch
DUE = 2.0  # seconds from one file by `every` to the next
LONG = 30.0  # and by `seconds`


def main() -> None:
    """Print the median of the ratios, for both ways."""
    model: Any = new_model()
    x = np.random.default_rng(1).normal(size=(100 * ROWS, FEATURES)).astype("float32")
    flow = fg.flow_from_data(x, x.sum(axis=1, keepdims=True), batch_size=ROWS, shuffle=True, seed=1)

    def run(steps: int, **due: Any) -> tuple[float, float]:
        """Seconds that a training takes, and those of the processor."""
        with tempfile.TemporaryDirectory() as folder:
            saved = [fg.Checkpoint(Path(folder) / "training.npz", **due)] if due else []
            begun, used = time.perf_counter(), time.process_time()
            fg.fit_generator(model, flow, steps, verbose=0, callbacks=saved)
            return time.perf_counter() - begun, time.process_time() - used

    run(200)
    rate = 1000 / run(1000)[0]
    every, short, long = int(DUE * rate), int(6.5 * DUE * rate), int(1.2 * LONG * rate)
    compare(f"every {every} steps ({DUE:.0f} s)", run, short, PAIRS, every=every)
    compare(f"seconds {LONG:.0f}", run, long, max(1, PAIRS // 3), seconds=LONG)


def compare(name: str, run: Any, steps: int, pairs: int, **due: Any) -> None:
    """Print the ratios of one way."""
    ways = {"without": lambda: run(steps), "with": lambda: run(steps, **due)}
    figures = alternate(ways, pairs)
    for what, place in (("time", 0), ("processor", 1)):
        both = zip(figures["with"], figures["without"], strict=True)
        ratios = sorted(w[place] / o[place] for w, o in both)
        print(f"{name}, {what}: ratios", *(f"{ratio:.3f}" for ratio in ratios))
        print(f"{name}, {what}: {statistics.median(ratios):.3f} of {pairs} pairs (at most 1.05)")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
