"""A training that is shown: what the page gets, and that the training does not care."""

from __future__ import annotations

import json
import sys
import threading
import types
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from fitgenerator import ArgumentError, LiveView, LiveViewWarning, fit_generator
from fitgenerator.live import display, server, state, view
from fitgenerator.reporting import window
from fitgenerator.reporting.meter import Meter
from support.tiny_trainings import (
    at_epoch_end,
    linear_model,
    make_batches,
    new_echo_model,
    numbered,
    run,
)


def saved_state(path: Path) -> list[Any]:
    """The metrics and the pipeline that a saved page holds."""
    text = path.read_text("utf-8")
    begin = text.index('id="state">') + len('id="state">')
    found: list[Any] = json.loads(text[begin : text.index("</script>", begin)])
    return found


def adding(values: Callable[[], dict[str, Any]]) -> Any:
    """A callback that adds metrics."""
    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(values()))


def train(model: Any, shown: LiveView, *others: Any, **settings: Any) -> Any:
    """Three epochs of four steps, with validation."""
    return fit_generator(
        model,
        iter(make_batches(20)),
        4,
        epochs=3,
        verbose=0,
        callbacks=[shown, *others],
        validation_data=make_batches(2),
        **settings,
    )


def test_a_saved_page_has_the_whole_training(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run.html"
    history = train(linear_model(metrics=["mae"]), LiveView(open=False, save=path))
    metrics, pipeline = saved_state(path)
    assert [panel["name"] for panel in metrics["panels"]] == ["loss", "mae"]
    training, validation = metrics["panels"][0]["series"]
    assert training["epochs"] == validation["epochs"] == [1, 2, 3]
    assert training["values"] == pytest.approx(history.history["loss"], rel=1e-5)
    assert validation["values"] == pytest.approx(history.history["val_loss"], rel=1e-5)
    assert pipeline["phase"] == "finished"
    assert (pipeline["epoch"], pipeline["epochs"], pipeline["all_steps"]) == (3, 3, 18)
    assert sum(pipeline["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert "generator feeder" in pipeline["lanes"]


def test_the_page_is_served_while_the_training_runs_and_not_after(
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown, addresses = LiveView(open=False), []

    def look(_: Any) -> None:
        assert shown.address is not None
        addresses.append(shown.address)
        with urllib.request.urlopen(shown.address) as answer:
            assert b"uPlot" in answer.read()

    train(linear_model(), shown, at_epoch_end(look))
    assert len(set(addresses)) == 1
    assert capsys.readouterr().err == f"Live view: {addresses[0]}\n"
    assert shown.address is None
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(addresses[0])
    train(linear_model(), shown)  # again, at another address


def test_it_has_no_hook_for_batches() -> None:
    batch = [name for name in vars(LiveView) if "batch" in name]
    assert not batch
    history = run(linear_model(), make_batches(4), callbacks=[LiveView(open=False)])
    assert history.history["loss"] == run(linear_model(), make_batches(4)).history["loss"]


def test_after_an_error_the_page_says_so_and_nothing_is_served(tmp_path: Path) -> None:
    shown = LiveView(open=False, save=tmp_path / "run.html")

    def failing() -> Any:
        yield from make_batches(5)
        raise OSError(f"{Path.home()}/data/secret/part 7.csv and /srv/other/x.csv cannot be read")

    with pytest.raises(OSError, match="part 7"):
        fit_generator(linear_model(), failing(), 4, epochs=3, verbose=0, callbacks=[shown])
    assert shown.address is None
    metrics, pipeline = saved_state(tmp_path / "run.html")
    assert pipeline["phase"] == "failed"
    assert pipeline["error"].startswith("OSError: part 7.csv and x.csv cannot be read")
    assert metrics["panels"][0]["series"][0]["epochs"] == [1]


def test_after_an_interrupt_too(tmp_path: Path) -> None:
    shown = LiveView(open=False, save=tmp_path / "run.html")

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(linear_model(), shown, at_epoch_end(interrupted))
    assert saved_state(tmp_path / "run.html")[1]["phase"] == "interrupted"
    assert shown.address is None


def test_a_generator_that_ends_early_is_told(tmp_path: Path) -> None:
    shown = LiveView(open=False, save=tmp_path / "run.html")
    with pytest.warns(UserWarning, match="ended"):
        fit_generator(
            linear_model(), iter(make_batches(5)), 4, epochs=3, verbose=0, callbacks=[shown]
        )
    assert saved_state(tmp_path / "run.html")[1]["phase"] == "ended early"


def test_no_port_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def none(*_: Any) -> None:
        raise OSError("there is no port")

    monkeypatch.setattr(server.Server, "server_bind", none)
    shown = LiveView(save=tmp_path / "run.html")
    history = train(linear_model(), shown)
    assert len(history.epoch) == 3
    assert capsys.readouterr().err == "There is no live view: there is no port.\n"
    assert saved_state(tmp_path / "run.html")[1]["phase"] == "finished"


def test_without_windows_the_address_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    train(linear_model(), LiveView())
    assert capsys.readouterr().err.startswith("Live view: http://127.0.0.1:")


def test_a_browser_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened, go = [], threading.Event()

    def slow(address: str) -> None:
        opened.append(address)
        go.wait(10)

    browser = types.SimpleNamespace(open=slow)
    monkeypatch.setenv("BROWSER", "some")
    monkeypatch.setattr(display.webbrowser, "get", lambda: browser)
    train(linear_model(), LiveView())
    go.set()
    assert len(opened) == 1
    assert capsys.readouterr().err == ""


def test_a_page_that_cannot_be_saved_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shown = LiveView(open=False, save=tmp_path / "file" / "run.html")
    with pytest.warns(LiveViewWarning, match="could not be saved"):
        train(linear_model(), shown)


def test_one_view_shows_one_training(tmp_path: Path) -> None:
    shown = LiveView(open=False, save=tmp_path / "run.html")

    def nested(_: Any) -> None:
        with pytest.raises(ArgumentError, match="another call"):
            run(new_echo_model(), numbered(), 1, callbacks=[shown])
        assert shown.address is not None

    train(linear_model(), shown, at_epoch_end(nested))
    assert saved_state(tmp_path / "run.html")[1]["phase"] == "finished"


def test_a_saved_page_tells_nothing_of_its_origin(tmp_path: Path) -> None:
    addresses = []
    shown = LiveView(open=False, save=tmp_path / "run.html")
    train(linear_model(), shown, at_epoch_end(lambda _: addresses.append(shown.address)))
    text = (tmp_path / "run.html").read_text("utf-8")
    token = addresses[0].split("/")[3]
    for secret in (token, "127.0.0.1", str(tmp_path), str(Path.home()), str(Path.cwd())):
        assert secret not in text
    assert "src=" not in text
    assert "connect-src 'none'" in text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("cannot read /var/data/x.csv", "cannot read x.csv"),
        (r"cannot read C:\Users\ann\x.csv", "cannot read x.csv"),
        ("a/b of 3/4, and/or", "a/b of 3/4, and/or"),
        ("by ann, banner", "by ..., banner"),
    ],
)
def test_places_are_left_out(text: str, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_user", lambda: "ann")
    assert state.without_places(text) == left


def test_names_cannot_end_the_script_that_holds_them(tmp_path: Path) -> None:
    name = "</script><script>alert(1)</script><!--"
    adds = adding(lambda: {name: 1.0})
    train(linear_model(), LiveView(open=False, save=tmp_path / "run.html"), adds)
    metrics, _ = saved_state(tmp_path / "run.html")
    assert [panel["name"] for panel in metrics["panels"]] == ["loss", name]
    assert "<script>alert" not in (tmp_path / "run.html").read_text("utf-8")


def test_what_is_not_finite_breaks_the_line(tmp_path: Path) -> None:
    values = iter([1.0, float("nan"), float("inf")])
    adds = adding(lambda: {"odd": next(values), "word": "text"})
    train(linear_model(), LiveView(open=False, save=tmp_path / "run.html"), adds)
    panels = {panel["name"]: panel for panel in saved_state(tmp_path / "run.html")[0]["panels"]}
    assert panels["odd"]["series"][0]["values"] == [1, None, None]
    assert panels["odd"]["notes"] == ["odd is not finite at epochs 2 to 3."]


def test_of_many_epochs_some_are_left_out_while_it_runs() -> None:
    from fitgenerator.reporting.plot_history import Series

    series = Series("loss", "training", list(range(1, 5002)), [float(i) for i in range(5001)], "")
    thin, whole = state._series(series, False), state._series(series, True)
    assert len(thin["epochs"]) <= 2000
    assert thin["epochs"][-1] == 5001
    assert len(whole["epochs"]) == 5001


def test_the_window_holds_the_last_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(window.time, "perf_counter", lambda: now[0])
    meter = Meter(10)
    figures = meter.pipeline
    last = window.Window(figures, 10.0)
    for _ in range(30):  # half waiting, half steps
        now[0] += 1
        figures.model_waited += 0.5
        figures.step += 0.5
        figures.steps += 5
        figures.workers["worker 1"] = figures.workers.get("worker 1", 0.0) + 0.9
        last.look()
    recent = last.recent()
    assert recent.wall == pytest.approx(10)
    assert recent.workers == {"worker 1": pytest.approx(9)}
    assert recent.steps == 50
    assert recent.model_waited / recent.wall == pytest.approx(0.5)
    now[0] += 60  # one long step
    figures.step += 60
    figures.steps += 1
    last.look()
    assert last.recent().step >= 60


def test_in_a_notebook_the_page_is_a_display(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[tuple[str, str]] = []

    class Handle:
        def __init__(self, number: int) -> None:
            self.number = number

        def update(self, thing: str) -> None:
            shown.append((f"update {self.number}", thing))

    def show(thing: str, display_id: bool) -> Handle:
        assert display_id
        shown.append(("display", thing))
        return Handle(len(shown))

    def made(text: str) -> str:
        assert not text.startswith("<iframe ")  # of which IPython's `HTML` warns
        return text

    fake = types.SimpleNamespace(display=show, HTML=made)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=fake))
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setattr(view, "in_notebook", lambda: True)
    monkeypatch.setattr(view, "_INTERVAL", 0.01)
    callback = LiveView()
    train(linear_model(), callback, keras.callbacks.LambdaCallback(on_epoch_end=_rest))
    assert capsys.readouterr().err == ""
    assert [what for what, _ in shown[:2]] == ["display", "display"]
    scripts = [text for what, text in shown if what == "update 2"]
    assert any("postMessage" in text for text in scripts)
    assert scripts[-1] == ""
    (final,) = [text for what, text in shown if what == "update 1"]
    assert 'sandbox="allow-scripts"' in final
    assert "&quot;phase&quot;:&quot;finished&quot;" in final


def _rest(*_: Any) -> None:
    threading.Event().wait(0.1)
