"""How the processes of a call find each other: each connects to process 0."""

from __future__ import annotations

import json
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress

from ..backends.protocol import Cluster
from ..errors import ArgumentError, ProcessError
from .link import HELLO, WELCOME, Link, receive_hello, send_frame

# How long a process waits for the others to make the same call, in seconds: one of them may read
# its data long before.
PATIENCE = 1800.0
# Seconds between two questions whether they live; of so many, one has to be answered.
_ASKS = 10.0
_RETRIES = 3
_SLICE = 0.2
_KEY = "fitgenerator"


class _Wait:
    """A wait for other processes, until they come, or cannot come any more."""

    def __init__(self, cluster: Cluster, check: Callable[[], None]) -> None:
        self._cluster = cluster
        self._check = check
        self._begun = self._asked = time.monotonic()
        self._silent = 0  # questions without an answer

    def goes_on(self, missing: list[int]) -> None:
        """Raise what ends the wait for the `missing` processes, if anything does."""
        self._check()
        now, names = time.monotonic(), self._cluster.names
        first = f"Process {missing[0]} of {len(names)} ({names[missing[0]]})"
        if now - self._begun > PATIENCE:
            raise ProcessError(
                f"{first} has not made this call within {PATIENCE:g} seconds. Every process of "
                "TF_CONFIG has to run the same script."
            )
        if now - self._asked > _ASKS:
            self._silent = 0 if all(map(self._cluster.lives, missing)) else self._silent + 1
            self._asked = time.monotonic()
        if self._silent >= _RETRIES:
            raise ProcessError(
                f"{first} has ended before it made this call. Look at its output for the cause, "
                "and start all processes again."
            )


def receive_all(cluster: Cluster, check: Callable[[], None]) -> list[Link]:
    """Process 0: the connections to all others."""
    host = cluster.names[0].rpartition(":")[0].strip("[]")
    token = secrets.token_hex(16)
    found: dict[int, Link] = {}
    with closing(_listener(host)) as listener:
        address = {"host": host, "port": listener.getsockname()[1], "token": token}
        cluster.publish(_KEY, json.dumps(address))
        wait = _Wait(cluster, check)
        try:
            while missing := [i for i in range(1, len(cluster.names)) if i not in found]:
                wait.goes_on(missing)
                with suppress(TimeoutError):
                    connection, _ = listener.accept()
                    link = _admitted(connection, token, cluster)
                    if link is not None:
                        found[link.index] = link
        except BaseException:
            for link in found.values():
                link.close()
            raise
    return [found[index] for index in sorted(found)]


def _listener(host: str) -> socket.socket:
    """A socket that listens where process 0 is reached, or wherever this machine is."""
    try:
        family = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, 0), family=family)
    except OSError:  # it is known under this name to the others alone
        listener = socket.create_server(("", 0))
    listener.settimeout(_SLICE)
    return listener


def _admitted(connection: socket.socket, token: str, cluster: Cluster) -> Link | None:
    """The link to a process that says the right thing; whoever else knocks is turned away."""
    connection.settimeout(5.0)
    hello = receive_hello(connection, HELLO)
    if not isinstance(hello, dict) or hello.get("token") != token:
        connection.close()
        return None
    send_frame(connection, WELCOME, {"names": list(cluster.names)})
    _check_names(cluster, hello["names"], int(hello["index"]))
    return Link(connection, int(hello["index"]))


def reach_first(cluster: Cluster, check: Callable[[], None]) -> Link:
    """Another process: the connection to process 0."""
    wait = _Wait(cluster, check)
    while True:
        wait.goes_on([0])
        said = cluster.look_up(_KEY, _SLICE)
        if said is None:
            continue
        link = _connected(json.loads(said), cluster)
        if link is not None:
            return link
        time.sleep(_SLICE)  # it is the address of a call before this one


def _connected(address: dict[str, str | int], cluster: Cluster) -> Link | None:
    try:
        connection = socket.create_connection((str(address["host"]), int(address["port"])), 5.0)
    except OSError:
        return None
    with suppress(OSError):
        hello = {"token": address["token"], "index": cluster.index, "names": list(cluster.names)}
        send_frame(connection, HELLO, hello)
        welcome = receive_hello(connection, WELCOME)
        if isinstance(welcome, dict):
            _check_names(cluster, welcome["names"], 0)
            return Link(connection, 0)
    connection.close()
    return None


def _check_names(cluster: Cluster, names: list[str], index: int) -> None:
    if names != list(cluster.names):
        raise ArgumentError(
            f"TF_CONFIG names other processes here ({', '.join(cluster.names)}) than in process "
            f"{index} ({', '.join(names)}). Its `cluster` must be the same in all of them."
        )
