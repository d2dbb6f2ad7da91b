"""A headless Chromium, driven through a pipe: opens pages, asks them, takes pictures of them."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

COMMAND = shutil.which("chromium") or shutil.which("chromium-browser")
MISSING = "Chromium is not installed (Debian: apt-get install chromium)"


class Chromium:
    """One browser with one page. A context manager.

    Args:
        width: Of the window, in pixels.
        dark: Whether the user prefers dark pages.
    """

    def __init__(self, width: int = 1400, *, dark: bool = False) -> None:
        self._size = (width, 900)
        self._dark = dark
        self._number = 0
        self._session: str | None = None
        self._rest = b""
        self.said: list[str] = []  # errors and warnings in the browser's console

    def __enter__(self) -> Chromium:
        assert COMMAND is not None
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        pipes = os.pipe(), os.pipe()
        # Chromium reads from 3 and writes to 4: ours are others.
        (ours, self._write), (self._read, theirs) = [
            [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in pipe] for pipe in pipes
        ]
        for end in (*pipes[0], *pipes[1]):
            os.close(end)
        arguments = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
            *("--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"),
            f"--user-data-dir={self._folder.name}",
        ]
        line = f'exec "$@" 3<&{ours} 4>&{theirs}'
        self._process = subprocess.Popen(
            ["bash", "-c", line, "bash", COMMAND, *arguments],
            pass_fds=(ours, theirs),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ours)
        os.close(theirs)
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self.ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for part in ("Page", "Runtime", "Log"):
            self.ask(f"{part}.enable")
        width, height = self._size
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if self._dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)
        self._folder.cleanup()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of Chromium's protocol; its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            came = os.read(self._read, 1 << 20)
            assert came, "Chromium has ended"
            self._rest += came
        first, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(first)
        if message.get("method") == "Runtime.exceptionThrown":
            self.said.append(json.dumps(message["params"]["exceptionDetails"])[:500])
        if message.get("method") == "Log.entryAdded":
            self.said.append(message["params"]["entry"]["text"])
        return message

    def open(self, address: str) -> None:
        """Go to an address."""
        self.ask("Page.navigate", url=address)

    def value(self, code: str) -> Any:
        """What an expression in the page's language is."""
        asked = self.ask("Runtime.evaluate", expression=code, returnByValue=True)
        return asked["result"].get("value")

    def wait_for(self, code: str, seconds: float = 30.0) -> Any:
        """Wait until an expression is true in the page; its value."""
        deadline = time.monotonic() + seconds
        while not (value := self.value(code)):
            assert time.monotonic() < deadline, (code, self.value("document.body.innerText"))
            time.sleep(0.05)
        return value

    def picture(self, path: Path) -> None:
        """Take a picture of the whole page."""
        taken = self.ask("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        path.write_bytes(base64.b64decode(taken["data"]))
