"""What the user sees while it runs: bars where they can be overwritten, lines elsewhere."""

from __future__ import annotations

import io
import os
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
from fitgenerator import evaluate_generator, fit_generator, predict_generator
from fitgenerator.host.switchboard import Switchboard
from fitgenerator.reporting import terminal as screen
from fitgenerator.reporting.progress import Progress
from fitgenerator.reporting.progress_bar import Bar
from fitgenerator.reporting.terminal import Screen, bar_interval
from support.platforms import terminals
from support.tiny_trainings import Indexed, at_epoch_end, echo_model, numbered, numbered_batch, run

Shown = str | Bar


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("fitgenerator.reporting.progress.time.perf_counter", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Terminal(io.StringIO):
    """A terminal that counts what is written to it, and shows what a user would see."""

    def __init__(self, encoding: str = "utf-8", *, tty: bool = True) -> None:
        super().__init__()
        self.writes = 0
        self._encoding = encoding
        self._tty = tty

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._tty

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)

    @property
    def seen(self) -> list[str]:
        """The lines, each with what was written over it."""
        lines = []
        for line in self.getvalue().split("\n"):
            shown = ""
            for text in line.split("\r"):
                shown = text + shown[len(text) :]
            lines.append(shown.rstrip())
        return lines


def use(monkeypatch: pytest.MonkeyPatch, stdout: Any) -> None:
    """Standard output is another one: pytest sets that of `sys` between fixture and test."""
    monkeypatch.setattr(screen, "sys", SimpleNamespace(stdout=stdout))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Standard output is a terminal of 80 columns."""
    terminal = Terminal()
    use(monkeypatch, terminal)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("INSIDE_EMACS", raising=False)
    return terminal


def progress_of(
    shown: list[Shown], *, verbose: int = 1, bar: bool = True, **options: Any
) -> Progress:
    return Progress(shown.append, verbose=verbose, interval=0.1 if bar else None, **options)


# -- what is shown, and when --------------------------------------------------------------------


def test_nothing_is_shown_when_silent(clock: Clock) -> None:
    for bar in (True, False):
        shown: list[Shown] = []
        play(progress_of(shown, verbose=0, bar=bar), clock)
        assert not shown


def play(
    progress: Progress, clock: Clock, *, epochs: int = 1, steps: int = 3, pause: float = 1.0
) -> None:
    """Epochs of steps, each of which takes `pause` seconds."""
    for epoch in range(epochs):
        progress.begin_epoch(epoch, steps)
        for done in range(1, steps + 1):
            clock.now += pause
            progress.step(done, steps, lambda: {"loss": 0.5})
        progress.end(steps, {"loss": 0.25, "val_loss": 1e-5})
    progress.close()


@pytest.mark.parametrize(("verbose", "bar"), [(1, False), (2, False), (2, True)])
def test_a_line_an_epoch(clock: Clock, verbose: int, bar: bool) -> None:
    shown: list[Shown] = []
    play(progress_of(shown, verbose=verbose, bar=bar, epochs=2), clock, epochs=2)
    end = "/2 - 3/3 - 3.0s 1.0s/step - loss: 0.2500 - val_loss: 1.0000e-05\n"
    assert shown == [f"Epoch 1{end}", f"Epoch 2{end}"]


def test_the_pace_of_an_epoch_is_that_of_the_steps_of_this_call(clock: Clock) -> None:
    shown: list[Shown] = []
    progress = progress_of(shown, verbose=2, epochs=1)
    progress.begin_epoch(0, 4, 2)
    clock.now += 1.0
    progress.begin_validation(1)
    progress.end(4, {"loss": 0.25})
    assert shown == ["Epoch 1/1 - 4/4 - 1.0s 500ms/step - loss: 0.2500\n"]


def test_a_bar_from_the_beginning_to_the_line_that_stays(clock: Clock) -> None:
    shown: list[Shown] = []
    play(progress_of(shown, epochs=1), clock)
    *bars, last = shown
    assert [bar.done for bar in bars if isinstance(bar, Bar)] == [0, 1, 2, 3]
    assert bars[0] == Bar("Epoch 1/1", 0, 3)
    assert last == "Epoch 1/1 - 3/3 - 3.0s 1.0s/step - loss: 0.2500 - val_loss: 1.0000e-05\n"


def test_tracing_is_not_taken_for_the_pace(clock: Clock) -> None:
    shown: list[Any] = []
    progress = progress_of(shown)
    progress.begin("", 11)
    clock.now += 5.0  # traces
    progress.step(1, 11, dict)
    clock.now += 2.0
    progress.step(5, 11, dict)
    assert (shown[1].pace, shown[1].left) == (5.0, None)
    assert (shown[2].pace, shown[2].left) == (0.5, 3.0)


def test_validation_is_a_bar_of_its_own_within_the_epoch(clock: Clock) -> None:
    shown: list[Any] = []
    progress = progress_of(shown, epochs=1)
    progress.begin_epoch(0, 2)
    clock.now += 1.0
    progress.step(2, 2, dict)
    clock.now += 1.0
    progress.begin_validation(4)
    clock.now += 1.0
    progress.step(1, 4, dict)
    progress.end(2, {})
    assert [(bar.title, bar.done, bar.total, bar.pace) for bar in shown[2:4]] == [
        ("Epoch 1/1 - validation", 0, 4, None),
        ("Epoch 1/1 - validation", 1, 4, 1.0),
    ]
    assert shown[4] == "Epoch 1/1 - 2/2 - 3.0s 1.5s/step\n"


def test_S5_fast_steps_and_fast_epochs_are_shown_ten_times_a_second(clock: Clock) -> None:
    for epochs, steps in ((1, 3000), (1000, 3)):
        shown: list[Shown] = []
        begun = clock.now
        play(
            progress_of(shown, epochs=epochs, at_once=False),
            clock,
            epochs=epochs,
            steps=steps,
            pause=1e-3,
        )
        assert len(shown) <= 2 + 10.5 * (clock.now - begun)
    assert "".join(text for text in shown if isinstance(text, str)).count("\n") == 1000


def test_lines_come_at_once_where_callbacks_may_print(clock: Clock) -> None:
    shown: list[Shown] = []
    progress = progress_of(shown, verbose=2, epochs=3)
    for epoch in range(3):
        progress.begin_epoch(epoch, 1)
        progress.end(1, {})
        assert len(shown) == epoch + 1


def test_what_was_held_back_is_shown_with_the_next_step_or_wait(clock: Clock) -> None:
    shown: list[Shown] = []
    progress = progress_of(shown, verbose=2, epochs=3, at_once=False)
    for epoch in range(3):
        progress.begin_epoch(epoch, 1)
        progress.end(1, {})
    assert len(shown) == 1
    clock.now += 0.2
    progress.waits("generator", 0.2)
    assert len(shown) == 2
    progress.end(1, {})
    clock.now += 0.2
    progress.step(1, 5, dict)
    assert len(shown) == 3


def test_a_long_wait_is_shown_in_the_bar(clock: Clock) -> None:
    shown: list[Any] = []
    progress = progress_of(shown, epochs=1)
    progress.begin_epoch(0, 2)
    for seconds in (1.0, 4.0, 4.1, 5.2):  # at most once a second, and not before 3 of them
        clock.now = 1000.0 + seconds
        progress.waits("generator", seconds)
    texts = [bar.waiting for bar in shown[1:]]
    assert texts == ["waiting for `generator` (4 s)", "waiting for `generator` (5 s)"]
    progress.step(1, 2, dict)
    clock.now += 4.0
    progress.waits("generator", 4.0)
    assert (shown[-1].done, shown[-1].waiting) == (1, "waiting for `generator` (4 s)")


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 2), (2, 2)])
def test_a_very_long_wait_is_a_line_where_there_is_no_bar(verbose: int, lines: int) -> None:
    shown: list[Shown] = []
    progress = progress_of(shown, verbose=verbose, bar=False, epochs=1)
    progress.begin_epoch(0, 2)
    for seconds in [*range(0, 100, 5), *range(0, 40, 5)]:  # two waits
        progress.waits("generator", float(seconds))
    assert shown == ["waiting for `generator` (35 s)\n"] * lines


# -- the calling thread -------------------------------------------------------------------------


def test_S5_a_busy_calling_thread_gets_the_newest_bar_alone() -> None:
    board = Switchboard()
    for done in range(5):
        board.say(Bar("", done, 9))
    board.say("a line\n")
    for done in range(5, 9):
        board.say(Bar("", done, 9))
    requests = [board.next_request(0.0) for _ in range(4)]
    assert [request.shown if request else None for request in requests] == [
        Bar("", 4, 9),
        "a line\n",
        Bar("", 8, 9),
        None,
    ]
    board.say(Bar("", 9, 9))
    assert board.next_request(0.0) is not None


# -- the screen ---------------------------------------------------------------------------------


def test_a_bar_is_overwritten_without_a_rest(terminal: Terminal) -> None:
    shown = Screen()
    shown.show(Bar("a long title", 1, 10))
    shown.show(Bar("short", 2, 10))
    shown.show("line\nanother\n")
    assert terminal.seen == ["line", "another", ""]
    shown.show(Bar("short", 3, 10))
    shown.close()
    shown.close()
    assert terminal.seen == ["line", "another", "short - 3/10 ━━━━━━──────────────", ""]


def test_a_bar_is_as_wide_as_the_terminal(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    Screen().show(Bar("Epoch 1/5", 30, 100, pace=0.061, left=4.3, figures=("loss: 0.5",)))
    assert len(terminal.seen[0]) < 40


def test_a_bar_has_characters_that_the_terminal_has(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, drawn in (("utf-8", "━─"), ("latin-1", "=."), ("ascii", "=.")):
        terminal = Terminal(encoding)
        use(monkeypatch, terminal)
        Screen().show(Bar("", 1, 2))
        assert all(character in terminal.getvalue() for character in drawn)


def test_where_a_line_can_be_overwritten(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bar_interval() is not None
    for name, value in (("TERM", "dumb"), ("INSIDE_EMACS", "28.2,comint")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            assert bar_interval() is None
    use(monkeypatch, Terminal(tty=False))
    assert bar_interval() is None
    use(monkeypatch, None)  # pythonw
    assert bar_interval() is None
    notebook = type("OutStream", (Terminal,), {"__module__": "ipykernel.iostream"})(tty=False)
    use(monkeypatch, notebook)
    assert bar_interval() is not None
    assert screen._width() > 200


def test_training_in_a_terminal_leaves_a_line_an_epoch(terminal: Terminal) -> None:
    unseen = [numbered_batch(1)] * 2
    run(echo_model(), numbered(), 3, 2, None, unseen, verbose=1)
    assert [line[:16] for line in terminal.seen] == ["Epoch 1/2 - 3/3 ", "Epoch 2/2 - 3/3 ", ""]
    assert "\rEpoch 1/2 - 0/3 ──" in terminal.getvalue()


def test_S5_3000_fast_steps_write_little(terminal: Terminal) -> None:
    run(echo_model(), numbered(), 2)  # trace
    begun = time.perf_counter()
    run(echo_model(), numbered(), 3000, verbose=1)
    seconds = time.perf_counter() - begun
    assert len(terminal.getvalue()) < 50_000
    assert terminal.writes <= 4 + 20 * seconds
    assert terminal.seen[0].startswith("Epoch 1/1 - 3000/3000 - ")


def test_S6_silent_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    unseen = [numbered_batch(1)]
    fit_generator(echo_model(), numbered(), 3, 2, 0, [], unseen)
    evaluate_generator(echo_model(), numbered(), 2)
    predict_generator(echo_model(), numbered(), 2)
    assert capfd.readouterr() == ("", "")


def test_S4_a_log_has_a_line_an_epoch(capfd: pytest.CaptureFixture[str]) -> None:
    for verbose in (1, 2):
        run(echo_model(), numbered(), 3, 2, verbose=verbose)
        lines = capfd.readouterr().out.split("\n")
        assert [line[:16] for line in lines] == ["Epoch 1/2 - 3/3 ", "Epoch 2/2 - 3/3 ", ""]


def test_a_line_comes_before_what_callbacks_print(capfd: pytest.CaptureFixture[str]) -> None:
    run(echo_model(), numbered(), 1, 3, [at_epoch_end(lambda epoch: print("callback"))], verbose=2)
    lines = capfd.readouterr().out.split()
    assert [word for word in lines if word in ("Epoch", "callback")] == ["Epoch", "callback"] * 3


def test_evaluation_and_prediction_end_their_lines(terminal: Terminal) -> None:
    evaluate_generator(echo_model(), Indexed([numbered_batch(2)]), verbose=1)
    predict_generator(echo_model(), Indexed([numbered_batch(2)]), verbose=1)
    first, second, rest = terminal.seen
    assert first.startswith("1/1 - ")
    assert first.endswith("loss: 2.0000")
    assert second.startswith("1/1 - ")
    assert rest == ""


def test_a_call_that_fails_leaves_the_line_of_its_bar(terminal: Terminal) -> None:
    batches = iter([numbered_batch(1), "no batch"])
    with pytest.raises(ValueError, match="batch"):
        run(echo_model(), batches, 3, verbose=1)
    assert terminal.getvalue().endswith("\n")
    assert terminal.seen[-1] == ""


@terminals
def test_a_pseudo_terminal_shows_one_bar(clean_environment: dict[str, str]) -> None:
    import pty
    import subprocess

    code = (
        "import time\n"
        "from support import tiny_trainings as toys\n"
        "from fitgenerator import fit_generator\n"
        "def slow():\n"
        "    for batch in toys.numbered():\n"
        "        time.sleep(0.05)\n"
        "        yield batch\n"
        "fit_generator(toys.echo_model(), slow(), 10, 2)\n"
    )
    outlet, inlet = pty.openpty()
    environment = {**clean_environment, "TERM": "xterm", "COLUMNS": "60"}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=inlet, stderr=subprocess.DEVNULL, env=environment
    )
    os.close(inlet)
    said = b""
    while True:
        try:
            data = os.read(outlet, 4096)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        said += data
    os.close(outlet)
    assert process.wait() == 0
    text = said.decode()
    assert text.count("\n") == 2
    bars = [bar.rstrip() for bar in text.replace("\r\n", "\n").split("\r") if "ETA" in bar]
    assert len(bars) > 3
    assert all(len(bar) < 60 for bar in bars)
