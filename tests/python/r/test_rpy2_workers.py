"""Issue 16: R functions of a batch's number in R processes, which Python starts and ends."""

from __future__ import annotations

import os
import subprocess
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fitgenerator import (
    ArgumentError,
    BatchError,
    GeneratorTimeoutError,
    SetupError,
    WorkerError,
    WorkersWarning,
    batch_sequence,
    evaluate_generator,
    predict_generator,
)
from fitgenerator.r.rpy2 import worker_pool
from support.platforms import posix
from support.r_code import RRuntimeError, closure, r
from support.r_processes import said_by
from support.refusals_workers import without_globals
from support.tiny_trainings import linear_model, notes_of, run

pytestmark = posix

DRAWN = "function(i, epoch) { x <- matrix(rnorm(12) + i, 4); list(x, rowSums(x) + epoch) }"


def children() -> set[int]:
    """The processes that this one has started."""
    found = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in found.stdout.splitlines()]
    return {
        int(pid) for pid, parent, *name in lines if int(parent) == os.getpid() and "ps" not in name
    }


def trained(workers: int | None, seed: int | None = 1, **given: Any) -> Any:
    """What comes of a training with validation."""
    made = lambda length: batch_sequence(closure(DRAWN), length, seed=seed)  # noqa: E731
    settings = {"epochs": 2, "validation_data": made(2), "workers": workers, **given}
    return run(linear_model(), made(6), **settings).history


def test_one_seed_gives_the_same_results_for_any_number_of_workers_and_nothing_is_left() -> None:
    before, model = children(), linear_model()
    r("set.seed(3)")
    wanted = [trained(None), r("runif(1)")[0]]
    for workers in (2, 3):
        r("set.seed(3)")
        assert [trained(workers), r("runif(1)")[0]] == wanted
        assert children() == before
    assert trained(2, max_queue_size=0) == wanted[0]
    flow = batch_sequence(closure(DRAWN), 3, seed=1)
    assert evaluate_generator(model, flow, workers=2) == evaluate_generator(model, flow)
    predicted = [predict_generator(model, flow, workers=workers).tolist() for workers in (1, 2)]
    assert predicted[0] == predicted[1]


def test_without_a_seed_one_is_drawn_from_r_s_random_numbers() -> None:
    r("set.seed(3)")
    first = trained(2, None)
    assert trained(2, None) != first
    r("set.seed(3)")
    assert trained(3, None) == first


def test_each_batch_is_made_once_in_another_process_which_needs_base_r_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "__version__", "0")
    r.assign("folder", str(tmp_path))
    code = """function(i) {
      file.create(file.path(folder, paste(i, Sys.getpid(), isNamespaceLoaded("fitgenerator"))))
      list(matrix(i + c(1 / 3, 1e-45, 1e39), 1), i / 7)
    }"""
    wanted = run(linear_model(), batch_sequence(r(code), 8)).history
    made = [file.name.split() for file in tmp_path.iterdir()]
    assert {int(process) for _, process, _ in made} == {os.getpid()}
    for file in tmp_path.iterdir():
        file.unlink()
    assert str(run(linear_model(), batch_sequence(r(code), 8), workers=2).history) == str(wanted)
    made = [file.name.split() for file in tmp_path.iterdir()]
    assert sorted(int(number) for number, *_ in made) == [*range(1, 9)]
    assert os.getpid() not in {int(process) for _, process, _ in made}
    assert {loaded for *_, loaded in made} == {"FALSE"}


def test_methods_of_the_session_are_there() -> None:
    r("""
    scale.test_class <- function(x, ...) test_low(x) + unclass(x)
    test_low <- function(x) min(x)
    test_x <- structure(matrix(c(1, 2, 3), 1), class = "test_class")
    setClass("TestClass", representation(v = "numeric"))
    setMethod("length", "TestClass", function(x) 10L)
    """)
    batches = batch_sequence(r("function(i) list(scale(test_x) + i, length(new('TestClass')))"), 4)
    here = run(linear_model(), batches).history
    assert run(linear_model(), batches, workers=2).history == here
    r("""
    removeMethod("length", "TestClass"); removeClass("TestClass")
    rm(scale.test_class, test_low, test_x)
    """)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("function(i) if (i == 3) read_it('a.png') else list(matrix(i, 1, 3), 1)", RRuntimeError),
        ("function(i) if (i == 3) list(mean) else list(matrix(i, 1, 3), 1)", BatchError),
    ],
)
def test_an_error_is_what_it_is_on_the_main_thread(code: str, kind: type[Exception]) -> None:
    r("read_it <- function(file) stop('no such file: ', file)")
    told = []
    for workers in (1, 2):
        with pytest.raises(kind) as caught:
            run(linear_model(), batch_sequence(r(code), 8), workers=workers)
        told.append((str(caught.value), notes_of(caught.value)))
    (text, notes), (told_text, told_notes) = told
    assert told_text == text
    assert notes.endswith(told_notes)  # the calls within the function do not travel
    assert "batch 3 of `generator`" in told_notes


