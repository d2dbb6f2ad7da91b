"""Processes in which a backend cannot run: forks of one in which it ran have none of its threads.

Whatever waits for one of those threads waits for ever. Where a fork has a backend of its own,
begun after the fork, all is well; only a trial tells the two apart.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from ..errors import SetupError
from ..messages import Message

# Seconds in which a sound backend adds two numbers, or at least computes for a while.
PATIENCE = 1
COMPUTING = 0.01
IDLE = 2  # so often in a row it does not compute where its threads are lost
TIMES = 60  # so often a sound one may take longer: on a busy machine, its first start does

_TEXT = (
    "This process is a fork of one in which {name} ran, and {name}'s threads are lost in a "
    "fork: the call would wait for ever. {use another process}."
)


class _Known:
    """What is known of this process, or of the one that it was forked from."""

    forked = False  # by Python's fork
    sound: int | None = None  # the process whose backend has its threads


def _note_fork() -> None:
    _Known.forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def check_process(name: str, try_out: Callable[[], object]) -> None:
    """Refuse to wait for threads that are not there; `try_out` needs those of the backend.

    Raises:
        SetupError: The process is a fork, and the backend does not answer in it.
    """
    if _Known.sound == os.getpid():
        return
    if _is_fork() and (_Known.sound is not None or not _answers(try_out)):
        raise SetupError(Message(_TEXT, name=name))
    _Known.sound = os.getpid()


def _answers(try_out: Callable[[], object]) -> bool:
    answered = threading.Event()

    def answer() -> None:
        try_out()
        answered.set()

    threading.Thread(target=answer, daemon=True).start()
    idle = 0
    for _ in range(TIMES):
        begun = time.process_time()
        if answered.wait(PATIENCE):
            return True
        idle = idle + 1 if time.process_time() - begun < COMPUTING else 0
        if idle == IDLE:  # it waits for a thread that is not there
            return False
    return False


def _is_fork() -> bool:
    """R's fork runs none of Python's hooks: its only thread has another number than before."""
    main = threading.main_thread()
    if threading.current_thread() is not main:
        return _Known.forked
    return _Known.forked or main.native_id != threading.get_native_id()
