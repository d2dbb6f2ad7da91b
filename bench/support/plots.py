"""Draw every row in `bench/results/` as a picture next to its figures.

tools/with-env python bench/support/plots.py
"""

from __future__ import annotations

import json
import statistics
from typing import Any

import matplotlib as mpl
from common import RESULTS

mpl.use("Agg")
import matplotlib.pyplot as plt

OURS, OTHER = "#1f77b4", "#b0b0b0"
LABELS = (
    "fit_generator",
    "R closure",
    "queue",
    "fit",
    "ours",
    "crossing",
    "feeder",
    "flow",
    "workers",
)


def bars(content: dict[str, Any]) -> Any:
    """Draw the medians as bars with their spread; the bars of fitgenerator are blue."""
    figures = {name: values for name, values in content["figures"].items() if len(values)}
    names = list(figures)[::-1]
    medians = [statistics.median(figures[name]) for name in names]
    low = [m - min(figures[n]) for n, m in zip(names, medians, strict=True)]
    high = [max(figures[n]) - m for n, m in zip(names, medians, strict=True)]
    colours = [OURS if name.startswith(LABELS) else OTHER for name in names]
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.36 * len(names)), layout="constrained")
    axes.barh(names, medians, color=colours, xerr=[low, high], error_kw={"lw": 1, "capsize": 2})
    for place, median in enumerate(medians):
        label = f" {median:.0f}" if median >= 100 else f" {median:.3g}"
        axes.text(median, place, label, va="bottom", fontsize=8)
    axes.set_xlabel(content["unit"])
    axes.set_title(content["title"], fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def curves(content: dict[str, Any]) -> Any:
    """Draw the cost of a step and the memory against the size of the work."""
    kinds = content["figures"]
    figure, panels = plt.subplots(
        1, len(kinds), figsize=(3.2 * len(kinds), 3), layout="constrained"
    )
    for axes, (kind, rows) in zip(panels, kinds.items(), strict=True):
        sizes = [int(size) for size in rows]
        axes.plot(sizes, [cells["us"] for cells in rows.values()], "o-", color=OURS)
        axes.set(xscale="log", yscale="log", xlabel=kind)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
        axes.set_xticks([], minor=True)
        beside = axes.twinx()
        beside.plot(sizes, [cells["MiB"] for cells in rows.values()], "x:", color="#d62728")
        beside.set_ylim(-5, 105)
        beside.tick_params(axis="y", colors="#d62728")
    panels[0].set_ylabel(content["unit"])
    figure.suptitle(f"{content['title']} (dotted, red: MiB more after the call)", fontsize=11)
    return figure


for path in sorted(RESULTS.glob("row*.json")):
    content = json.loads(path.read_text())
    figure = curves(content) if content["row"] == "6" else bars(content)
    figure.savefig(path.with_suffix(".png"), dpi=110)
    plt.close(figure)
    print(path.with_suffix(".png"))
