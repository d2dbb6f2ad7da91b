"""Does anything grow in a long run: memory, threads, open files, R's own memory?

    tools/with-env python bench/endurance/soak.py [STEPS]

Runs four settings of 100,000 steps, each in a process of its own: epochs of 1,000 steps with
validation and hooks, one of which predicts 50 times (case M3), and a sample after every epoch.
Memory may grow by 2 % from the second tenth of a run to the last; the numbers of threads and of
open files may not grow. Writes `bench/results/soak.json` and `bench/results/soak.png`; the exit
status is 1 if a setting failed. `soak.R` runs the settings of an R session.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from common import small_batch, small_model
from process_watch import Watch, epochs_of, keep, report

HERE = Path(__file__).parent
SETTINGS: dict[str, tuple[str, ...]] = {
    "Python generator": ("soak.py", "generator"),
    "R closure": ("soak.R", "closure"),
    "R closure, hooks at every batch": ("soak.R", "hooks"),
    "R closure through rpy2": ("soak.py", "rpy2"),
}
R_CLOSURE = "function() { x <- matrix(rnorm(512), 32); list(x, rowSums(x)) }"


def new_batches() -> Any:
    """Batches that are made anew each time."""
    x, y = small_batch()
    number = 0
    while True:
        number += 1
        yield x * (1 + number % 7), y * (1 + number % 7)


def r_memory() -> dict[str, float]:
    """What R uses after a collection."""
    from rpy2 import rinterface

    used = rinterface.baseenv["gc"]()
    return {"ncells": used[0], "vcells": used[1]}


def sources(setting: str) -> tuple[Callable[[], Any], Callable[[], dict[str, float]]]:
    """What makes a generator, and what measures its language's own memory."""
    if setting == "generator":
        return new_batches, dict
    warnings.simplefilter("ignore")  # of rpy2, about the environment that it sets
    import rpy2.robjects as ro

    return lambda: ro.r(R_CLOSURE), r_memory


def soak(setting: str, steps: int, path: str) -> None:
    """Train for so many steps; leaves the samples in a file."""
    import fitgenerator
    import keras

    make, own = sources(setting)
    size, epochs = epochs_of(steps)
    watch, inputs = Watch(), small_batch()[0]

    class Hooks(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            for _ in range(50):
                self.model.predict_on_batch(inputs)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            watch.sample((epoch + 1) * size, own())

    callbacks = [Hooks(), keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)]
    fitgenerator.fit_generator(
        small_model(), make(), size, epochs, 0, callbacks, make(), validation_steps=10
    )
    watch.write(path)


def command(script: str, setting: str, steps: int, path: str) -> list[str]:
    """How a setting's process is started."""
    program = [sys.executable] if script.endswith(".py") else ["Rscript"]
    return [*program, str(HERE / script), str(steps), setting, path]


def main() -> None:
    """Run every setting, or the one that is named, for its parent."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    if len(sys.argv) > 2:
        soak(sys.argv[2], steps, sys.argv[3])
        return
    runs, fine = {}, True
    with tempfile.TemporaryDirectory() as folder:
        for name, (script, setting) in SETTINGS.items():
            path = Path(folder) / f"{setting}.json"
            subprocess.run(command(script, setting, steps, str(path)), check=True)
            runs[name] = json.loads(path.read_text())
            fine = report(name, runs[name]) and fine
    keep(runs)
    print("\npassed" if fine else "\nFAILED")
    sys.exit(not fine)


if __name__ == "__main__":
    main()
