"""The picture of a history: a panel for each metric, training and validation together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arguments import Unchecked
from ..errors import ArgumentError, SetupError
from ..messages import cut, describe
from ..models.protocol import Metric

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by everyone, and by form where there is no colour: colour, marker and line.
_STYLES = {"training": ("#0072B2", "o", "-"), "validation": ("#D55E00", "^", "--")}
# More epochs than this have a line without points.
_MANY_EPOCHS = 30


@dataclass(frozen=True)
class Epochs:
    """The figures of a history."""

    metrics: Mapping[str, Sequence[Metric]]  # values by name, those of validations with `val_`
    finished: Sequence[int]  # numbers of the finished epochs, from 0
    validation_freq: int | Sequence[int]  # epochs with a validation, as `fit_generator` takes it


@dataclass(frozen=True)
class Series:
    """The values of one metric in training or in validation."""

    metric: str  # its name, without `val_`
    data: str  # "training" or "validation"
    epochs: list[int]  # the epochs at which it was measured, from 1
    values: list[float]  # its values there; NaN where they cannot be drawn
    note: str  # which cannot, in a sentence, or nothing


def pyplot() -> Any:
    """matplotlib's `pyplot`; a `SetupError` where matplotlib is not installed."""
    try:
        from matplotlib import pyplot as module
    except ImportError as error:
        raise SetupError(
            f"Pictures need matplotlib, which could not be loaded ({error}); install it with "
            '`pip install "fitgenerator[plot]"`.'
        ) from error
    return module


