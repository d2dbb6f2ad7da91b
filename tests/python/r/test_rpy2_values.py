"""Values of R that Python sources make and read on their own threads, through rpy2."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from rpy2 import rinterface
from rpy2.rinterface_lib import openrlib
from rpy2.robjects import FloatVector
from rpy2.robjects.environments import local_context
from support.r_code import r
from support.r_processes import said_by
from support.tiny_trainings import LULL, PATIENCE, at_batch_begin, echo_model, numbered, run

BUSY = """
import signal
from rpy2 import robjects as ro
from rpy2.robjects.vectors import FloatVector, ListVector, StrVector

def vectors():
    for number in range(10**9):
        parts = [FloatVector(range(k, k + 50)) for k in range(10)]
        names = StrVector([f"n{k} {number}" for k in range(10)])
        held = ListVector(zip(names, parts))
        assert list(held.names) == list(names)
        assert tuple(held.rclass) == ("list",)
        yield np.full((2, 1), sum(np.asarray(part)[0] for part in held)), np.zeros(2)

litter = "for (i in 1:100) list(i, paste0('a', i)); gc()"
busy = at_batch_begin(lambda batch: r(litter))
unseen = closure(f"function() {{ {litter}; list(matrix(7, 2, 1), c(0, 0)) }}")
options = {"validation_data": unseen, "validation_steps": 3}
print(run(echo_model(), vectors(), 20, 2, [busy], **options).history)
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in range(6):
    seconds = 0.05 + number / 40
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        run(echo_model(), vectors(), 10**6, callbacks=[busy])
    except KeyboardInterrupt:
        print("interrupted")
    timer.join()
"""


def test_values_of_r_survive_r_code_and_interrupts_elsewhere(
    clean_environment: dict[str, str],
) -> None:
    """In a process of its own: without a lock it ends in R's collector, or jumps out of it."""
    history, *interrupted = said_by(clean_environment, BUSY)
    assert history == str({"loss": [45.0] * 2, "val_loss": [7.0] * 2})
    assert interrupted == ["interrupted"] * 6


def test_a_thread_that_makes_a_value_waits_for_r_code_and_not_for_the_rest() -> None:
    running, made = threading.Event(), threading.Event()

    @rinterface.rternalize(signature=False)
    def look() -> Any:
        running.set()
        early.append(made.wait(LULL))
        return rinterface.BoolSexpVector([True])

    def source() -> Iterator[Any]:
        for number, batch in enumerate(numbered()):
            if number == 1:
                assert running.wait(PATIENCE)
                FloatVector([1.0, 2.0])
                made.set()
            yield batch

    early: list[bool] = []
    call = r("function(f) f()")
    callback = at_batch_begin(lambda batch: call(look) if batch == 0 else made.wait(PATIENCE))
    run(echo_model(), source(), 2, callbacks=[callback])
    assert early == [False]
    assert made.is_set()


def test_a_caller_that_has_rpy2s_lock_holds_up_no_thread() -> None:
    def source() -> Iterator[Any]:
        while True:
            yield np.full((2, 1), FloatVector([2.0])[0]), np.zeros(2)

    with local_context():
        assert run(echo_model(), source(), 3).history["loss"] == [2.0]
        assert openrlib.rlock._is_owned()  # type: ignore[attr-defined]
    assert not openrlib.rlock._is_owned()  # type: ignore[attr-defined]


def test_r_takes_no_interrupt_while_a_value_is_made() -> None:
    pending: list[int] = []

    class Looking(list[float]):
        def __iter__(self) -> Iterator[float]:
            pending.append(openrlib.rlib.R_interrupts_pending)
            return super().__iter__()

    def make(batch: int) -> None:
        openrlib.rlib.R_interrupts_pending = 1
        rinterface.FloatSexpVector(Looking([1.0]))
        pending.append(openrlib.rlib.R_interrupts_pending)
        openrlib.rlib.R_interrupts_pending = 0

    run(echo_model(), numbered(), 1, callbacks=[at_batch_begin(make)])
    assert pending == [0, 1]
