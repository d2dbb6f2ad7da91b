"""Where the time went: the figures, the verdict, and what is printed while it runs."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from fitgenerator import GeneratorTimeoutError, Pipeline, last_history, pipeline
from fitgenerator.progress import Progress
from toys import Indexed, Watched, at_batch_begin, echo_model, numbered, numbered_batch, run

PAUSE = 0.02


def pause(*_: Any) -> None:
    time.sleep(PAUSE)  # work that is measured, not synchronisation


# -- measured -----------------------------------------------------------------------------------


def test_a_slow_generator_is_named(queue: int) -> None:
    run(echo_model(), numbered(), 2)  # trace
    pipeline = run(echo_model(), Watched(numbered(), pause), 10, max_queue_size=queue).pipeline
    assert pipeline.generator >= 10 * PAUSE
    assert pipeline.model_waited > pipeline.wall / 4
    assert pipeline.queue_fill < 3
    assert pipeline.generator_waited < pipeline.model_waited
    assert pipeline.verdict.startswith("the model waited ")
    assert pipeline.verdict.endswith(" % of the time for the generator")


def test_a_generator_that_keeps_up_is_named() -> None:
    run(echo_model(), numbered(), 2)
    pipeline = run(echo_model(), numbered(), 30, callbacks=[at_batch_begin(pause)]).pipeline
    assert pipeline.generator_waited > pipeline.model_waited
    assert pipeline.queue_fill > 3


def test_every_pull_and_step_is_counted_training_and_validation(queue: int) -> None:
    unseen = [numbered_batch(1)] * 2
    pipeline = run(echo_model(), numbered(), 3, 2, None, unseen, max_queue_size=queue).pipeline
    assert (pipeline.batches, pipeline.steps, pipeline.max_queue_size) == (10, 10, queue)
    assert pipeline.wall >= pipeline.step + pipeline.model_waited


def test_no_workers_is_shown_as_no_queue() -> None:
    assert run(echo_model(), numbered(), 1, workers=0).pipeline.max_queue_size == 0


# -- shown --------------------------------------------------------------------------------------


def filled(**figures: Any) -> Pipeline:
    return Pipeline(steps=10, batches=10, wall=10.0, **figures)


def test_verdicts() -> None:
    assert filled(model_waited=6.3).verdict == "the model waited 63 % of the time for the generator"
    assert filled(model_waited=0.1, step=8).verdict == (
        "the generator kept up: the model waited 1 % of the time for it, and computed 80 %"
    )
    assert Pipeline().verdict == "no step was run"


def test_figures_by_name() -> None:
    figures = filled(generator=2.0).as_dict()
    assert list(figures) == [
        *("max_queue_size", "generator", "conversion", "step", "model_waited"),
        *("generator_waited", "wall", "queue_fill", "batches", "steps"),
        *("calls", "xla_steps", "longest_wait", "waiting", "fallback", "verdict"),
    ]
    assert figures["generator"] == 2.0


def test_printed() -> None:
    text = str(filled(generator=2.0, queue_fill=3.5)).splitlines()
    assert text[0] == "10 batches pulled, 10 steps, 3.5 of 10 batches ready on average"
    assert text[1] == "  in the generator               2.00 s"
    assert text[-1].startswith("the generator kept up")
    assert "_lock" not in repr(filled())


def test_figures_of_several_threads_add_up() -> None:
    pipeline = Pipeline()

    def add() -> None:
        for _ in range(1000):
            pipeline.add("batches", 1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pipeline.batches == 4000


# -- progress -----------------------------------------------------------------------------------


def shown(*, verbose: int, in_place: bool, steps: int = 3, epochs: int = 1) -> str:
    texts: list[str] = []
    progress = Progress(texts.append, verbose=verbose, in_place=in_place, epochs=epochs)
    for epoch in range(epochs):
        progress.begin_epoch(epoch)
        for done in range(1, steps + 1):
            progress.step(done, steps, lambda: {"loss": 0.5})
        progress.end(steps, {"loss": 0.25, "val_loss": 1e-5})
    progress.close()
    return "".join(texts)


def test_nothing_is_shown_when_silent() -> None:
    assert shown(verbose=0, in_place=True) == shown(verbose=0, in_place=False) == ""


@pytest.mark.parametrize(("verbose", "in_place"), [(1, False), (2, False), (2, True)])
def test_a_line_an_epoch(verbose: int, in_place: bool) -> None:
    lines = shown(verbose=verbose, in_place=in_place, epochs=2).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("Epoch 2/2 - 3/3 - ")
    assert lines[1].endswith(" - loss: 0.2500 - val_loss: 1.0000e-05")


def test_a_bar_is_overwritten_and_its_last_text_stays() -> None:
    text = shown(verbose=1, in_place=True)
    first, *others = text.rstrip("\n").split("\r")[1:]
    assert first.startswith("Epoch 1/1 - 1/3 [======..............] - ")
    assert others[-1].startswith("Epoch 1/1 - 3/3 - ")
    assert len(others[-1]) >= len(others[0]) >= 0
    assert text.endswith("\n")


def test_S5_many_fast_steps_write_little() -> None:
    begun = time.perf_counter()
    text = shown(verbose=1, in_place=True, steps=3000)
    seconds = time.perf_counter() - begun
    assert len(text) < 50_000
    assert text.count("\r") <= 3 + 20 * seconds


def test_a_long_wait_is_shown_in_the_bar() -> None:
    texts: list[str] = []
    progress = Progress(texts.append, verbose=1, in_place=True, epochs=1)
    progress.begin_epoch(0)
    progress.waits("generator", 1.0)
    assert texts == []
    progress.waits("generator", 4.0)
    assert texts == ["\rEpoch 1/1 - waiting for `generator` (4 s)"]
    progress.waits("generator", 4.1)  # at most once a second
    progress.begin_epoch(0)
    progress.step(1, 2, dict)
    progress.begin_epoch(0)
    progress.waits("generator", 5.0)
    assert len(texts) == 3
    assert texts[-1].startswith("\rEpoch 1/1 - waiting for `generator` (5 s)")
    assert len(texts[-1]) >= len(texts[1])  # nothing of the bar is left behind it


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 2), (2, 2)])
def test_a_very_long_wait_is_a_line_where_there_is_no_bar(verbose: int, lines: int) -> None:
    texts: list[str] = []
    progress = Progress(texts.append, verbose=verbose, in_place=False, epochs=1)
    progress.begin_epoch(0)
    for seconds in [*range(0, 100, 5), *range(0, 40, 5)]:  # two waits
        progress.waits("generator", float(seconds))
    assert texts == ["waiting for `generator` (35 s)\n"] * lines


def test_what_is_waited_for_when_a_call_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "PATIENCE", 0.05)
    source = Watched(numbered(), lambda number: number < 3 or time.sleep(0.6))
    with pytest.raises(GeneratorTimeoutError):
        run(echo_model(), source, 5, timeout=0.3)
    history = last_history()
    assert history is not None
    figures = history.pipeline.as_dict()
    assert figures["waiting"] == "generator"
    assert figures["longest_wait"] > 0.3
    assert figures["verdict"].startswith("waiting for `generator`: no batch for ")
    figures = run(echo_model(), Watched(numbered()), 5).pipeline.as_dict()
    assert figures["waiting"] is None


def test_a_bar_that_breaks_off_leaves_its_line() -> None:
    texts: list[str] = []
    progress = Progress(texts.append, verbose=1, in_place=True, epochs=1)
    progress.begin_epoch(0)
    progress.step(1, None, dict)
    progress.close()
    progress.close()
    text = "".join(texts)
    assert "1/?" in text
    assert text.count("\n") == 1


def test_evaluation_in_a_terminal_ends_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from fitgenerator import evaluate_generator, training

    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(training.sys, "stdout", terminal)
    evaluate_generator(echo_model(), Indexed([numbered_batch(2)]), verbose=1)
    assert terminal.getvalue().startswith("\r1/1")
    assert terminal.getvalue().rstrip().endswith("loss: 2.0000")
    assert terminal.getvalue().endswith("\n")


def test_several_steps_in_a_call_are_told_of_and_why_there_are_not() -> None:
    assert "calls" not in str(Pipeline(steps=20, calls=20))
    assert "20 steps in 4 calls, 10 of them compiled by XLA" in str(
        Pipeline(steps=20, calls=4, xla_steps=10)
    )
    assert "20 steps in 20 calls (no loop: why)" in str(
        Pipeline(steps=20, calls=20, fallback="loop: why")
    )
