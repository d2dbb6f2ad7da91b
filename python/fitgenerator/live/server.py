"""Serves the page and its news to browsers of this computer, and nothing to anybody else."""

from __future__ import annotations

import hmac
import secrets
import signal
import socket
import socketserver
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from ..host.joined_threads import JoinedThreads
from .feed import Feed
from .page import POLICY, page

_LOOPBACK = "127.0.0.1"
_MOST = 8  # connections at a time
_PATIENCE = 5.0  # seconds that a browser may take to ask, or to take the last state
_FAREWELL = 0.5  # seconds that it has for the last state of all
_BUFFER = 1 << 16  # bytes that the system may hold back for a slow browser
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Server(HTTPServer):
    """One page at an address that nobody can guess.

    Raises:
        OSError: There is no port.
    """

    timeout = 0.5  # seconds, after which it looks whether it is to end: the wake-up may fail

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.path = f"/{secrets.token_urlsafe(24)}/"
        self._closing = False
        self._lock = threading.Lock()
        self._open: dict[socket.socket, bool] = {}  # whether it is told the news
        self._accepting, self._answering = JoinedThreads(), JoinedThreads()
        super().__init__((_LOOPBACK, 0), _Handler)

    @property
    def address(self) -> str:
        """What a browser is to open."""
        return f"http://{_LOOPBACK}:{self.server_port}{self.path}"

    def server_bind(self) -> None:
        """Without asking the network for our name, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _LOOPBACK, self.server_address[1]

    def start(self) -> None:
        """Serve, on a thread of its own."""
        self._accepting.start("fitgenerator-live-server", self._serve)

    def _serve(self) -> None:
        while not self._closing:
            self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own, or not at all where too many are answered."""
        with self._lock:
            refused = self._closing or len(self._open) >= _MOST
            if not refused:
                self._open[request] = False
        if refused:
            return self.shutdown_request(request)
        self._answering.join(0.0)  # those that have ended
        request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        name = "fitgenerator-live-connection"
        return self._answering.start(name, lambda: self._answer(request, client_address))

    def _answer(self, request: socket.socket, client_address: Any) -> None:
        # In a process of R, the signal of a closed connection would raise an error of R's, here.
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
        try:
            with suppress(OSError):  # the browser was closed, or is too slow
                self.finish_request(request, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)
            self.shutdown_request(request)

    def close(self) -> None:
        """Hand out the last state, and end all connections and threads. It can be repeated."""
        self._closing = True
        with suppress(OSError), socket.create_connection((_LOOPBACK, self.server_port), 1):
            pass  # it wakes the thread that accepts
        self._accepting.join()
        self.server_close()
        self._shut(told=False)
        self._answering.join(time.perf_counter() + _FAREWELL)
        self._shut(told=True)
        self._answering.join()

    def _shut(self, *, told: bool) -> None:
        with self._lock:
            for request in [each for each, tells in self._open.items() if tells == told]:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def tell(self, request: socket.socket) -> None:
        """This connection is told the news."""
        with self._lock:
            self._open[request] = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The training goes on; nobody wants to read of it."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request: the page, its news, or nothing."""

    server: Server
    timeout = _PATIENCE

    def do_GET(self) -> None:
        """Whoever knows the address, and asks by the name of this computer, gets what is there."""
        path, ours = self.path.partition("?")[0].encode(), self.server.path.encode()
        port = self.server.server_port
        names = {f"{name}{end}" for name in (_LOOPBACK, "localhost") for end in ("", f":{port}")}
        if self.headers.get_all("Host", []) not in [[name] for name in names]:
            self.send_error(404)
        elif hmac.compare_digest(path, ours):
            self._send_page(page().encode())
        elif hmac.compare_digest(path, ours + b"events"):
            self._send_news()
        else:
            self.send_error(404)

    def _send_page(self, content: bytes) -> None:
        self._begin(200, {"Content-Type": "text/html; charset=utf-8"}, len(content))
        self.wfile.write(content)

    def _send_news(self) -> None:
        feed, seen = self.server.feed, 0
        self.server.tell(self.connection)
        self._begin(200, {"Content-Type": "text/event-stream; charset=utf-8"})
        feed.watch(1)
        try:
            while True:
                seen, texts = feed.news(seen)
                if not texts:
                    return
                events = [f"event: {kind}\ndata: {text}\n\n" for kind, text in texts.items()]
                self.wfile.write("".join(events).encode())
        finally:
            feed.watch(-1)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Whatever is wrong: there is nothing here."""
        self.close_connection = True
        self._begin(404, {}, 0)

    def _begin(self, code: int, headers: dict[str, str], length: int | None = None) -> None:
        self.send_response_only(code)
        for name, value in {**_HEADERS, **headers}.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody wants to read this."""
