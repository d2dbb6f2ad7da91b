"""Where the time went: the figures and the verdict."""

from __future__ import annotations

import threading
import time
from typing import Any

import keras
import pytest
from fitgenerator import GeneratorTimeoutError, Pipeline, batch_sequence, last_history
from fitgenerator.reporting import meter
from support.tiny_trainings import (
    Watched,
    at_batch_begin,
    echo_model,
    new_echo_model,
    numbered,
    numbered_batch,
    run,
)

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
    assert pipeline.verdict.endswith(
        " % of the time for the generator"
        + (": a batch_sequence() with `workers` may help" * (queue > 0))
    )


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


def ordered(pipeline: Pipeline) -> float:
    """The stages of the thread that trains, which follow each other."""
    return pipeline.model_waited + pipeline.step + pipeline.callbacks + pipeline.other


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_T26_callbacks_are_a_stage_and_the_stages_add_up(queue: int, eager: bool) -> None:
    model, unseen = new_echo_model(run_eagerly=eager), [numbered_batch(1)] * 2
    run(model, numbered(), 2, 1, None, unseen)
    slow = keras.callbacks.LambdaCallback(on_epoch_end=pause, on_train_batch_end=pause)
    pipeline = run(
        model, numbered(), 4, 2, [slow], unseen, max_queue_size=queue, validation_freq=2
    ).pipeline
    assert pipeline.callbacks >= 10 * PAUSE
    assert ordered(pipeline) == pytest.approx(pipeline.wall)
    assert pipeline.callbacks < pipeline.wall
    if not eager:
        assert pipeline.verdict.startswith("callbacks took ")


def test_T26_nobody_is_blamed_for_what_nobody_did() -> None:
    run(echo_model(), numbered(), 2)
    pipeline = run(echo_model(), numbered(), 5, 2).pipeline
    assert pipeline.callbacks < 0.01
    assert ordered(pipeline) == pytest.approx(pipeline.wall)


def test_T26_the_wait_for_the_batch_that_builds_a_model_is_a_wait() -> None:
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    pipeline = run(model, Watched(numbered(), pause), 1).pipeline
    assert pipeline.model_waited >= PAUSE
    assert ordered(pipeline) == pytest.approx(pipeline.wall)


# -- shown --------------------------------------------------------------------------------------


def filled(**figures: Any) -> Pipeline:
    return Pipeline(steps=10, batches=10, wall=10.0, **figures)


def test_verdicts() -> None:
    assert filled(model_waited=6.3).verdict == "the model waited 63 % of the time for the generator"
    shared = filled(model_waited=4.0, workers={"worker 1": 9.6, "worker 2": 9.4})
    assert shared.verdict == (
        "the model waited 40 % of the time for the generator (`workers` = 2, busy for 95 % of it): "
        "more may help"
    )
    idle = filled(model_waited=4.0, workers={"worker 1": 3.0, "worker 2": 1.0}).verdict
    assert idle.endswith("for the generator (`workers` = 2, busy for 20 % of it)")
    assert filled(model_waited=0.1, step=8).verdict == (
        "the generator kept up: the model waited 1 % of the time for it, and computed 80 %"
    )
    assert filled(model_waited=0.2, callbacks=7.9).verdict == (
        "callbacks took 79 % of the time; the model waited 2 % of it for the generator"
    )
    assert Pipeline().verdict == "no step was run"


def test_figures_by_name() -> None:
    figures = filled(generator=2.0).as_dict()
    assert list(figures) == [
        *("max_queue_size", "generator", "conversion", "step", "model_waited"),
        *("generator_waited", "callbacks", "other", "wall", "queue_fill", "batches"),
        *("redone", "workers", "steps", "calls", "xla_steps", "traces"),
        *("longest_wait", "waiting", "fallback"),
        "verdict",
    ]
    assert figures["generator"] == 2.0


def test_printed() -> None:
    text = str(filled(generator=2.0, queue_fill=3.5)).splitlines()
    assert text[0] == "10 batches drawn, 10 steps, 3.5 of 10 batches ready on average"
    assert text[1] == "  in the generator               2.00 s"
    assert text[-1].startswith("the generator kept up")
    assert "_lock" not in repr(filled())
    busy = str(filled(workers={"worker 1": 9.6, "worker 2": 9.4}))
    assert "Workers: 2, busy for 94 % to 96 % of the time" in busy
    assert "busy for 96 %" in str(filled(workers={"worker 1": 9.6}))


def test_what_may_help_depends_on_the_source() -> None:
    class Loader:
        def __iter__(self) -> Any:
            return iter(batches)

    def remedy(source: Any, **options: Any) -> str:
        return run(echo_model(), source, 2, **options).pipeline._remedy

    batches = [numbered_batch(1)] * 2
    assert remedy(numbered()) == "a batch_sequence() with `workers`"
    assert remedy(batches) == "more `workers`"
    assert remedy(batch_sequence(numbered_batch, 2)) == "more `workers`"
    assert remedy(batches, max_queue_size=0) == ""
    assert remedy(Loader()) == ""  # which has workers of its own, or none


def test_figures_of_several_threads_add_up() -> None:
    counts = meter.Meter(10)

    def add() -> None:
        for _ in range(1000):
            counts.add("batches", 1)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.pipeline.batches == 4000


def test_what_is_waited_for_when_a_call_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "PATIENCE", 0.05)
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


def test_several_steps_in_a_call_are_told_of_and_why_there_are_not() -> None:
    assert "calls" not in str(Pipeline(steps=20, calls=20))
    assert "20 steps in 4 calls, 10 of them compiled by XLA" in str(
        Pipeline(steps=20, calls=4, xla_steps=10)
    )
    assert "20 steps in 20 calls (no loop: why)" in str(
        Pipeline(steps=20, calls=20, fallback="loop: why")
    )
