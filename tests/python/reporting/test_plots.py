"""Pictures of histories and pipelines: what they show, and that they can be saved."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
from fitgenerator import History, Pipeline, SetupError
from fitgenerator.errors import ArgumentError
from fitgenerator.reporting.plot_history import moving_average
from fitgenerator.reporting.plot_pipeline import bars_of, draw_timeline
from fitgenerator.reporting.timeline import Event
from support.tiny_trainings import echo_model, new_echo_model, numbered, numbered_batch, run


@pytest.fixture(autouse=True)
def no_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Draws into files, complains of `show`, and closes every figure."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a picture must not show itself")

    monkeypatch.setattr(pyplot, "show", refuse)
    yield
    pyplot.close("all")


def history_of(epochs: int = 3, freq: int = 1, **metrics: list[float]) -> History:
    """A history with falling losses, or with other metrics."""
    history = History()
    history.epoch = list(range(epochs))
    history.validation_freq = freq
    falling = [1 / (n + 1) for n in range(epochs)]
    history.history = metrics or {"loss": falling, "val_loss": falling[freq - 1 :: freq]}
    return history


def saved(axes: Any, path: Path) -> bool:
    """Whether the axes' figure becomes a picture with something in it."""
    path = path / "picture.png"
    axes.figure.savefig(path)
    content = path.read_bytes()
    return content.startswith(b"\x89PNG") and len(content) > 3000


# -- histories ----------------------------------------------------------------------------------


@pytest.mark.parametrize("epochs", [1, 3, 50])
def test_a_trained_history_has_a_panel_for_each_metric(epochs: int, tmp_path: Path) -> None:
    history = run(echo_model(), numbered(), 1, epochs, None, [numbered_batch(1)])
    (ax,) = history.plot()
    assert ax.get_title(loc="left") == "loss"
    assert [line.get_label() for line in ax.lines] == ["training", "validation"]
    assert list(ax.lines[0].get_xdata()) == list(range(1, epochs + 1))
    assert list(ax.lines[0].get_ydata()) == history.history["loss"]
    assert all(tick == int(tick) for tick in ax.get_xticks())
    assert [text.get_text() for text in ax.figure.legends[0].texts] == ["training", "validation"]
    assert saved(ax, tmp_path)


def test_S2_a_training_that_was_stopped_early_is_drawn_as_far_as_it_came(tmp_path: Path) -> None:
    unseen = [numbered_batch(1)]
    callbacks = [
        keras.callbacks.EarlyStopping("val_loss", patience=2),
        keras.callbacks.ReduceLROnPlateau("val_loss", patience=1),
    ]
    axes = run(new_echo_model(), numbered(), 1, 50, callbacks, unseen).plot(smooth=0.6)
    assert [ax.get_title(loc="left") for ax in axes] == ["loss", "learning_rate"]
    assert list(axes[0].lines[0].get_xdata()) == [1, 2, 3]
    assert saved(axes[0], tmp_path)


def test_many_metrics_share_a_figure(tmp_path: Path) -> None:
    metrics = {f"{start}metric_{n}": [1.0, 2.0] for n in range(13) for start in ("", "val_")}
    axes = history_of(2, **metrics).plot()
    assert [ax.get_title(loc="left") for ax in axes] == [f"metric_{n}" for n in range(13)]
    assert len(axes[0].figure.axes) == 13
    assert saved(axes[0], tmp_path)


def test_some_of_the_metrics_in_the_order_asked_for() -> None:
    history = history_of(2, loss=[2.0, 1.0], acc=[0.1, 0.2], learning_rate=[0.1, 0.01])
    names = [ax.get_title(loc="left") for ax in history.plot(["learning_rate", "loss"])]
    assert names == ["learning_rate", "loss"]
    assert len(history.plot("acc")) == 1
    assert not history.plot("acc")[0].figure.legends  # no validation: nothing to tell apart


def test_validation_stands_at_its_epochs() -> None:
    (ax,) = history_of(6, freq=2).plot()
    assert list(ax.lines[1].get_xdata()) == [2, 4, 6]


def test_a_metric_that_came_late_stands_at_the_last_epochs() -> None:
    (_, ax) = history_of(3, loss=[3.0, 2.0, 1.0], learning_rate=[0.1, 0.01]).plot()
    assert list(ax.lines[0].get_xdata()) == [2, 3]


def test_values_that_cannot_be_drawn_break_the_line_and_are_named(tmp_path: Path) -> None:
    values = [1.0, math.nan, 0.5, math.inf, math.nan, 0.0]
    (ax,) = history_of(6, loss=values).plot(log=True)
    assert [math.isfinite(v) for v in ax.lines[0].get_ydata()] == [True, False, True] + 3 * [False]
    assert ax.get_yscale() == "log"
    note = ax.figure.get_supxlabel()
    assert note == ("loss is not finite at epochs 2 and 4 to 5.\nloss is not above 0 at epoch 6.")
    assert saved(ax, tmp_path)
    (ax,) = history_of(1, loss=[math.nan]).plot()
    assert ax.texts[0].get_text() == "loss is not finite at epoch 1."


