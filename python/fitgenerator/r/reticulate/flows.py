"""Flows of R's arrays and data frames. Nothing here raises into R: a refusal is its fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from ...flows.chunks import Cutter
from ...flows.columns import Coded, Unusable
from ...flows.data import flow_from_data
from ...flows.formula import Layout
from ...flows.frames import flow_from_frame
from ...flows.timeseries import timeseries_generator
from .results import failure_of
from .values import own


def data_flow(arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    """`flow_from_data` of what R's batches are made of."""
    return _made(lambda: flow_from_data(**_own(arrays), **_own(options)))


def series_flow(arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    """`timeseries_generator` of R's arrays."""
    return _made(lambda: timeseries_generator(**_own(arrays), **options))


def frame_flow(frame: dict[str, Any], options: dict[str, Any]) -> Any:
    """`flow_from_frame` of R's columns."""
    return _made(lambda: flow_from_frame(_frame(frame), **_own(options)))


def cutter(batch_size: int, options: dict[str, Any]) -> Cutter:
    """What makes batches of R's data frames, which come one after the other."""
    return Cutter(Layout(**options, whole=False), batch_size)


def add(to: Cutter, frame: dict[str, Any]) -> dict[str, Any] | None:
    """Give it one, or say why it cannot be used."""
    return _made(lambda: to.add(_frame(frame)))  # type: ignore[no-any-return]


def ready(of: Cutter, last: bool) -> bool:
    """Whether it has a batch, where `last`, of what is left."""
    return of.ready(last=last)


def take(of: Cutter, last: bool) -> Any:
    """One batch of it."""
    return of.take(last=last)


def _made(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (ArgumentError, ArgumentTypeError) as error:
        return failure_of(error)


def _own(given: dict[str, Any]) -> dict[str, Any]:
    """Copies of R's arrays, row by row in memory: that is how rows are taken from them."""
    return {name: _by_rows(own(value)) for name, value in given.items()}


def _by_rows(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)
    if isinstance(value, list):
        return [_by_rows(part) for part in value]
    if isinstance(value, dict):
        return {name: _by_rows(part) for name, part in value.items()}
    return value


def _frame(columns: dict[str, Any]) -> dict[str, Any]:
    """R's columns: arrays, or factors as `{"codes": ..., "levels": ...}`."""
    return {name: _column(column) for name, column in columns.items()}


def _column(column: Any) -> Any:
    if not isinstance(column, dict):
        return own(column)
    if "unusable" in column:
        return Unusable(column["unusable"])
    return Coded(np.array(column["codes"], "int32"), tuple(column["levels"]))
