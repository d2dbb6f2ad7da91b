"""Numbers of batches that are not whole are rounded up, with one warning before the first pull."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from fitgenerator import (
    StepsWarning,
    batch_sequence,
    evaluate_generator,
    flow_from_data,
    predict_generator,
)
from fitgenerator.errors import ArgumentError
from support.tiny_trainings import Watched, catch, echo_model, numbered, numbered_batch, run

FORMS = [2.4, np.float32(2.4), np.float64(2.4), Fraction(12, 5)]


def messages(call: Any) -> list[str]:
    """The texts of the warnings of a call, all of them about steps."""
    warned = catch(call)
    assert {w.category for w in warned} <= {StepsWarning}
    return [str(w.message) for w in warned]


@pytest.mark.parametrize("steps", FORMS, ids=lambda value: type(value).__name__)
def test_T21_every_number_of_steps_is_rounded_up_with_one_warning(steps: Any) -> None:
    for call in (
        lambda source: run(echo_model(), source, steps, 2),
        lambda source: evaluate_generator(echo_model(), source, steps),
        lambda source: predict_generator(echo_model(), source, steps),
    ):
        source = Watched(numbered())
        (text,) = messages(lambda call=call, source=source: call(source))
        assert text.startswith("`steps")
        assert text.endswith("which is rounded up to 3.")
        assert source.pulls % 3 == 0


def test_T21_each_argument_is_named_once() -> None:
    validation = Watched(numbered())
    texts = messages(
        lambda: run(echo_model(), numbered(), 1.5, 3, None, validation, validation_steps=2.01)
    )
    assert texts == [
        "`steps_per_epoch` is 1.5, which is rounded up to 2.",
        "`validation_steps` is 2.01, which is rounded up to 3.",
    ]
    assert validation.pulls == 9


def test_T21_the_warning_comes_before_the_first_pull_and_points_at_the_call() -> None:
    source = Watched(numbered())
    with warnings.catch_warnings():
        warnings.simplefilter("error", StepsWarning)
        with pytest.raises(StepsWarning):
            run(echo_model(), source, 2.4)
    assert source.pulls == 0
    (warned,) = catch(lambda: evaluate_generator(echo_model(), numbered(), 2.4))
    assert warned.filename == __file__


def test_T21_a_prediction_says_how_many_rows_it_leaves_out() -> None:
    flow = flow_from_data(np.zeros((12, 1)), batch_size=5, shuffle=False)
    (text,) = messages(lambda: predict_generator(echo_model(), flow, 1.2))
    assert text == "`steps` is 1.2, which is rounded up to 2: 2 of the 12 rows are left out."
    (text,) = messages(lambda: predict_generator(echo_model(), flow, 12 / 5))
    assert text == "`steps` is 2.4, which is rounded up to 3."
    sequence = batch_sequence(lambda index: numbered_batch(index + 1), 4)  # of unknown rows
    (text,) = messages(lambda: predict_generator(echo_model(), sequence, 1.2))
    assert text == "`steps` is 1.2, which is rounded up to 2."


@pytest.mark.parametrize("steps", [0, 0.5, 0.99, -1, -2.5, float("nan"), float("inf"), "2", True])
def test_T21_what_is_below_one_or_no_number_is_refused(steps: Any) -> None:
    source = Watched(numbered())
    for call in (
        lambda: run(echo_model(), source, steps),
        lambda: evaluate_generator(echo_model(), source, steps),
        lambda: predict_generator(echo_model(), source, steps),
    ):
        with pytest.raises(ArgumentError, match=r"must be a number of at least 1, not"):
            call()
    assert source.pulls == 0


NEARLY = 0.1 * 3 * 10  # 3.0000000000000004


def test_T21_what_is_whole_but_for_the_last_digits_is_taken_in_silence() -> None:
    for three in (NEARLY, 3 - 2e-8, 3 + 2e-8):
        assert run(echo_model(), numbered(), three, three).params == {
            "verbose": 0,
            "epochs": 3,
            "steps": 3,
        }
    assert len(predict_generator(echo_model(), numbered(), NEARLY)) == 6
    options = {"max_queue_size": NEARLY, "workers": NEARLY, "initial_epoch": NEARLY}
    history = run(echo_model(), [numbered_batch(1)], epochs=4, validation_freq=NEARLY, **options)
    assert history.epoch == [3]
    flow = flow_from_data(np.zeros((7, 1)), batch_size=NEARLY, seed=NEARLY)
    assert (flow.batch_size, flow.seed, len(flow)) == (3, 3, 3)
    assert len(batch_sequence(lambda index: numbered_batch(index + 1), NEARLY)) == 3


def test_T21_other_numbers_stay_refused_where_they_are_not_whole() -> None:
    for argument in ("epochs", "max_queue_size", "workers", "initial_epoch", "validation_freq"):
        with pytest.raises(ArgumentError, match=f"^`{argument}` must be"):
            run(echo_model(), numbered(), 2, **{argument: 1.5})
    with pytest.raises(ArgumentError, match=r"^`batch_size`"):
        flow_from_data(np.zeros((7, 1)), batch_size=3 + 1e-6)


@pytest.mark.parametrize("three", [np.int8(3), np.array(3), Fraction(3), 3.0, tf.constant(3)])
def test_T21_numbers_of_other_types_are_taken_as_before(three: Any) -> None:
    assert run(echo_model(), numbered(), three).params["steps"] == 3


def test_T21_large_whole_numbers_stay_exact() -> None:
    assert flow_from_data(np.zeros((7, 1)), seed=2**62 + 1).seed == 2**62 + 1
