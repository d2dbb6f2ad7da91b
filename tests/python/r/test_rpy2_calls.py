"""Python sources that call R functions through rpy2 while they make their batches."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fitgenerator import (
    GeneratorTimeoutError,
    batch_sequence,
    evaluate_generator,
    predict_generator,
)
from rpy2 import rinterface
from rpy2.rinterface_lib import _rinterface_capi, openrlib, sexp
from rpy2.robjects import FloatVector, default_converter, numpy2ri
from rpy2.robjects.conversion import localconverter
from support.platforms import press_ctrl_c
from support.r_code import RRuntimeError, closure, r
from support.tiny_trainings import (
    Watched,
    at_batch_begin,
    at_epoch_end,
    echo_model,
    new_echo_model,
    numbered,
    run,
)

SCRIPT = Path(__file__).parents[1] / "support" / "program_r_calls.py"


def test_F2_T13_ctrl_c_while_a_python_generator_calls_r(clean_environment: dict[str, str]) -> None:
    answers = []
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(SCRIPT)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment,
    ) as process:
        assert process.stdout
        while process.stdout.readline() == "calling\n":
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            answers.append(process.stdout.readline().strip())
        process.kill()
        errors = process.communicate()[1]
    assert answers == ["interrupted, [], [5.0], function"] * 19, errors


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such signal here")
def test_F2_an_interrupt_that_comes_as_r_begins_to_wait_is_not_slept_through() -> None:
    """R has looked for one before the watcher could tell it."""
    press = "tools::pskill(Sys.getpid(), 2L); Sys.sleep(60)"
    for _ in range(5):
        draw = closure(
            f"n <- 0; function() {{ n <<- n + 1; if (n == 3) {{ {press} }}; list(1, 1) }}"
        )
        begun = time.perf_counter()
        with pytest.raises(KeyboardInterrupt):
            run(echo_model(), draw, 5)
        assert time.perf_counter() - begun < 20


def drawing(call: Callable[[], float]) -> Iterator[tuple[Any, Any]]:
    """Batches whose predictions are what `call` gives."""
    while True:
        yield np.full((2, 1), call()), np.zeros(2)


def test_r_code_of_a_python_generator_runs_on_the_main_thread(queue: int) -> None:
    threads: set[str] = set()

    @rinterface.rternalize(signature=False)
    def note() -> Any:
        threads.add(threading.current_thread().name)
        return rinterface.NULL

    counted = closure("function(f) { f(); 3 }")
    r("function(...) list2env(list(...), globalenv())")(counted=counted, note=note)
    for call in (
        lambda: counted(note)[0],
        lambda: counted.rcall(((None, note),))[0],
        lambda: r("counted(note)")[0],
    ):
        history = run(echo_model(), drawing(call), 3, max_queue_size=queue).history
        assert history["loss"] == [3.0]
    r("rm(counted, note)")
    assert threads == {"MainThread"}


def test_T13_errors_of_r_and_python_are_raised_as_they_are(queue: int) -> None:
    failing = closure("function() stop('mine')")
    with pytest.raises(RRuntimeError, match="mine") as caught:
        run(echo_model(), drawing(failing), 3, max_queue_size=queue)
    assert caught.value.__notes__ == ["While batch 1 of `generator` was made."]
    for call in (evaluate_generator, predict_generator):
        with pytest.raises(RRuntimeError, match="mine"):
            call(echo_model(), drawing(failing), 3, queue)
    with pytest.raises(NotImplementedError, match="Conversion"):
        run(echo_model(), drawing(lambda: failing(object())), 3, max_queue_size=queue)

    def survives() -> float:
        with suppress(RRuntimeError):
            failing()
        return 2.0

    assert run(echo_model(), drawing(survives), 3, max_queue_size=queue).history["loss"] == [2.0]


@pytest.mark.parametrize("code", ["Sys.sleep(60)", "repeat sqrt(2)"])
def test_T13_a_function_of_r_that_takes_too_long_is_stopped(code: str, queue: int) -> None:
    stuck = closure(f"n <- 0; function() {{ n <<- n + 1; if (n == 3) {code}; 1 }}")
    options = {"timeout": 0.3, "max_queue_size": queue}
    with pytest.raises(GeneratorTimeoutError, match=r"0\.3 seconds"):
        run(echo_model(), drawing(lambda: stuck()[0]), 5, **options)
    history = run(echo_model(), drawing(lambda: stuck()[0]), 5, timeout=30.0).history
    assert history["loss"] == [1.0]


def test_random_numbers_of_r_go_on_from_call_to_call(queue: int) -> None:
    r("set.seed(3)")
    expected = [r("runif(1)")[0] for _ in range(6)]
    r("set.seed(3)")
    drawn: list[float] = []
    source = drawing(lambda: drawn.append(r("runif")(1)[0]) or drawn[-1])
    run(echo_model(), source, 2, max_queue_size=queue)
    run(echo_model(), source, 3, max_queue_size=queue)
    assert [*drawn, r("runif(1)")[0]] == expected


def test_rules_of_conversion_are_those_of_the_generator(queue: int) -> None:
    seen: list[type] = []

    def converted() -> float:
        with localconverter(default_converter + numpy2ri.converter):
            value = r("function(x) x + 1")(np.ones(2))
            seen.append(type(value))
        return float(value[0])

    history = run(echo_model(), drawing(converted), 3, max_queue_size=queue).history
    assert history["loss"] == [2.0]
    assert set(seen) == {np.ndarray}


def test_other_threads_call_r_as_they_do_by_themselves() -> None:
    roots: list[float] = []
    root = rinterface.baseenv["sqrt"]

    def call() -> float:
        number = rinterface.FloatSexpVector([4])
        thread = threading.Thread(target=lambda: roots.append(root(number)[0]))
        thread.start()
        thread.join()
        return roots[-1]

    assert run(echo_model(), drawing(call), 3).history["loss"] == [2.0]


def test_a_training_within_a_callback_and_threads_of_a_sequence_ask_their_own_calls() -> None:
    sequence = batch_sequence(lambda i: (np.full((2, 1), r("sqrt")(4)[0]), np.zeros(2)), 64)
    other, inner = new_echo_model(), []
    nested = at_epoch_end(lambda epoch: inner.append(run(other, sequence, workers=4).history))
    history = run(echo_model(), sequence, 64, 3, [nested], workers=4).history
    assert history["loss"] == [2.0] * 3
    assert inner == [{"loss": [2.0]}] * 3


def test_rpy2s_classes_are_changed_by_the_first_call_alone() -> None:
    """Python 3.13 notices a thousand changes of a class, and then no other `__getitem__`."""
    kinds = [sexp.SexpVectorAbstract, sexp.StrSexpVector, rinterface.SexpClosure]
    run(echo_model(), drawing(lambda: r("2")[0]), 2)
    before = [dict(vars(kind)) for kind in kinds]
    run(echo_model(), drawing(lambda: r("2")[0]), 2)
    assert [dict(vars(kind)) for kind in kinds] == before


def test_after_a_call_rpy2_waits_for_no_lock_that_it_does_not_take_itself() -> None:
    run(echo_model(), drawing(lambda: r("2")[0]), 2)
    vector, read = rinterface.IntSexpVector([7]), []
    with openrlib.rlock:
        other = threading.Thread(target=lambda: read.append(vector[0]))
        other.start()
        other.join(10)
        assert read == [7]


def test_what_threads_drop_of_r_is_released_on_the_main_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: set[str] = set()
    release = _rinterface_capi._release

    def watch(value: Any) -> None:
        threads.add(threading.current_thread().name)
        release(value)

    monkeypatch.setattr(_rinterface_capi, "_release", watch)
    busy = at_batch_begin(lambda batch: r("for (i in 1:1000) list(i)"))
    run(echo_model(), drawing(lambda: FloatVector(range(9))[1]), 200, callbacks=[busy])
    assert threads == {"MainThread"}


def test_a_handler_of_the_users_own_takes_ctrl_c(queue: int) -> None:
    taken: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: taken.append(number))
    try:
        press = at_epoch_end(lambda epoch: press_ctrl_c())
        source = Watched(numbered(), lambda n: n != 5 or press_ctrl_c())
        history = run(echo_model(), source, 2, 5, [press], max_queue_size=queue).history
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(history["loss"]) == 5
    assert set(taken) == {signal.SIGINT}
