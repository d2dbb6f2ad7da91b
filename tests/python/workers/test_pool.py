"""Issue 16, processes and their wire: who makes what, what is made again, who is let in."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from unittest import mock

import numpy as np
import pytest
from fitgenerator import WorkerError
from fitgenerator.errors import ClosedError
from fitgenerator.workers import listener
from fitgenerator.workers.makers import last_made
from fitgenerator.workers.wire import Asked
from support.platforms import posix
from support.program_worker import MAGIC, REPLIES
from support.tiny_trainings import PATIENCE
from support.worker_pools import pool_of


def fetched(pool: Any, numbers: Any, source: int = 0, threads: int = 4) -> list[list[int]]:
    """What workers say they were asked, and their process, for each batch."""

    def one(number: int) -> list[int]:
        (array,) = pool.fetch(Asked(source, number, 10 * number, 2, 99)).value
        return array.tolist()  # type: ignore[no-any-return]

    with ThreadPoolExecutor(threads) as executor:
        return list(executor.map(one, numbers))


pytestmark = posix  # what the workers do to themselves


def alive(process: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


def test_who_has_made_a_batch_is_known_to_the_thread_that_fetched_it() -> None:
    with pool_of("kill", "3", count=1) as pool:
        for number in (1, 2, 3):
            before = time.perf_counter()
            pool.fetch(Asked(0, number, 0, 0, 1))
            begun, ended, lane = last_made()
            assert before <= begun < ended <= time.perf_counter()
            assert lane == "worker 1"  # also the one in its place


def test_each_batch_is_asked_for_once_by_its_place_and_nobody_is_left() -> None:
    with pool_of(count=3) as pool:
        replies = fetched(pool, range(1, 40))
    assert [reply[:5] for reply in replies] == [[0, k, 10 * k + 1, 2, 99] for k in range(1, 40)]
    processes = {reply[5] for reply in replies}
    assert 1 <= len(processes) <= 3
    assert not any(map(alive, processes))
    assert pool.redone[0] == 0


def test_what_a_worker_signals_comes_with_its_batch() -> None:
    with pool_of() as pool:
        reply = pool.fetch(Asked(0, 5, 0, 0, 1))
        assert [(c.kind, c.message, c.call, c.classes) for c in reply.signalled] == [
            ("warning", "odd", "f(1)", ("my_warning", "warning"))
        ]
        assert reply.failed is None
    with pool_of("fail always", "2") as pool:
        failed = pool.fetch(Asked(0, 2, 0, 0, 1)).failed
        assert failed is not None
        assert (failed.kind, failed.message, failed.call) == ("error", "no such file", "f(1)")
        assert failed.classes == ("simpleError", "error")
        assert pool.fetch(Asked(0, 3, 0, 0, 1)).failed is None


@pytest.mark.parametrize("how", ["exit", "kill", *REPLIES])
def test_a_worker_that_dies_or_sends_no_reply_is_replaced_and_its_batch_made_again(
    how: str,
) -> None:
    with pool_of(how, "3,7") as pool:
        replies = fetched(pool, range(1, 12))
        assert [reply[1] for reply in replies] == list(range(1, 12))
        assert pool.redone[0] == 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_image_is_sent_with_the_request_in_r_s_order(dtype: str) -> None:
    image = np.arange(12, dtype=dtype).reshape(2, 3, 2)
    with pool_of() as pool:
        for given in (image, np.asfortranarray(image), image[:, ::-1], np.zeros((0, 3, 1), dtype)):
            (array,) = pool.fetch(Asked(1, 7, 3, 0, 99, given)).value
            assert array[:5].tolist() == [1, 7, 4, 0, 99]
            assert array[5:-1].tolist() == [*given.shape, *given.ravel(order="F")]
        assert pool.fetch(Asked(1, 8, 3, 0, 99)).failed is None
    with (
        pool_of("exit always", "3") as pool,
        pytest.raises(WorkerError, match="An image has ended two"),
    ):
        pool.fetch(Asked(0, 3, 0, 0, 1, image))


def test_one_batch_that_ends_two_workers_is_an_error_of_its_own() -> None:
    with pool_of("exit always", "3") as pool:
        with pytest.raises(
            WorkerError, match=r"Batch 3 .* status 3\.\nIt wrote: no memory is left"
        ):
            pool.fetch(Asked(0, 3, 0, 0, 1))
        assert pool.fetch(Asked(0, 4, 0, 0, 1)).failed is None
    with (
        pool_of("kill always", "3") as pool,
        pytest.raises(WorkerError, match=r"signal 9 \(SIGKILL\)"),
    ):
        pool.fetch(Asked(0, 3, 0, 0, 1))


def test_too_many_deaths_are_an_error_for_all() -> None:
    with pool_of("exit always", "1,2,3") as pool:
        with pytest.raises(WorkerError):
            fetched(pool, range(1, 4), threads=3)
        with pytest.raises(WorkerError, match=r"3 worker processes have ended without a batch"):
            pool.fetch(Asked(0, 4, 0, 0, 1))


def test_workers_that_do_not_start_are_an_error_that_says_why() -> None:
    with (
        pool_of("not at all") as pool,
        pytest.raises(WorkerError, match=r"do not start: .* status 1\.\n.*cannot begin"),
    ):
        pool.fetch(Asked(0, 1, 0, 0, 1))
    with (
        pool_of(program="/no/such/program") as pool,
        pytest.raises(WorkerError, match="could not be started"),
    ):
        pool.fetch(Asked(0, 1, 0, 0, 1))


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with (
            pytest.raises(WorkerError, match=f"cannot dial 127.0.0.1, port {port}"),
            pool_of(port=port),
        ):
            pass


def test_O5_an_address_is_refused_in_the_system_s_words(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, said in [
        (
            OSError(10048, "In use here (while attempting to bind on address ('h', 1))"),
            "In use here",
        ),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
    ]:
        monkeypatch.setattr(socket, "create_server", mock.Mock(side_effect=error))
        with pytest.raises(WorkerError, match=rf"FITGENERATOR_PORT\): {said}\.$"), pool_of():
            pass


def test_O9_processes_open_no_console_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 8, raising=False)
    popen = mock.Mock(side_effect=OSError(2, "No such file"))
    monkeypatch.setattr(subprocess, "Popen", popen)
    with pool_of() as pool, pytest.raises(WorkerError, match="No such file"):
        pool.fetch(Asked(0, 1, 0, 0, 1))
    assert popen.call_args.kwargs["creationflags"] == 8


def test_training_is_served_before_validation() -> None:
    with pool_of(count=1) as pool:
        pool.fetch(Asked(0, 1, 0, 0, 1))
        order: list[int] = []
        with pool._changed:  # nobody is served before all have asked
            worker = pool._turns.free.pop()
        wanted = [Asked(1, k, 0, 0, 1) for k in (1, 2)] + [Asked(0, k, 0, 0, 1) for k in (2, 3)]
        threads = [
            threading.Thread(target=lambda one=one: (pool.fetch(one), order.append(one.source)))  # type: ignore[misc]
            for one in wanted
        ]
        for thread in threads:
            thread.start()
        while len(pool._turns.waiting) < len(threads):
            time.sleep(0.01)
        with pool._changed:
            pool._turns.free.append(worker)
            pool._changed.notify_all()
        for thread in threads:
            thread.join(PATIENCE)
    assert sorted(order) == [0, 0, 1, 1]
    assert order[0] == 0


@pytest.mark.parametrize("how", ["sleep", "stop"])
def test_closing_wakes_those_who_wait_and_ends_what_hangs(how: str) -> None:
    with pool_of(how, "1,2,3,4", count=2) as pool:
        waiting = ThreadPoolExecutor(4)
        futures = [waiting.submit(pool.fetch, Asked(0, k, 0, 0, 1)) for k in range(1, 5)]
        while sum(worker.asked is not None for worker in pool._workers) < 2:
            time.sleep(0.01)
        processes = [worker.process.pid for worker in pool._workers]
        assert "does not answer" in pool.where(0)
        assert "worker" in pool.where(0)
        assert pool.where(1) == ""
        begun = time.perf_counter()
        pool.end()
        assert time.perf_counter() - begun < 2
        for future in futures:
            with pytest.raises(ClosedError):
                future.result(PATIENCE)
        assert not any(map(alive, processes))
        waiting.shutdown()
        with pytest.raises(ClosedError):
            pool.fetch(Asked(0, 9, 0, 0, 1))


def test_a_pool_that_is_ended_while_it_starts_leaves_nothing() -> None:
    for pause in (0.0, 0.005, 0.02, 0.1):
        with pool_of(count=3) as pool:
            time.sleep(pause)
        assert not any(alive(worker.process.pid) for worker in pool._workers if worker.process.pid)


# -- strangers ------------------------------------------------------------------------------------


def stranger(port: int, said: bytes) -> bytes:
    """What a stranger hears that says something; nothing, if the door is shut."""
    address = ("127.0.0.1", port)
    with socket.create_connection(address, PATIENCE) as connection, suppress(OSError):
        connection.sendall(said)
        return connection.recv(1)
    return b""


def test_strangers_are_refused_and_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "PATIENCE", 0.5)
    with pool_of(count=2) as pool:
        assert pool._site.listener is not None
        port, used = pool._site.listener.port, pool._workers[0].token
        assert len(fetched(pool, range(1, 9))) == 8
        hello = lambda token, magic=MAGIC: struct.pack("<i16si", magic, token, 1)  # noqa: E731
        for said in (b"GET / HTTP/1.1\r\n\r\n", hello(bytes(16)), hello(used), hello(used, 7)):
            assert stranger(port, said) == b""
        assert stranger(port, struct.pack("<16i", *[2**31 - 1] * 16)) == b""
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(80)]
        silent[0].sendall(b"half")
        assert len(fetched(pool, range(1, 9))) == 8
        begun = time.perf_counter()
        for connection in silent:  # closed without a word, in time
            connection.settimeout(PATIENCE)
            with suppress(OSError):
                assert connection.recv(1) == b""
            connection.close()
        assert time.perf_counter() - begun < PATIENCE / 2
        assert len(fetched(pool, range(1, 9))) == 8


def test_a_worker_is_let_in_while_strangers_are_at_the_door() -> None:
    with pool_of("kill", "3", count=1) as pool:
        assert pool._site.listener is not None
        silent = [
            socket.create_connection(("127.0.0.1", pool._site.listener.port)) for _ in range(20)
        ]
        assert [reply[1] for reply in fetched(pool, range(1, 6), threads=1)] == [1, 2, 3, 4, 5]
        for connection in silent:
            connection.close()
