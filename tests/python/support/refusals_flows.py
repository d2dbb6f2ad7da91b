"""The part of `refusals` that is about flows and batches by their number."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor
from typing import Any

import numpy as np
import pandas as pd
from fitgenerator import (
    batch_sequence,
    evaluate_generator,
    flow_from_chunks,
    flow_from_data,
    flow_from_frame,
    predict_generator,
    timeseries_generator,
)
from fitgenerator.flows.columns import Unusable

from support.tiny_trainings import echo_model, numbered_batch

X, Y = np.arange(6.0)[:, None], np.zeros((6, 1))
FRAME = pd.DataFrame({"size": X[:, 0], "word": list("abcabc"), "price": X[:, 0]})


def flow(**given: Any) -> Callable[[], object]:
    """Batches of arrays."""
    return lambda: flow_from_data(**{"x": X, "y": Y, **given})


def frame(*columns: Any, data: Any = FRAME, **given: Any) -> Callable[[], object]:
    """Batches of a data frame."""
    return lambda: flow_from_frame(data, *columns, **given)


def series(**given: Any) -> Callable[[], object]:
    """Windows of a time series."""
    return lambda: timeseries_generator(**{"data": X, "targets": Y, "length": 2, **given})


def chunks(*parts: Any, inputs: Any = "price ~ size", **given: Any) -> Callable[[], object]:
    """Batches of data that is read in parts."""
    return lambda: list(flow_from_chunks(lambda: iter(parts), inputs, **given))


def sequence(function: Any, length: Any = 2, **given: Any) -> Callable[[], object]:
    """Batches by their number."""
    return lambda: batch_sequence(function, length, **given)


def wrapped() -> Any:
    """Taken for an R function that reticulate has wrapped."""


wrapped.__module__ = "rpytools.call"


def r_sequence() -> object:
    """Train on an R function that takes three numbers."""
    from support.refusals import r_function

    return evaluate_generator(echo_model(), batch_sequence(r_function("function(a, b, c) 1"), 2))


class Broken(Executor):
    """Breaks at once."""

    def submit(self, *given: Any) -> Any:  # type: ignore[override]
        raise BrokenExecutor("A process was terminated abruptly.")


def executed(executor: Any) -> Callable[[], object]:
    """Evaluates on batches that an executor makes."""
    return lambda: evaluate_generator(
        echo_model(), batch_sequence(numbered_batch, 2, executor=executor)
    )


def r_in_executor() -> object:
    """An R function for an executor."""
    from support.refusals import r_function

    return batch_sequence(r_function("function(i) 1"), 2, executor=Broken())


FLOWS: dict[str, Callable[[], object]] = {
    "a flow of unequal rows": flow(y=Y[:3]),
    "a flow of text": flow(x="data.csv"),
    "a flow whose batches are too large": flow(batch_size=9, last_batch="drop"),
    "a flow of weights without targets": flow(y=None, sample_weight=Y),
    "a choice": flow(last_batch="pad"),
    "a flag": flow(shuffle="yes"),
    "a setting of a flow that is changed": lambda: setattr(flow()(), "seed", 1),
    "labels that are none": flow(balance="kind"),
    "too few labels": flow(balance=Y[:3]),
    "balance without targets": flow(y=None, balance=True),
    "classes with fractions": flow(y=X / 4, balance=True),
    "an unknown column": frame("price ~ seize"),
    "a column that a part lacks": chunks(FRAME, FRAME[["size"]]),
    "a formula with a product": frame("price ~ size * word"),
    "a formula and targets": frame("price ~ size", "price"),
    "names that are none": frame([1, 2]),
    "missing values": frame("price ~ size", data=FRAME.assign(size=np.nan)),
    "words beside numbers": frame("price ~ size + word"),
    "values beside the levels": frame("price ~ word", levels={"word": ["a"]}),
    "words in parts": chunks(FRAME, inputs="price ~ word", one_hot=True),
    "dates in a column": frame("price ~ size", data=FRAME.assign(size=pd.Timestamp("2020-01-01"))),
    "a column of R's": frame("a ~ b", data={"a": X[:, 0], "b": Unusable("an object")}),
    "no frame": frame("price ~ size", data=X),
    "columns of one name": frame("size", data=pd.concat([FRAME, FRAME], axis=1)),
    "parts that are none": lambda: list(flow_from_chunks(lambda: 3)),  # type: ignore[arg-type, return-value]
    "nothing to read": lambda: flow_from_chunks(FRAME),  # type: ignore[arg-type]
    "a series of unequal length": series(targets=Y[:3]),
    "a series of text": series(data="series.csv"),
    "a series of words": series(data=np.array(["a"] * 6)),
    "a window that is too long": series(length=6),
    "a window beyond the data": series(end_index=6),
    "a sequence without a function": sequence(3),
    "a sequence of reticulate's": sequence(wrapped),
    "a function of no number": sequence(lambda: 1),
    "an R function of three numbers": r_sequence,
    "an order of passes without an end": sequence(numbered_batch, None, shuffle=True),
    "no executor": sequence(numbered_batch, executor=4),
    "a function that makes no executor": executed(lambda: 4),
    "an R function for an executor": r_in_executor,
    "a broken executor": executed(Broken()),
    "an executor that breaks again and again": executed(Broken),
}

SHUFFLED: dict[str, Callable[[], object]] = {
    "a prediction that is shuffled": lambda: predict_generator(
        echo_model(), batch_sequence(numbered_batch, 2, shuffle=True)
    ),
}