def test_warnings_and_messages_are_signalled_once_with_their_batch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    code = """function(i) {
      if (i == 2) warning("odd")
      if (i == 4) message("even")
      list(matrix(i, 1, 3), 1)
    }"""
    r("old <- options(warn = 1)")
    run(linear_model(), batch_sequence(r(code), 5), workers=2)
    r("options(old)")
    said = caplog.text  # where rpy2 writes what R would write to its console
    assert said.count("odd (batch 2 of `generator`)") == 1
    assert said.count("even (batch 4 of `generator`)") == 1


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("n <- 0; function(i) { n <<- n + i; list(n, n) }", "assigns `n` outside of itself"),
        ("con <- textConnection('a'); function(i) readLines(con)", "uses `con`, a connection"),
    ],
)
def test_what_cannot_run_in_another_process_is_refused_before_the_first_batch(
    code: str, text: str
) -> None:
    with pytest.raises(ArgumentError, match=text) as caught:
        run(linear_model(), batch_sequence(closure(code), 8), workers=2)
    assert caught.value.argument == "workers"


def test_a_plain_closure_runs_on_r_s_thread_with_one_message_that_says_how_to_change_it() -> None:
    code = "n <- 0; function() { n <<- n + 1; list(matrix(n, 1, 3), n) }"
    alone = run(linear_model(), closure(code), 4).history
    with pytest.warns(WorkersWarning) as warned:
        history = run(linear_model(), closure(code), 4, workers=3).history
    assert history == alone
    (warning,) = warned
    assert str(warning.message) == (
        "`workers` = 3 has no effect on `generator`: a function of no number runs on R's own "
        "thread. batch_sequence(generator, None, seed=1) makes a source of it that 3 processes "
        "share."
    )
    assert os.path.dirname(warning.filename).endswith("support")  # where the call stands
    drawn = closure("function() { x <- matrix(rnorm(12), 4); list(x, rowSums(x)) }")
    found = []
    for count in (1, 3):
        shared = batch_sequence(drawn, None, seed=1)  # what the message says
        found.append(run(linear_model(), shared, 4, workers=count).history)
    assert found[0] == found[1]


def test_what_is_missing_or_wrong_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = batch_sequence(closure(DRAWN), 4, seed=1)
    monkeypatch.setenv("FITGENERATOR_PORT", "all")
    with pytest.raises(ArgumentError, match="FITGENERATOR_PORT must be a port"):
        run(linear_model(), flow, workers=2)
    monkeypatch.setenv("FITGENERATOR_PORT", "0")
    monkeypatch.setenv("FITGENERATOR_HOST", "no such host")
    with pytest.raises(WorkerError, match=r"variables FITGENERATOR_HOST and FITGENERATOR_PORT\)"):
        run(linear_model(), flow, workers=2)
    monkeypatch.delenv("FITGENERATOR_HOST")
    with without_globals(), pytest.raises(SetupError, match="needs the R package globals"):
        run(linear_model(), flow, workers=2)


@pytest.mark.parametrize("language", ["r", "python"])
def test_on_epoch_end_runs_on_the_main_thread_between_passes(language: str) -> None:
    ended: list[Any] = []

    def note(epoch: int) -> None:
        ended.append((epoch, threading.current_thread() is threading.main_thread()))

    r("ended <- NULL")
    hook: Any = r("function(epoch) ended <<- c(ended, epoch)") if language == "r" else note
    flow = batch_sequence(closure(DRAWN), 3, seed=1, on_epoch_end=hook)
    run(linear_model(), flow, epochs=3, workers=2)
    if language == "r":
        assert list(r("ended")) == [0, 1, 2]
        failing = batch_sequence(closure(DRAWN), 3, on_epoch_end=r("function() stop('in it')"))
        with pytest.raises(RRuntimeError, match="in it"):
            run(linear_model(), failing, epochs=2, workers=2)
    else:
        assert ended == [(0, True), (1, True), (2, True)]


def test_a_batch_that_takes_too_long_is_shown_with_its_worker() -> None:
    code = "function(i) { if (i == 3) Sys.sleep(60); list(matrix(i, 1, 3), 1) }"
    with pytest.raises(
        GeneratorTimeoutError, match=r"gave no batch 3 [\s\S]*worker \d[\s\S]*Sys\.sleep"
    ):
        run(linear_model(), batch_sequence(r(code), 8), workers=2, timeout=3)


def test_ctrl_c_comes_out_at_once_and_leaves_no_process(
    clean_environment: dict[str, str], tmp_path: Path
) -> None:
    script = textwrap.dedent(
        f"""
        import os, signal, threading, time
        import keras, rpy2.robjects as ro
        import fitgenerator as fg
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        slow = ro.r("function(i) {{ if (i > 4) {{ file.create(file.path('{tmp_path}', "
                    "Sys.getpid())); Sys.sleep(60) }}; list(matrix(i, 2, 3), 1:2) }}")
        sent = []

        def interrupt():
            while len(os.listdir("{tmp_path}")) < 2:
                time.sleep(0.05)
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        try:
            fg.fit_generator(model, fg.batch_sequence(slow, 20), verbose=0, workers=2)
        except KeyboardInterrupt:
            print("interrupted", time.perf_counter() - sent[0] < 5)
        left = [t.name for t in threading.enumerate() if "fit" in t.name]
        quick = ro.r("function(i) list(matrix(i, 2, 3), 1:2)")
        again = fg.fit_generator(model, fg.batch_sequence(quick, 4), verbose=0, workers=2)
        print("again", again.epoch, left)
        """
    )
    said = said_by(clean_environment, script)
    assert said == ["interrupted True", "again [0] []"]
    processes = [int(file.name) for file in tmp_path.iterdir()]
    assert len(processes) == 2
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, 0)
            time.sleep(0.5)
            os.kill(process, 0)
            pytest.fail(f"process {process} is left")
