"""T1, T2: each kind of model gives Keras's numbers in steps and loops, and close ones in XLA.

Eight kinds run by default, all with FITGENERATOR_SWEEP=all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import evaluate_generator, predict_generator
from fitgenerator.steps.tensorflow.compiled_steps import TensorFlowSteps
from support.model_kinds_tensorflow import KINDS, QUICK, made
from support.sweep import ROUNDING, compare, rounding_of, same
from support.tiny_trainings import Indexed, keras_history, run

pytestmark = pytest.mark.usefixtures("loops_pay")

STEPS = 20  # asked for in each mode, from which on XLA is used by default
ALL = os.environ.get("FITGENERATOR_SWEEP") == "all"
SWEPT = list(KINDS) if ALL else list(QUICK)
COMPILED = SWEPT if ALL else ["outputs", "dropout"]  # in the default way, too: that takes seconds
# What draws random numbers has others in XLA, and is compiled only where that is asked for. Batch
# normalisation takes the bias before it out again: the bias's gradient is rounding alone, which
# Adam scales up to its step.
OTHERS_IN_XLA = {"xla": {"dropout", "noise", "batch norm"}, "default": {"batch norm"}}
WAYS: dict[str, dict[str, Any]] = {
    "steps": {"max_queue_size": 1},
    "loops": {"jit_compile": False},
    "xla": {"jit_compile": True},
    "default": {},
}

# Kinds whose training XLA does not compile by default: with an operation that may mean something
# else there, or with batches of other shapes from one to the next.
PLAIN = {
    *("masked", "gru", "stateful", "attention", "dropout", "noise", "mixed", "accumulated"),
    *("activation gelu by tanh", "activation gelu by tanh, after nothing"),  # powers of what is < 0
    *("numerics", "asserting", "strings", "lengths"),
}


@pytest.fixture
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """XLA is used by default for the steps of a sweep."""
    monkeypatch.setattr(TensorFlowSteps, "worth_compiling", STEPS)


@pytest.fixture(autouse=True)
def models_are_freed() -> Iterator[None]:
    """Keras keeps what it made of a model, and a model is a cycle of garbage."""
    yield
    keras.utils.clear_session(free_memory=True)


@pytest.mark.parametrize("kind", SWEPT)
def test_T1_T2_all_numbers_of_a_kind_of_model_are_those_of_keras(
    kind: str, few_are_enough: None
) -> None:
    ways = {
        way: options
        for way, options in WAYS.items()
        if kind not in OTHERS_IN_XLA.get(way, ()) and (way != "default" or kind in COMPILED)
    }
    pipelines = compare(lambda: made(kind), ways, ("steps", "loops"))
    assert kind in PLAIN or "default" not in pipelines or pipelines["default"].xla_steps > 0


def test_T2_only_models_of_16_bit_floats_may_be_rounded_further_in_xla(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    assert rounding_of(made("mixed")[0]) == np.finfo("float16").eps
    assert rounding_of(made("dense")[0]) == ROUNDING
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert rounding_of(made("mixed")[0]) == ROUNDING


def test_T2_xla_moves_what_only_rounding_moves_and_nothing_else() -> None:
    """The bias before a batch normalisation, at most by Adam's steps, and the mean of its units."""
    steps, rate, bias, moving_mean = 40, 0.001, 1, 4
    weights = []
    for way in ("loops", "xla"):
        model, batches = made("batch norm")
        history = run(model, Indexed(batches[:20]), None, 2, **WAYS[way]).history
        weights.append((history, dict(enumerate(model.get_weights()))))
    (plain, left), (xla, right) = weights
    same(xla, plain, within=ROUNDING)
    moved = {name for name in left if not np.allclose(left[name], right[name], 1e-5, 1e-6)}
    assert moved <= {bias, moving_mean}
    assert np.abs(left[bias] - right[bias]).max() <= 2 * rate * steps


# What is added to the inputs of a batch: ids of no word, what an assertion refuses, NaN.
SPOILS = {"embedding": 9, "asserting": 1e4, "numerics": np.nan}


def _spoiled(kind: str, number: int = 35) -> tuple[Any, list[Any]]:
    """A model of a kind, and its batches, of which one is invalid, where XLA would run."""
    model, batches = made(kind)
    batches = batches * 2
    x, y = batches[number]
    batches[number] = (x, y + 7) if kind == "classes" else (x + SPOILS[kind], y)
    return model, batches


def _stages(kind: str) -> dict[str, tuple[Callable[[Any], Any], Callable[..., Any]]]:
    """What Keras does with a model and the spoiled batches, and what we do, at each stage."""
    _, batches = _spoiled(kind)
    x = [batch[:1] for batch in batches]
    return {
        "fit": (
            lambda m: keras_history(m, Indexed(batches)),
            lambda m, **options: run(m, Indexed(batches), **options),
        ),
        "validation": (
            lambda m: keras_history(m, Indexed(batches[:3]), validation_data=Indexed(batches)),
            lambda m, **options: run(
                m, Indexed(batches[:3]), validation_data=Indexed(batches), **options
            ),
        ),
        "evaluate": (
            lambda m: m.evaluate(Indexed(batches), verbose=0),
            lambda m, **options: evaluate_generator(m, Indexed(batches), **options),
        ),
        "predict": (
            lambda m: len(m.predict(Indexed(x), verbose=0)),
            lambda m, **options: len(predict_generator(m, Indexed(x), **options)),
        ),
    }


@cache
def _expected(kind: str) -> dict[str, Any]:
    """What comes of Keras's calls, by stage; of one model, which no step that fails changes."""
    model, _ = made(kind)
    return {stage: _outcome(lambda: theirs(model)) for stage, (theirs, _) in _stages(kind).items()}  # noqa: B023


def _outcome(call: Any) -> Any:
    try:
        return call() and None
    except Exception as error:
        return type(error), str(error).splitlines()[0][:40]


@pytest.mark.parametrize("options", [{}, {"jit_compile": False}], ids=["default", "plain"])
@pytest.mark.parametrize("kind", ["classes", "embedding", "asserting", "numerics"])
def test_T1_an_invalid_value_is_the_error_that_keras_raises(
    kind: str, options: Any, few_are_enough: None
) -> None:
    expected = _expected(kind)
    for stage, (_, ours) in _stages(kind).items():
        got = _outcome(lambda: ours(made(kind)[0], **options))  # noqa: B023
        assert got == expected[stage], stage
        assert expected[stage] is not None or (kind, stage) == ("classes", "predict")
    model, batches = made(kind)
    compiled = run(model, Indexed(batches * 2), **options).pipeline.xla_steps
    assert (compiled > 0) == (not options and kind not in PLAIN)
