"""The pictures of a pipeline: how long each stage took, and a timeline of the last steps."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arguments import whole
from .plot_history import pyplot
from .timeline import Event

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Working and waiting in two colours, so that the bar that matters is seen at once.
_WORKS, _WAITS, _OTHER = "#0072B2", "#D55E00", "#999999"
_STAGES = (
    ("generator", "generator", _WORKS),
    ("conversion", "conversion to tensors", _WORKS),
    ("generator_waited", "generator waited for room", _WAITS),
    ("model_waited", "model waited for data", _WAITS),
    ("step", "steps of the model", _WORKS),
    ("callbacks", "callbacks", _WORKS),
    ("other", "everything else", _OTHER),
)
# What a batch goes through, in order, with colours that everyone can tell apart.
_EVENTS = {
    "generator": ("generator", "#0072B2"),
    "conversion": ("conversion", "#56B4E9"),
    "queue": ("in the queue", "#999999"),
    "wait": ("model waits", "#E69F00"),
    "step": ("step", "#009E73"),
    "callbacks": ("callbacks", "#CC79A7"),
}


def draw_stages(figures: Mapping[str, Any]) -> Any:
    """Draw how long each stage took, from the figures of `Pipeline.as_dict`; the axes."""
    plt = pyplot()
    figure, ax = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
    labels = [label for _, label, _ in _STAGES]
    if figures["workers"]:
        labels[0] += f" (in {len(figures['workers'])} workers)"
    seconds = [figures[name] for name, *_ in _STAGES]
    bars = ax.barh(labels, seconds, color=[colour for *_, colour in _STAGES], height=0.7)
    ax.bar_label(bars, [_amount(s, figures["wall"]) for s in seconds], padding=4)
    ax.invert_yaxis()
    ax.set_xlim(0, 1.3 * max(*seconds, 1e-9))
    ax.set_xlabel("seconds")
    ax.spines[["top", "right"]].set_visible(False)
    counts = f"{figures['steps']:,} steps, {figures['batches']:,} batches drawn"
    verdict = "\n".join(textwrap.wrap(figures["verdict"], 90))
    title = f"Where the time went ({counts})\n{verdict}"
    figure.suptitle(title, x=0.01, ha="left", fontsize="medium")
    return ax


def _amount(seconds: float, wall: float) -> str:
    text = f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    return f"{text} ({seconds / wall:.0%})".replace("%", " %") if wall > 0 else text


@dataclass(slots=True)
class Bar:
    """A rectangle: an event, or the step that several batches share."""

    event: Event  # the event, of its first batch
    label: str  # the number of its batch, or batches
    left: float  # when it begins, in seconds since the call did
    right: float  # when it ends
    low: float = -0.38  # its lower edge, within its lane: 0 is the middle, and lanes are 1 apart
    high: float = 0.38  # its upper edge


def draw_timeline(events: list[Event], last: int) -> Any:
    """Draw the last steps, thread by thread; the axes."""
    last = whole(last, "last", 1)
    plt = pyplot()
    bars = bars_of(events, last)
    lanes = lanes_of(bar.event for bar in bars)
    _, ax = plt.subplots(figsize=(9, 1.6 + 0.9 * max(1, len(lanes))), layout="constrained")
    if not bars:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "No batch was made: there is nothing to draw.", ha="center", va="center")
        return ax
    span = max(bar.right for bar in bars) - min(bar.left for bar in bars)
    # A wait may span what the same thread does meanwhile, in lock-step: it is drawn first.
    for what, (name, colour) in sorted(_EVENTS.items(), key=lambda kind: kind[0] != "wait"):
        _draw_events(ax, [b for b in bars if b.event.what == what], lanes, span, name, colour)
    ax.set_yticks(range(len(lanes)), lanes)
    ax.set_ylim(len(lanes) - 0.5, -0.5)
    ax.use_sticky_edges = False
    ax.margins(x=0.02)
    ax.autoscale_view(scaley=False)
    ax.ticklabel_format(axis="x", useOffset=False)
    ax.set_xlabel("seconds since the call began")
    drawn = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    names = [name for name, _ in _EVENTS.values() if name in drawn]
    handles, where = [drawn[name] for name in names], "outside upper center"
    ax.figure.legend(handles, names, loc=where, ncols=len(names), frameon=False)
    return ax


def _draw_events(
    ax: Axes, bars: list[Bar], lanes: list[str], span: float, name: str, colour: str
) -> None:
    """Draw the bars of one kind."""
    if not bars:
        return
    middles = [lanes.index(bar.event.lane) - (bar.low + bar.high) / 2 for bar in bars]
    widths = [bar.right - bar.left for bar in bars]
    queued = name == "in the queue"
    ax.barh(
        middles,
        widths,
        [bar.high - bar.low for bar in bars],
        [bar.left for bar in bars],
        color=colour,
        edgecolor=[colour if queued or width < 0.005 * span else "white" for width in widths],
        linewidth=0.0 if queued else 0.3,
        label=name,
    )
    for bar, width in zip(bars, widths, strict=True):
        if width > 0.01 * (1 + len(bar.label)) * span:
            at = (bar.left + width / 2, lanes.index(bar.event.lane))
            ax.text(*at, bar.label, color="white", fontsize=7, ha="center", va="center")


def bars_of(events: list[Event], last: int) -> list[Bar]:
    """What happened in the time of the last steps."""
    steps = [event for event in events if event.what == "step"][-last:]
    since = min((event.begin for event in events), default=0.0)
    if steps:
        begins = [e for e in events if e[:2] == steps[0][:2] and e.what in ("wait", "step")]
        since = min(event.begin for event in begins)
    shown = [event for event in events if event.end > since]
    bars = []
    for group in _calls(shown):
        event, number = group[0], group[0].batch
        label = str(number) if len(group) == 1 else f"{number}-{group[-1].batch}"
        label = label if event.source == "generator" else f"val {label}"
        label = label if event.what in ("generator", "step") else ""
        bar = Bar(event, label, max(event.begin, since), event.end)
        if event.what == "wait":
            bar.low, bar.high = -0.12, 0.12
        bars.append(bar)
    _stack([bar for bar in bars if bar.event.what == "queue"])
    return bars


def _calls(events: list[Event]) -> list[list[Event]]:
    """The events; steps of one call together, in the order of their batches."""
    groups: dict[Any, list[Event]] = {}
    for i, event in enumerate(events):
        shared = (event.source, event.begin, event.end)
        groups.setdefault(shared if event.what == "step" else i, []).append(event)
    return [sorted(group, key=lambda event: event.batch) for group in groups.values()]


def _stack(bars: list[Bar]) -> None:
    """Give each batch in the queue a line of its own, the lowest that is free."""
    free: list[float] = []
    lines = []
    for bar in sorted(bars, key=lambda bar: (bar.left, bar.right)):
        line = next((i for i, since in enumerate(free) if since <= bar.left), len(free))
        free[line : line + 1] = [bar.right]
        lines.append((bar, line))
    height = 0.76 / max(1, len(free))
    for bar, line in lines:
        bar.low = -0.38 + line * height
        bar.high = bar.low + 0.7 * height


def lanes_of(events: Iterable[Event]) -> list[str]:
    """The lanes in the order in which a batch passes them."""
    order = list(_EVENTS)
    first: dict[str, int] = {}
    for event in events:
        rank = order.index(event.what)
        first[event.lane] = min(rank, first.get(event.lane, rank))
    return sorted(first, key=lambda lane: (first[lane], len(lane), lane))
