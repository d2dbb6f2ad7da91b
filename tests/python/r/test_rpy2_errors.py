"""U2: errors of R functions through rpy2 say which calls led to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fitgenerator import batch_sequence, evaluate_generator
from fitgenerator.images import ImageDataGenerator
from support.pictures import mean_model
from support.r_code import RRuntimeError, closure, r
from support.tiny_trainings import echo_model, notes_of, run

FAILING = """
    inner <- function(x) log(x) + "a"
    outer <- function(x) inner(x)
    function({}) outer(1)
"""


def images() -> Any:
    generator = ImageDataGenerator(preprocessing_function=closure(FAILING.format("image")))
    return generator.flow(np.ones((4, 3, 3, 1)), np.zeros(4), batch_size=2)


RUNS: dict[str, tuple[str, Callable[[Any], object]]] = {
    "fit": ("generator", lambda failing: run(echo_model(), failing, 2)),
    "by number": (
        "generator",
        lambda failing: run(echo_model(), batch_sequence(failing, length=3)),
    ),
    "evaluate": ("generator", lambda failing: evaluate_generator(echo_model(), failing, 2)),
    "validation": (
        "validation_data",
        lambda failing: run(
            echo_model(), closure(), 2, validation_data=failing, validation_steps=1
        ),
    ),
    "image": ("preprocessing_function", lambda _: next(images())),
    "image in a training": ("preprocessing_function", lambda _: run(mean_model(), images())),
}


@pytest.mark.parametrize("name", RUNS)
def test_U2_the_calls_that_led_to_an_error_are_a_note_and_a_field(name: str) -> None:
    called, call = RUNS[name]
    with pytest.raises(RRuntimeError, match=r'log\(x\) \+ "a"') as caught:
        call(closure(FAILING.format("")))
    calls = (f"{called}()", "outer(1)", "inner(x)", 'log(x) + "a"')
    assert caught.value.fitgenerator_calls == calls
    assert "\n  ".join(["It failed in:", *calls]) in notes_of(caught.value)


def test_U2_a_function_that_fails_itself_and_one_whose_stack_is_full_have_no_note_of_calls() -> (
    None
):
    with pytest.raises(RRuntimeError, match="no") as caught:
        run(echo_model(), closure("function() stop('no')"), 2)
    assert caught.value.fitgenerator_calls == ("generator()",)
    assert "It failed in" not in notes_of(caught.value)
    with pytest.raises(RRuntimeError) as caught:
        run(
            echo_model(), closure("endless <- function(n) endless(n + 1); function() endless(1)"), 2
        )
    assert "It failed in" not in notes_of(caught.value)
    assert r("1 + 1")[0] == 2
