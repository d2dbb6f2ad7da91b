"""Helpers of the soak runs: sample a process, judge its growth, draw the picture.

This module reads `/proc/self` and therefore works on Linux only.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import RESULTS, machine

# Name of a measure: its label in the table, and the growth allowed (0: none).
MEASURES: dict[str, tuple[str, float]] = {
    "resident": ("resident memory, MiB", 0.02),
    "threads": ("threads of the process", 0.0),
    "handles": ("open file descriptors", 0.0),
    "objects": ("Python objects", 0.02),
    "ncells": ("R: Ncells used", 0.02),
    "vcells": ("R: Vcells used", 0.02),
}
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")


class Watch:
    """Samples of this process.

    `own` holds further measures of the caller, such as R's memory. Garbage is collected after the
    resident set has been read, so that only objects still in use are counted.
    """

    def __init__(self) -> None:
        self.samples: list[dict[str, float]] = []
        self._begun = time.perf_counter()

    def sample(self, step: float, own: Mapping[str, float] | None = None) -> None:
        """Take a sample of the process after `step` steps."""
        process = Path("/proc/self")
        pages = int((process / "statm").read_text().split()[1])
        gc.collect()
        self.samples.append(
            {
                "step": int(step),
                "seconds": round(time.perf_counter() - self._begun, 2),
                "resident": round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 2),
                "threads": len(list((process / "task").iterdir())),
                "handles": len(list((process / "fd").iterdir())),
                "objects": len(gc.get_objects()),
                **{name: round(value) for name, value in (own or {}).items()},
            }
        )

    def write(self, path: str) -> None:
        """Write the samples to the file that the comparing process reads."""
        Path(path).write_text(json.dumps(self.samples))


def epochs_of(steps: int) -> tuple[int, int]:
    """Return steps per epoch (1,000, or fewer so that there are 50 epochs) and epochs."""
    size = max(1, min(1000, steps // 50))
    return size, steps // size


def judged(samples: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Compare the median of each measure in the second tenth of the run with that in the last.

    The first tenth is left out: compiled functions, thread pools and caches are made there.
    """
    tenth = max(1, len(samples) // 10)
    verdict: dict[str, dict[str, Any]] = {}
    for name, (_, allowed) in MEASURES.items():
        if name not in samples[0]:
            continue
        values = [sample[name] for sample in samples]
        before = statistics.median(values[tenth : 2 * tenth])
        after = statistics.median(values[-tenth:])
        growth = after / before - 1
        constant = len(set(values[tenth:])) == 1
        fine = growth < allowed if allowed else constant
        verdict[name] = {"before": before, "after": after, "growth": growth, "pass": fine}
    return verdict


def report(name: str, samples: list[dict[str, float]]) -> bool:
    """Print the table of a setting, and return whether every measure passed."""
    last = samples[-1]
    print(f"\n{name}: {last['step']:,.0f} steps, {last['seconds']:.0f} s, {len(samples)} samples")
    print(f"{'':<26}{'2nd tenth':>14}{'last tenth':>14}{'growth':>10}")
    verdict = judged(samples)
    for measure, found in verdict.items():
        numbers = f"{found['before']:>14,.1f}{found['after']:>14,.1f}{found['growth']:>+10.2%}"
        print(f"{MEASURES[measure][0]:<26}{numbers}  {'pass' if found['pass'] else 'FAIL'}")
    return all(found["pass"] for found in verdict.values())


def keep(runs: Mapping[str, list[dict[str, float]]]) -> None:
    """Write `results/soak.json` and draw `results/soak.png`."""
    RESULTS.mkdir(exist_ok=True)
    content = {
        "machine": machine(),
        "settings": {
            name: {
                "verdict": judged(samples),
                "samples": {key: [s[key] for s in samples] for key in samples[0]},
            }
            for name, samples in runs.items()
        },
    }
    (RESULTS / "soak.json").write_text(json.dumps(content) + "\n")
    draw(runs)


def draw(runs: Mapping[str, list[dict[str, float]]]) -> None:
    """Draw one panel per measure and one line per setting; the first tenth is shaded."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(11, 5.5), layout="constrained")
    for axes, (measure, (label, _)) in zip(panels.flat, MEASURES.items(), strict=True):
        for colour, (name, samples) in zip(COLOURS, runs.items(), strict=False):
            if measure in samples[0]:
                steps = [sample["step"] / 1000 for sample in samples]
                axes.plot(steps, [s[measure] for s in samples], color=colour, lw=1.2, label=name)
        axes.axvspan(0, max(s[-1]["step"] for s in runs.values()) / 10_000, color="#eeeeee")
        axes.set(title=label, xlabel="thousands of steps")
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.title.set_fontsize(10)
        axes.spines[["top", "right"]].set_visible(False)
    panels.flat[0].legend(fontsize=7, loc="lower right")
    figure.savefig(RESULTS / "soak.png", dpi=110)
    plt.close(figure)
