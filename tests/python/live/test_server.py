"""The server of a live view: this computer only, who knows the address only, and no one waits."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator

import pytest
from fitgenerator.live import server as module
from fitgenerator.live.feed import Feed
from fitgenerator.live.server import Server

GUARDS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@pytest.fixture
def feed() -> Feed:
    """A feed with a state."""
    feed = Feed()
    feed.put("metrics", '{"panels":[]}')
    feed.put("pipeline", '{"ended":false}')
    return feed


@pytest.fixture
def server(feed: Feed) -> Iterator[Server]:
    """A server that serves."""
    server = Server(feed)
    server.start()
    yield server
    feed.end()
    server.close()


def ask(
    server: Server, path: str | None = None, host: str | None = None, method: str = "GET"
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, server.path if path is None else path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or f"127.0.0.1:{server.server_port}")
    connection.putheader("Origin", "http://example.org")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def listen(server: Server) -> socket.socket:
    """A connection that is told the news."""
    connection = socket.create_connection(("127.0.0.1", server.server_port), 10)
    connection.sendall(f"GET {server.path}events HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    return connection


def until(connection: socket.socket, text: bytes) -> bytes:
    """What comes, up to a text."""
    came = b""
    while text not in came:
        piece = connection.recv(1 << 16)
        assert piece, came
        came += piece
    return came


def test_the_page_comes_with_its_guards(server: Server) -> None:
    status, headers, body = ask(server)
    assert status == 200
    assert headers.items() >= GUARDS.items()
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert not any(name.lower().startswith("access-control") for name in headers)
    assert "Server" not in headers
    assert b"uPlot" in body


def test_it_listens_on_the_loopback_only(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    assert server.address.startswith(f"http://127.0.0.1:{server.server_port}/")


def test_addresses_are_random(server: Server, feed: Feed) -> None:
    other = Server(feed)
    try:
        assert other.path != server.path
        assert len(server.path.strip("/")) >= 32
    finally:
        other.server_close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "localhost:{}", "127.0.0.1:{}"])
def test_the_host_is_this_computer(server: Server, host: str) -> None:
    assert ask(server, host=host.format(server.server_port))[0] == 200


@pytest.mark.parametrize(
    "host", ["", "example.org", "example.org:{}", "127.0.0.1.example.org", "localhost:1", "[::1]"]
)
def test_any_other_host_finds_nothing(server: Server, host: str) -> None:
    status, headers, body = ask(server, host=host.format(server.server_port))
    assert (status, body) == (404, b"")
    assert headers.items() >= GUARDS.items()


@pytest.mark.parametrize(
    "path", ["/", "/events", "/favicon.ico", "/x/", "//", "/%C3%BC", "/../etc/passwd"]
)
def test_any_other_path_finds_nothing(server: Server, path: str) -> None:
    status, _, body = ask(server, path)
    assert (status, body) == (404, b"")
    assert ask(server, server.path[:-2] + "/")[0] == 404
    assert ask(server, server.path + "page.js")[0] == 404


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS", "TRACE", "NONSENSE"])
def test_any_other_method_finds_nothing(server: Server, method: str) -> None:
    status, _, body = ask(server, method=method)
    assert (status, body) == (404, b"")


def test_a_viewer_may_add_to_the_address(server: Server) -> None:
    assert ask(server, f"{server.path}?viewer_pane=1&capabilities=1")[0] == 200


def test_what_is_no_request_is_closed(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), 10) as connection:
        connection.sendall(b"\x00\xff\r\n\r\n")
        assert b"200" not in connection.recv(1000)


def test_news_come_as_they_are_put(server: Server, feed: Feed) -> None:
    with listen(server) as connection:
        until(connection, b'event: pipeline\ndata: {"ended":false}\n\n')
        feed.put("pipeline", '{"ended":true}')
        came = until(connection, b'{"ended":true}\n\n')
        assert b"metrics" not in came  # which did not change
    for _ in range(200):
        feed.put("pipeline", "{}")
        if feed.watchers == 0:
            break
        time.sleep(0.05)
    assert feed.watchers == 0


def test_eight_connections_at_most(server: Server, feed: Feed) -> None:
    connections = [listen(server) for _ in range(8)]
    for connection in connections:
        until(connection, b"pipeline")
    with listen(server) as ninth, pytest.raises((AssertionError, ConnectionError)):
        until(ninth, b"pipeline")
    connections.pop().close()
    deadline = time.monotonic() + 10
    while True:
        feed.put("pipeline", "{}")
        with listen(server) as another:
            try:
                until(another, b"pipeline")
                break
            except (AssertionError, ConnectionError):
                assert time.monotonic() < deadline
    for connection in connections:
        connection.close()


def test_a_slow_browser_gets_the_last_state_and_holds_nobody_up(server: Server, feed: Feed) -> None:
    with listen(server) as slow:
        until(slow, b"pipeline")
        begun = time.monotonic()
        for number in range(300):
            feed.put("pipeline", json.dumps({"number": number, "pad": "x" * 50_000}))
        assert time.monotonic() - begun < 2
        came = until(slow, b'"number": 299')
        assert came.count(b"event: pipeline") < 100


def test_the_end_does_not_wait_for_a_browser_that_takes_nothing(feed: Feed) -> None:
    server = Server(feed)
    server.start()
    idle = socket.create_connection(("127.0.0.1", server.server_port), 10)  # asks nothing
    blocked = listen(server)
    until(blocked, b"pipeline")
    for _ in range(50):
        feed.put("pipeline", "x" * 4_000_000)
        time.sleep(0.002)
    feed.end()
    begun = time.monotonic()
    server.close()
    assert time.monotonic() - begun < 3
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.server_port), 1)
    idle.close()
    blocked.close()
    server.close()  # which can be repeated


def test_who_listens_gets_the_last_state_of_all(feed: Feed) -> None:
    server = Server(feed)
    server.start()
    with listen(server) as connection:
        until(connection, b"pipeline")
        feed.put("pipeline", '{"ended":true}')
        feed.end()
        server.close()
        assert b'{"ended":true}' in until(connection, b"true}\n\n")
        assert connection.recv(1) == b""


def test_a_browser_that_asks_slowly_is_let_go(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._Handler, "timeout", 0.2)
    server = Server(feed)
    server.start()
    with socket.create_connection(("127.0.0.1", server.server_port), 10) as connection:
        connection.sendall(b"GET / HT")
        assert connection.recv(1) == b""
    feed.end()
    server.close()
