"""Where a page is opened: in the browser, or as a display of a notebook."""

from __future__ import annotations

import html
import os
import sys
import uuid
import webbrowser
from contextlib import suppress
from threading import Thread
from typing import Any

from ..host.joined_threads import JoinedThreads
from .feed import Feed


def announce(address: str | None, trouble: str, wanted: bool) -> None:
    """Open the page in the browser if that is wanted, or say where it is, or why it is not."""
    if trouble:
        _say(trouble)
    elif address is not None and not (wanted and _opened(address)):
        _say(f"Live view: {address}")


def _say(text: str) -> None:
    if sys.stderr is not None:
        print(text, file=sys.stderr, flush=True)


def _opened(address: str) -> bool:
    """Whether a browser with windows was told to open it."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    windows = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if type(browser) is webbrowser.GenericBrowser or (
        sys.platform.startswith("linux") and not (windows or os.environ.get("BROWSER"))
    ):
        return False  # one of text would take the terminal over
    # A browser may take seconds to return: nobody waits for it.
    Thread(target=_open, args=(browser, address), name="live-view-browser", daemon=True).start()
    return True


def _open(browser: Any, address: str) -> None:
    with suppress(Exception):
        browser.open(address)


class Notebook:
    """The page as a display of the cell, to which the kernel sends the news.

    The page lies in a frame of its own, which has no access to the notebook. A second display is
    replaced by a script that hands each state on to the frame; in the end by nothing.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._name = f"fitgenerator-{uuid.uuid4().hex}"
        self._threads = JoinedThreads()
        self._frame: Any = None
        self._news: Any = None

    def start(self) -> None:
        """Show the page; from the thread of the cell."""
        from IPython.display import display

        self._frame = display(_html(self._content(_WAITING)), display_id=True)
        self._news = display(_html(""), display_id=True)
        self._feed.watch(1)
        self._threads.start("fitgenerator-live-notebook", self._run)

    def _run(self) -> None:
        seen, last = 0, dict(_WAITING)
        while True:
            seen, texts = self._feed.news(seen)
            if not texts:
                break
            last |= texts
            self._news.update(_html(self._script(last)))
        self._frame.update(_html(self._content(last)))
        self._news.update(_html(""))

    def close(self) -> None:
        """Leave a page with the last state, which is kept with the notebook."""
        self._threads.join()

    def _content(self, state: dict[str, str]) -> str:
        from .page import page

        content = html.escape(page(state["metrics"], state["pipeline"]))
        look = 'style="width:100%;height:760px;border:0" sandbox="allow-scripts"'
        # IPython warns of a display that is nothing but a frame.
        return f'<div><iframe id="{self._name}" {look} srcdoc="{content}"></iframe></div>'

    def _script(self, state: dict[str, str]) -> str:
        message = f"[{state['metrics']},{state['pipeline']}]"
        frame = f'document.getElementById("{self._name}")'
        return f'<script>{frame}?.contentWindow.postMessage({message}, "*")</script>'


_WAITING = {"metrics": '{"panels":[]}', "pipeline": "null"}


def _html(text: str) -> Any:
    from IPython.display import HTML

    return HTML(text)
