"""R functions through rpy2 beside other trainings and processes, and what is left of them."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import keras
import pytest
from fitgenerator import AbandonedThreadWarning, ArgumentError, evaluate_generator
from rpy2.rinterface_lib import _rinterface_capi
from rpy2.robjects import FloatVector
from support.r_code import RRuntimeError, closure, r
from support.tiny_trainings import (
    PATIENCE,
    Watched,
    at_batch_begin,
    at_epoch_end,
    echo_model,
    new_echo_model,
    numbered,
)
from support.tiny_trainings import run as fit


def test_A6_a_training_from_r_within_a_callback_of_another(queue: int) -> None:
    inner, other = [], new_echo_model()

    def train_other(epoch: int) -> None:
        inner.append(fit(other, closure(), 3, max_queue_size=queue).history["loss"])
        inner.append([evaluate_generator(other, closure(), 3, queue)])

    callbacks = [at_epoch_end(train_other)]
    history = fit(echo_model(), closure(), 2, 2, callbacks, max_queue_size=queue)
    assert history.history["loss"] == [1.5, 3.5]
    assert inner == [[2.0]] * 4


def test_A6_an_r_function_within_a_python_generator_is_refused(queue: int) -> None:
    other, draw, refused = new_echo_model(), closure(), []

    def train_other(number: int) -> None:
        with pytest.raises(ArgumentError) as caught:
            fit(other, draw, 2)
        refused.append(str(caught.value))

    source = Watched(numbered(), train_other)
    if queue == 0:  # on the main thread it works
        source = Watched(numbered(), lambda number: fit(other, draw, 2))
    assert fit(echo_model(), source, 2, max_queue_size=queue).history["loss"] == [1.5]
    assert len(refused) == (2 if queue else 0)
    assert all("main thread" in text for text in refused)


def test_A6_a_python_generator_trains_in_a_thread_beside_an_r_function() -> None:
    both, results = threading.Barrier(2), []
    meet = at_batch_begin(lambda batch: both.wait(PATIENCE) if batch == 1 else None)
    other = new_echo_model()
    beside = threading.Thread(
        target=lambda: results.append(fit(other, numbered(), 9, callbacks=[meet]).history)
    )
    beside.start()
    results.append(fit(echo_model(), closure(), 9, callbacks=[meet]).history)
    beside.join(PATIENCE)
    assert results == [{"loss": [5]}] * 2


def test_A8_a_fork_is_refused_in_words_and_a_psock_cluster_works() -> None:
    fork = "function() list(parallel::mclapply(1:2, identity)[[1]], 0)"
    for use in (fit, evaluate_generator):
        with pytest.raises(RRuntimeError, match=r"cannot fork.*makePSOCKcluster") as caught:
            use(echo_model(), closure(fork), 2)
        assert "batch 1 of `generator`" in caught.value.__notes__[0]
    assert list(r("unlist(parallel::mclapply(1:2, function(i) i, mc.cores = 2L))")) == [1, 2]
    cluster = """
        cluster <- parallel::makePSOCKcluster(1)
        function(close = FALSE) {
            if (close) return(parallel::stopCluster(cluster))
            list(matrix(parallel::clusterApply(cluster, 3, identity)[[1]]), 0)
        }
    """
    draw = closure(cluster)
    try:
        assert fit(echo_model(), draw, 50).history["loss"] == [3]
    finally:
        draw(True)


def test_M2_what_r_handed_over_and_what_a_closure_holds_is_released(queue: int) -> None:
    r("released <- 0; note <- function(e) released <<- released + 1")
    marked = """
        held <- new.env()
        reg.finalizer(held, note)
        function() {
            mark <- new.env()
            reg.finalizer(mark, note)
            held$last <- structure(matrix(1, 2, 1), mark = mark)
            list(held$last, c(0, 0))
        }
    """
    model, draw = new_echo_model(), closure(marked)
    options = {"validation_data": draw, "validation_steps": 2, "max_queue_size": queue}
    fit(model, draw, 20, 2, **options)
    function = weakref.ref(draw)
    del draw, options
    gc.collect()
    r("for (i in 1:3) gc()")
    assert function() is None
    assert r("released")[0] == 40 + 4 + 1


def test_M2_garbage_that_holds_values_of_r_is_released_on_the_main_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: set[str] = set()
    release = _rinterface_capi._release

    def watch(value: Any) -> None:
        threads.add(threading.current_thread().name)
        release(value)

    def litter(number: int) -> None:
        while cycles:
            cycles.pop()  # on the thread that reads
        kept.append([[] for _ in range(100_000)])  # Python would collect here

    cycles, kept = list[Any](), list[Any]()
    for number in range(100):
        cycles.append([FloatVector([number])])
        cycles[-1].append(cycles[-1])
    monkeypatch.setattr(_rinterface_capi, "_release", watch)
    options = {"validation_data": Watched(numbered(), litter), "validation_steps": 3}
    fit(echo_model(), closure(), 3, 2, **options)
    assert gc.isenabled()
    gc.collect()
    assert not cycles
    assert threads == {"MainThread"}


def test_F3_an_error_and_a_stuck_generator_beside_it_are_both_told_of(short_grace: float) -> None:
    reached, release = threading.Event(), threading.Event()

    def stick(number: int) -> None:
        reached.set()
        assert release.wait(PATIENCE)

    def fail(batch: int) -> None:
        if batch == 1:  # what validates is read from the first step on
            assert reached.wait(PATIENCE)
            raise ValueError("mine")

    options = {"validation_data": Watched(numbered(), stick), "validation_steps": 1}
    with pytest.warns(AbandonedThreadWarning), pytest.raises(ValueError, match="mine"):
        fit(echo_model(), closure(), 2, 2, [at_batch_begin(fail)], **options)
    release.set()
    for thread in threading.enumerate():
        if thread.name.startswith("fitgenerator"):
            thread.join(PATIENCE)


def test_E2_what_fails_when_the_call_ends_is_an_error_not_a_hang() -> None:
    class Sealed(keras.Sequential):
        sealed = False

        def __setattr__(self, name: str, value: Any) -> None:
            if self.sealed and name == "_initial_epoch":
                raise AttributeError("sealed")
            super().__setattr__(name, value)

    model = Sealed([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.sealed = True
    with pytest.raises(AttributeError, match="sealed"):
        fit(model, closure(), 2)
    with pytest.raises(RRuntimeError, match="no"):  # what failed first
        fit(model, closure("function() stop('no')"), 2)


def test_F3_many_short_calls_leave_no_thread_and_no_open_file() -> None:
    files = Path("/proc/self/fd")  # elsewhere than on Linux nothing is counted
    count = lambda: (threading.active_count(), len([*files.iterdir()]) if files.exists() else 0)  # noqa: E731
    draw, failing = closure(), closure("function() stop('no')")
    fit(echo_model(), draw, 2)
    before = count()
    for number in range(100):
        if number % 10:
            fit(echo_model(), draw, 2)
        else:
            with pytest.raises(RRuntimeError, match="no"):
                fit(echo_model(), failing, 2)
    assert count() == before
