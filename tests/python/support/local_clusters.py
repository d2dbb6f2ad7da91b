"""Clusters whose processes are threads of this one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fitgenerator.agreement.agreement import Agreement
from fitgenerator.agreement.meeting import Meeting
from fitgenerator.backends.protocol import Cluster


class LocalCluster(Cluster):
    """One of the processes, which share what is published."""

    def __init__(self, index: int, board: dict[str, str], count: int = 2) -> None:
        self.index = index
        self.names = tuple(f"127.0.0.1:{23450 + i}" for i in range(count))
        self.alive = True  # what the others are told
        self.aborted = threading.Event()  # what waits for others was ended
        self._board = board

    def publish(self, key: str, value: str) -> None:
        self._board[key] = value

    def look_up(self, key: str, seconds: float) -> str | None:
        if key not in self._board:
            time.sleep(0.01)
        return self._board.get(key)

    def lives(self, index: int) -> bool:
        return self.alive

    def abort(self, text: str) -> None:
        self.aborted.set()

    def is_of_peers(self, error: BaseException) -> bool:
        return "ollective" in str(error)


def clusters(count: int) -> list[LocalCluster]:
    """The processes of one cluster."""
    board: dict[str, str] = {}
    return [LocalCluster(index, board, count) for index in range(count)]


def in_each(works: list[Callable[[Agreement], Any]], made: list[LocalCluster]) -> list[Any]:
    """What each process has of its work, or the error that it ended with."""

    def run(cluster: LocalCluster, work: Callable[[Agreement], Any]) -> Any:
        meeting = Meeting(cluster)
        try:
            with meeting.told():
                meeting.join(lambda: None, meeting.shut)
                return work(meeting)
        except BaseException as error:
            return error
        finally:
            meeting.close()

    with ThreadPoolExecutor(len(made)) as pool:
        return list(pool.map(run, made, works))
