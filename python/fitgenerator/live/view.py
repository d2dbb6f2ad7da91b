"""The callback that shows a training while it runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event
from typing import Protocol

from ..arguments import file_path, flag
from ..errors import ArgumentError, ClosedError, LiveViewWarning, Warned
from ..host.joined_threads import JoinedThreads
from ..messages import reason
from ..models.protocol import Logs
from ..reporting.pipeline import Pipeline
from ..reporting.terminal import in_notebook
from . import display
from .attended import Attended
from .feed import Feed
from .state import Course, State, error_text, without_places

# Seconds between two states.
_INTERVAL = 0.5


class Outlet(Protocol):
    """Where the states of a training are shown."""

    def start(self) -> None: ...
    def close(self) -> None:
        """Show what was put last, and end. It can be repeated."""


class _Showing:
    """A training that is shown: puts its state into the feed, on a thread of its own."""

    def __init__(self, state: State, feed: Feed, outlet: Outlet | None) -> None:
        self.state, self.feed, self._outlet = state, feed, outlet
        self._measured: tuple[int, ...] | None = None
        self._over = Event()
        self._threads = JoinedThreads()

    def start(self) -> None:
        if self._outlet is not None:
            self._outlet.start()
        self._threads.start("fitgenerator-live-state", self._run)

    def _run(self) -> None:
        while not self._over.wait(_INTERVAL):
            self.state.look()
            if self.feed.watchers:  # whom nobody watches costs nothing
                self._put(ended=False)

    def _put(self, *, ended: bool) -> None:
        measured = self.state.measured
        if ended or measured != self._measured:
            self.feed.put("metrics", self.state.metrics(whole=ended))
            self._measured = measured
        self.feed.put("pipeline", self.state.pipeline(ended=ended))

    def close(self) -> None:
        self._over.set()
        self._threads.join()
        self._put(ended=True)
        self.feed.end()
        if self._outlet is not None:
            self._outlet.close()


class LiveView(Attended):
    """Shows the training while it runs, in a browser or in a notebook.

    The page has the metrics, one panel each, and the pipeline: what the model waits for, the fill
    of the queue, steps and batches per second, and what each thread did in the last steps. A new
    state comes twice a second. Nothing of the view runs between the steps of the training, and a
    browser that is closed, slow or opened twice does not hold it up.

    The page is served to this computer only, at an address that cannot be guessed, until the call
    ends; an open page then keeps its last state. In a notebook, the page is a display of the cell.
    If there is no browser, the address is printed. If there is no port, a line says so, and the
    training goes on.

    It works in `fit_generator` alone, one call at a time.

    Args:
        open: Whether to open the page in the browser.
        save: Path of a file for the page of the whole training, written when the call ends, also
            after an error. The page stands alone: it can be sent, and needs no network. It holds
            neither the address, nor the user's name, nor names of folders.

    Attributes:
        address: Where the page is served; `None` where it is not.

    Raises:
        ValueError: `save` is no path of a file.

    Example:
        The page opens, and stays in a file::

            from fitgenerator import LiveView, fit_generator

            fit_generator(
                model, batches(), 100, epochs=10, callbacks=[LiveView(save="training.html")]
            )
    """

    def __init__(self, *, open: bool = True, save: str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        self.open = flag(open, "open")
        self.save = None if save is None else file_path(save, "save")
        self.address: str | None = None
        self.trouble = ""  # why it is not shown
        self.announce: Callable[[str | None, str, bool], None] = display.announce
        self._showing: _Showing | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Show the page."""
        history = self._history()
        if self._showing is not None:
            raise ArgumentError(
                "This LiveView shows the training of another call: give each call its own."
            )
        params = self.params or {}
        course = Course(self.model.name, int(params.get("epochs") or 1), params.get("steps"))
        feed = Feed()
        self._showing = _Showing(State(history, course), feed, self._outlet(feed))
        self._showing.start()
        self.announce(self.address, self.trouble, self.open)

    def _outlet(self, feed: Feed) -> Outlet | None:
        self.address, self.trouble = None, ""
        if self.open and in_notebook():
            return display.Notebook(feed)
        from .server import Server

        try:
            server = Server(feed)
        except OSError as error:  # no port, no loopback, no file left
            self.trouble = f"There is no live view: {reason(error)}."
            return None
        self.address = server.address
        return server

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Another epoch."""
        showing = self._showing
        if showing is not None:
            course = showing.state.course
            course.epoch, course.phase, course.done = epoch + 1, "training", None
            course.before = showing.state.history.pipeline.steps

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """The epoch's validation."""
        showing = self._showing
        if showing is not None:
            course = showing.state.course
            course.phase = "validating"
            course.done = showing.state.history.pipeline.steps - course.before

    def on_test_end(self, logs: Logs | None = None) -> None:
        """The epoch is nearly over."""
        if self._showing is not None:
            self._showing.state.course.phase = "training"

    def close(self, pipeline: Pipeline, error: BaseException | None) -> list[Warned]:
        """Show how the training ended, and serve no longer."""
        showing = self._showing
        if showing is None or showing.state.history.pipeline is not pipeline:
            return []
        course = showing.state.course
        if error is None:
            incomplete = showing.state.history.incomplete
            course.phase = "ended early" if incomplete else "finished"
        elif isinstance(error, KeyboardInterrupt):
            course.phase = "interrupted"
        elif isinstance(error, ClosedError):  # of which the calling thread knows more
            course.phase = "stopped"
        else:
            course.phase, course.error = "failed", error_text(error)
        showing.close()
        self._showing, self.address = None, None
        return [] if self.save is None else _save(showing.state, self.save)


def _save(state: State, path: Path) -> list[Warned]:
    from .page import page

    pipeline = partial(state.pipeline, ended=True, plain=without_places)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(state.metrics(whole=True), pipeline()) + "\n", "utf-8")
    except OSError as error:
        text = f"The page of the live view could not be saved: {reason(error)}."
        return [(text, LiveViewWarning)]
    return []