def draw(history: Epochs, metrics: Sequence[str] | None, smooth: float, log: bool) -> list[Axes]:
    """Draw a history; the axes of its panels."""
    plt = pyplot()
    panels = panels_of(history, metrics, log)
    smooth = _share(smooth)
    names = [name for name, panel in panels.items() if any(map(_drawable, panel))]
    columns = _columns(len(names))
    rows = max(1, -(-len(names) // columns))
    size = (max(6.4, 2.6 * columns), max(3.6, 1.9 * rows))
    figure, grid = plt.subplots(
        rows, columns, squeeze=False, sharex=True, figsize=size, layout="constrained"
    )
    axes = list(grid.flat)
    for spare in axes[max(1, len(names)) :]:
        spare.remove()
    for ax, name in zip(axes, names, strict=False):
        _draw_panel(ax, name, panels[name], smooth, log)
    notes = "\n".join(series.note for name in panels for series in panels[name] if series.note)
    if not names:
        axes[0].set_axis_off()
        nothing = notes or "No epoch was finished: there is nothing to draw."
        axes[0].text(0.5, 0.5, nothing, ha="center", va="center")
        return axes[:1]
    for ax in axes[max(0, len(names) - columns) : len(names)]:
        ax.set_xlabel("epoch")
        ax.tick_params(labelbottom=True)
    if notes:
        figure.supxlabel(notes, fontsize="small", x=0.99, ha="right")
    _draw_legend(figure, axes[: len(names)])
    return axes[: len(names)]


def _share(smooth: Unchecked) -> float:
    if isinstance(smooth, bool):
        return 0.6 if smooth else 0.0
    if not isinstance(smooth, (int, float)) or not 0 <= smooth < 1:
        shown = cut(repr(smooth)) if isinstance(smooth, (int, float)) else describe(smooth)
        raise ArgumentError.of("smooth", f"must be a number from 0 to below 1, not {shown}.")
    return float(smooth)


def panels_of(history: Epochs, metrics: Sequence[str] | None, log: bool) -> dict[str, list[Series]]:
    """The series of each panel.

    Raises:
        ArgumentError: There is no metric of that name.
    """
    known: dict[str, list[Series]] = {}
    for name in history.metrics:
        known.setdefault(name.removeprefix("val_"), []).append(_series(history, name, log))
    if metrics is None:
        return known
    wanted = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in wanted:
        if name not in known:
            names = ", ".join(f'"{k}"' for k in known) or "those of a finished epoch"
            raise ArgumentError.of(
                "metrics", f'must be among {names}; there is no "{cut(str(name))}".'
            )
    return {name: known[name] for name in wanted}


def _series(history: Epochs, name: str, log: bool) -> Series:
    epochs = [epoch + 1 for epoch in history.finished]
    values = [_number(value) for value in history.metrics[name]]
    epochs = _measured(history, name, epochs, len(values))
    values = values[len(values) - len(epochs) :]
    infinite = [e for e, v in zip(epochs, values, strict=True) if not math.isfinite(v)]
    low = [e for e, v in zip(epochs, values, strict=True) if log and math.isfinite(v) and v <= 0]
    bad = {*infinite, *low}
    drawable = [math.nan if e in bad else v for e, v in zip(epochs, values, strict=True)]
    told = ((infinite, "is not finite"), (low, "is not above 0"))
    note = "\n".join(f"{name} {what} at {_epochs_text(at)}." for at, what in told if at)
    data = "validation" if name.startswith("val_") else "training"
    return Series(name.removeprefix("val_"), data, epochs, drawable, note)


def _number(value: Metric) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):  # a callback may log anything
        return math.nan


def _measured(history: Epochs, name: str, epochs: list[int], count: int) -> list[int]:
    """The epochs that `count` values belong to: those of the validations, else the last ones."""
    freq = history.validation_freq
    if name.startswith("val_") and count < len(epochs):
        chosen = [e for e in epochs if (e % freq == 0 if isinstance(freq, int) else e in freq)]
        if len(chosen) == count:
            return chosen
    return epochs[max(0, len(epochs) - count) :]


def _epochs_text(epochs: list[int]) -> str:
    """ "epoch 3", "epochs 2 and 5 to 7"."""
    runs: list[list[int]] = []
    for epoch in epochs:
        if runs and epoch == runs[-1][-1] + 1:
            runs[-1].append(epoch)
        else:
            runs.append([epoch])
    texts = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    if len(texts) > 4:
        texts = [*texts[:3], f"{sum(map(len, runs[3:]))} more"]
    start = "epoch" if len(epochs) == 1 else "epochs"
    *first, last = texts
    return f"{start} {', '.join(first)} and {last}" if first else f"{start} {last}"


def _drawable(series: Series) -> bool:
    return any(map(math.isfinite, series.values))


def _columns(panels: int) -> int:
    """So that no panel is a mere stripe."""
    if panels <= 3:
        return 1
    return 2 if panels <= 8 else math.ceil(math.sqrt(panels))


def _draw_panel(ax: Axes, name: str, panel: list[Series], smooth: float, log: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    for series in panel:
        colour, marker, line = _STYLES[series.data]
        alone = [i for i in range(len(series.values)) if _is_alone(series.values, i)]
        shown: dict[str, Any] = {"marker": marker, "markersize": 4, "color": colour}
        if len(series.epochs) > _MANY_EPOCHS:  # without a point, there is none in the legend
            shown |= {"markevery": alone} if alone else {"marker": ""}
        label, style, alpha = (None, "-", 0.4) if smooth else (series.data, line, 1.0)
        ax.plot(series.epochs, series.values, **shown, linestyle=style, alpha=alpha, label=label)
        if smooth:
            smoothed = moving_average(series.values, smooth)
            ax.plot(series.epochs, smoothed, color=colour, linestyle=line, label=series.data)
    if log:
        ax.set_yscale("log")
    ax.set_title(name, loc="left", fontsize="medium")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    ax.grid(alpha=0.3)


def _is_alone(values: list[float], i: int) -> bool:
    """Whether no line leads to a point."""
    neighbours = values[max(0, i - 1) : i] + values[i + 1 : i + 2]
    return not any(map(math.isfinite, neighbours))


def moving_average(values: Sequence[float], weight: float) -> list[float]:
    """An exponential one, corrected for its beginning; it begins anew after a NaN."""
    smoothed, total, share = [], 0.0, 0.0
    for value in values:
        if math.isfinite(value):
            total = weight * total + (1 - weight) * value
            share = weight * share + 1 - weight
            smoothed.append(total / share)
        else:
            total, share = 0.0, 0.0
            smoothed.append(math.nan)
    return smoothed


def _draw_legend(figure: Figure, axes: list[Axes]) -> None:
    """One for all panels, where there is validation."""
    handles: dict[str, Any] = {}
    for ax in axes:
        found, labels = ax.get_legend_handles_labels()
        handles.update(zip(labels, found, strict=True))
    if len(handles) > 1:
        figure.legend(
            handles.values(), handles.keys(), loc="outside upper right", ncols=2, frameon=False
        )
