"""Rule 10: the caller's context variables hold in generators, whatever thread reads them."""

from __future__ import annotations

import decimal
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import pytest
from fitgenerator import evaluate_generator, predict_generator
from support.tiny_trainings import Indexed, echo_model, numbered, numbered_batch, run

own: ContextVar[str] = ContextVar("own", default="none")


def looking(seen: list[Any]) -> Iterator[Any]:
    """What the reading thread finds, and batches."""
    while True:
        seen.append((own.get(), decimal.getcontext().prec, np.geterr()["divide"]))
        yield numbered_batch(1)


class LookingAt(Indexed):
    """The same, by index."""

    def __init__(self, seen: list[Any]) -> None:
        super().__init__([numbered_batch(1)] * 4)
        self.looks = looking(seen)

    def __getitem__(self, index: int) -> Any:
        return next(self.looks)


CALLS = {
    "fit": lambda given: run(echo_model(), given, 4, 2),
    "lock-step": lambda given: run(echo_model(), given, 4, max_queue_size=0),
    "timeout": lambda given: run(echo_model(), given, 4, max_queue_size=0, timeout=20),
    "validation": lambda given: run(
        echo_model(), numbered(), 2, validation_data=given, validation_steps=4
    ),
    "evaluate": lambda given: evaluate_generator(echo_model(), given, 4),
    "predict": lambda given: predict_generator(echo_model(), given, 4),
}


@pytest.mark.parametrize("make", [looking, LookingAt])
@pytest.mark.parametrize("name", CALLS)
def test_T11_the_callers_context_variables_are_seen(name: str, make: Any) -> None:
    seen: list[Any] = []
    token = own.set("the caller's")
    try:
        with decimal.localcontext() as context, np.errstate(divide="raise"):
            context.prec = 7
            CALLS[name](make(seen))
    finally:
        own.reset(token)
    assert set(seen) == {("the caller's", 7, "raise")}


def test_T11_an_error_that_the_caller_asked_of_numpy_is_raised_in_a_generator() -> None:
    def dividing() -> Iterator[Any]:
        yield numbered_batch(1)
        yield numbered_batch(np.float64(1) / np.float64(0))

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        run(echo_model(), dividing(), 2)


def test_T11_what_a_generator_sets_stays_its_own() -> None:
    def setting() -> Iterator[Any]:
        while True:
            own.set("the generator's")
            yield numbered_batch(1)

    run(echo_model(), setting(), 2)
    assert own.get() == "none"
