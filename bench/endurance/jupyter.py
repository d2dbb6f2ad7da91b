"""In a Jupyter kernel: train from Python and from an R closure, and interrupt each.

    tools/with-env python bench/endurance/jupyter.py [TRIALS]

Needs `pip install ipykernel jupyter_client`. Starts one real kernel, runs cells in it as a notebook
does, and prints the outcomes; the exit status is 1 if any was not as expected.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from typing import Any

from jupyter_client.manager import start_new_kernel

PATIENCE = 120.0  # seconds for a cell
SETUP = """
import os, threading, warnings
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.simplefilter("ignore")
import keras, numpy as np
import rpy2.robjects as ro
import fitgenerator as fg
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
batches = iter(lambda: (np.ones((4, 2)), np.ones((4, 1))), None)
closure = ro.r("function() list(matrix(rnorm(8), 4), rnorm(4))")
sleepy = ro.r("function() { Sys.sleep(0.1); list(matrix(rnorm(8), 4), rnorm(4)) }")
computing = ro.r("function() { for (i in 1:1e6) sqrt(i); list(matrix(rnorm(8), 4), rnorm(4)) }")
def ours():
    return [t.name for t in threading.enumerate() if t.name.startswith("fitgenerator")]
"""
FIT = "history = fg.fit_generator(model, {source}, {steps}, epochs=2)\nprint('left', ours())"
SOURCES = ["batches", "closure", "sleepy", "computing"]


class Cells:
    """A kernel, and what its cells print and raise."""

    def __init__(self) -> None:
        self.manager, self._client = start_new_kernel()

    def run(self, code: str, interrupt_after: float | None = None) -> tuple[str, str, float]:
        """Run a cell; what it printed, what it raised, and how long it took after an interrupt."""
        said: list[str] = []
        sent = [time.perf_counter()]

        def hear(message: Any) -> None:
            if message["msg_type"] == "stream":
                said.append(message["content"]["text"])

        def interrupt() -> None:
            sent[0] = time.perf_counter()
            self.manager.interrupt_kernel()

        timer = threading.Timer(interrupt_after or 0.0, interrupt)
        if interrupt_after is not None:
            timer.start()
        reply = self._client.execute_interactive(code, timeout=PATIENCE, output_hook=hear)
        seconds = time.perf_counter() - sent[0]
        timer.cancel()
        content = reply["content"]
        return "".join(said), content.get("ename", ""), seconds

    def close(self) -> float:
        """Shut the kernel down; how long that took."""
        begun = time.perf_counter()
        self._client.stop_channels()
        self.manager.shutdown_kernel()
        return time.perf_counter() - begun


def trained(cells: Cells, source: str) -> bool:
    """Train; whether both epochs were reported and nothing is left."""
    said, raised, _ = cells.run(FIT.format(source=source, steps=3))
    return not raised and said.count("Epoch") == 2 and "left []" in said


def interrupted(cells: Cells, source: str) -> tuple[str, float]:
    """Interrupt a training at a random moment; what was raised, and how long after the signal."""
    long = FIT.format(source=source, steps=10**7)
    _, raised, seconds = cells.run(long, interrupt_after=random.uniform(0.3, 1.5))
    return raised or "nothing", seconds


def main() -> None:
    """Run the cells and say what came."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    cells, fine = Cells(), True
    assert not cells.run(SETUP)[1]
    for source in SOURCES:
        well = trained(cells, source)
        raised, slowest = [], 0.0
        for _ in range(trials):
            came, seconds = interrupted(cells, source)
            raised.append(came)
            slowest = max(slowest, seconds)
            well = trained(cells, source) and came == "KeyboardInterrupt" and well
        arrived = raised.count("KeyboardInterrupt")
        print(
            f"{source:<12}{arrived} of {trials} interrupts arrived, slowest {slowest:.2f} s: "
            f"{'pass' if well else 'FAIL'}"
        )
        fine = fine and well
    print(f"shut down in {cells.close():.1f} s")
    sys.exit(not fine)


if __name__ == "__main__":
    main()
