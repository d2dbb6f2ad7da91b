"""Issue 16, workers of the user's: they are let in, never replaced, and none left is an error."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fitgenerator import WorkerError
from fitgenerator.workers.lent import LentDoor
from fitgenerator.workers.pool import Pool
from fitgenerator.workers.site import Address
from fitgenerator.workers.wire import REQUEST, Asked
from support.program_worker import MAGIC, batch


@contextmanager
def lent_pool(patience: float = 30.0, host: str = "127.0.0.1") -> Iterator[tuple[Pool, LentDoor]]:
    door = LentDoor(Address(host, 0), patience)
    pool = Pool(4, door)
    pool.start()
    try:
        yield pool, door
    finally:
        pool.end()


def dial(door: LentDoor, token: str, batches: int, number: int = 7) -> threading.Thread:
    """A worker that makes so many batches and goes."""

    def work() -> None:
        with socket.create_connection(door.at) as connection:
            connection.sendall(struct.pack("<i16si", MAGIC, bytes.fromhex(token), number))
            for _ in range(batches):
                if len(said := connection.recv(REQUEST.size, socket.MSG_WAITALL)) < REQUEST.size:
                    return
                connection.sendall(batch(REQUEST.unpack(said)[:5]))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_one_that_goes_is_done_without_and_none_left_is_an_error() -> None:
    with lent_pool() as (pool, door):
        threads = [dial(door, pool.invite(), batches) for batches in (1, 3)]
        for number in range(4):
            assert pool.fetch(Asked(0, number, 0, 0, 1)).failed is None
        with pytest.raises(WorkerError, match=r"None of 2 workers is left.*process 7\), has gone"):
            pool.fetch(Asked(0, 5, 0, 0, 1))
        assert pool.redone[0] >= 1
    for thread in threads:
        thread.join()


def test_nobody_who_comes_is_an_error_that_says_where_to() -> None:
    with lent_pool(patience=0.2) as (pool, door):
        pool.invite()
        with pytest.raises(
            WorkerError, match=rf"within 0.2 seconds.*127.0.0.1, port {door.at.port}"
        ):
            pool.fetch(Asked(0, 1, 0, 0, 1))


def test_a_knock_is_heard_once_and_lets_nobody_in() -> None:
    with lent_pool() as (_, door):
        here, absent = door.knock(), door.knock()
        dial(door, here, 9).join()
        assert door.knocked(0.05) == [here]
        dial(door, here, 9).join()  # it is used
        dial(door, absent, 9).join()
        begun = time.monotonic()
        assert door.knocked(30) == [here, absent]
        assert time.monotonic() - begun < 10


def test_one_that_hangs_is_named_and_the_end_does_not_wait_for_it() -> None:
    with lent_pool() as (pool, door):
        token = pool.invite()
        connection = socket.create_connection(door.at)
        connection.sendall(struct.pack("<i16si", MAGIC, bytes.fromhex(token), 9))
        failures: list[BaseException] = []

        def fetch() -> None:
            try:
                pool.fetch(Asked(0, 1, 0, 0, 1))
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=fetch)
        thread.start()
        assert len(connection.recv(REQUEST.size, socket.MSG_WAITALL)) == REQUEST.size
        assert pool.where(0) == "worker 1 (process 9), which is yours and is not stopped"
        pool.end()
        thread.join(10)
        assert [type(error).__name__ for error in failures] == ["ClosedError"]
        assert connection.recv(1) == b""
        connection.close()


def test_a_wildcard_is_no_address_to_dial() -> None:
    with lent_pool(host="0.0.0.0") as (_, door):
        assert door.at.host != "0.0.0.0"