def test_smoothing_is_drawn_over_the_values() -> None:
    (ax,) = history_of(3, loss=[1.0, 0.0, 1.0]).plot(smooth=0.5)
    values, smoothed = ax.lines
    assert list(values.get_ydata()) == [1.0, 0.0, 1.0]
    assert list(smoothed.get_ydata()) == moving_average([1.0, 0.0, 1.0], 0.5)
    assert moving_average([2.0, 2.0, 2.0], 0.9) == pytest.approx([2.0, 2.0, 2.0])
    assert moving_average([1.0, 0.0], 0.5) == pytest.approx([1.0, 1 / 3])
    assert moving_average([5.0, math.nan, 1.0], 0.5)[2] == 1.0


def test_long_trainings_have_lines_without_points() -> None:
    (ax,) = history_of(31, loss=[1.0] * 29 + [math.nan, 1.0]).plot()
    assert ax.lines[0].get_markevery() == [30]  # one that no line leads to
    (ax,) = history_of(31, loss=[1.0] * 31).plot()
    assert ax.lines[0].get_marker() == ""


def test_a_history_without_an_epoch_says_so(tmp_path: Path) -> None:
    (ax,) = History().plot()
    assert ax.texts[0].get_text() == "No epoch was finished: there is nothing to draw."
    assert saved(ax, tmp_path)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"metrics": "auc"}, '`metrics` must be among "loss"; there is no "auc".'),
        ({"smooth": 1}, "`smooth` must be a number from 0 to below 1, not 1."),
        ({"smooth": "a"}, "`smooth` must be a number from 0 to below 1, not a str of length 1."),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        history_of().plot(**options)
    assert str(caught.value) == text


# -- pipelines ----------------------------------------------------------------------------------


def test_stages_have_a_bar_each(tmp_path: Path) -> None:
    pipeline = Pipeline(generator=2.0, step=1.0, wall=4.0, steps=10, batches=1200)
    ax = pipeline.plot()
    (bars,) = ax.containers
    assert [bar.get_width() for bar in bars] == [2.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]
    assert ax.texts[0].get_text() == "2.00 s (50 %)"
    assert "Where the time went (10 steps, 1,200 batches drawn)" in ax.figure.get_suptitle()
    assert saved(ax, tmp_path)
    assert saved(Pipeline().plot(), tmp_path)


def test_the_timeline_shows_the_last_steps_thread_by_thread(tmp_path: Path) -> None:
    pipeline = run(echo_model(), numbered(), 20, max_queue_size=1).pipeline
    ax = pipeline.plot("timeline", last=5)
    assert [t.get_text() for t in ax.get_yticklabels()][-1] == "calling thread"
    steps = next(bars for bars in ax.containers if bars.get_label() == "step")
    assert len(steps) == 5
    names = [text.get_text() for text in ax.figure.legends[0].texts]
    assert names[-1] == "step"
    assert saved(ax, tmp_path)
    assert saved(Pipeline().plot("timeline"), tmp_path)


def test_what_is_not_in_the_time_of_the_last_steps_is_left_out() -> None:
    def event(batch: int, what: str, begin: float, end: float) -> Event:
        lane = "queue" if what == "queue" else "calling thread"
        return Event("generator", batch, what, begin, end, lane)

    early = event(9, "generator", 0.0, 0.5)  # of a batch that is used later
    steps = [event(n, "step", float(n), n + 0.5) for n in (1, 2, 3)]
    queued = [event(n, "queue", 1.5, float(n)) for n in (2, 3)]
    bars = bars_of([early, *steps, *queued], last=2)
    assert sorted((b.event.what, b.event.batch, b.left, b.right) for b in bars) == [
        ("queue", 3, 2.0, 3.0),
        ("step", 2, 2.0, 2.5),
        ("step", 3, 3.0, 3.5),
    ]
    first, second = (b for b in bars_of([*steps, *queued], last=3) if b.event.what == "queue")
    assert first.high < second.low  # one above the other
    together = [event(n, "step", 1.0, 2.0) for n in (4, 5, 6)]
    assert [b.label for b in bars_of(together, last=3)] == ["4-6"]
    assert draw_timeline(together, 1).texts[0].get_text() == "4-6"


def test_wrong_kinds_and_counts_are_named() -> None:
    with pytest.raises(ArgumentError, match='`kind` must be "stages" or "timeline", not'):
        Pipeline().plot("pie")
    with pytest.raises(ArgumentError, match="`last` must be a whole number of at least 1, not 0"):
        Pipeline().plot("timeline", last=0)


def test_matplotlib_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (history_of().plot, Pipeline().plot):
        with pytest.raises(SetupError, match=r'pip install "fitgenerator\[plot\]"'):
            draw()
