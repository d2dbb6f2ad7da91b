"""What the soak runs share: the watching of a process, the verdict on it, the picture.

Linux only: it reads `/proc/self`.
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

# Measure: what it is in the table, and how much it may grow (0: not at all).
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
    """Samples of this process, one at a time.

    `own` are measures of the caller's: R's memory. Garbage is collected after the resident set was
    read, so that only what is held counts as an object.
    """

    def __init__(self) -> None:
        self.samples: list[dict[str, float]] = []
        self._begun = time.perf_counter()

    def sample(self, step: float, own: Mapping[str, float] | None = None) -> None:
        """Look at the process after so many steps."""
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
        """Leave the samples where the process that compares the settings finds them."""
        Path(path).write_text(json.dumps(self.samples))


def epochs_of(steps: int) -> tuple[int, int]:
    """Steps of an epoch and the number of epochs: 1,000, or so few that there are 50 epochs."""
    size = max(1, min(1000, steps // 50))
    return size, steps // size


def judged(samples: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Each measure's median in the second tenth of the run and in the last, and whether it is well.

    The first tenth is for what is made once: compiled functions, pools of threads, caches.
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
    """Print a setting's table; whether all of it is well."""
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
    """A panel for each measure, a line for each setting; the first tenth is shaded."""
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
