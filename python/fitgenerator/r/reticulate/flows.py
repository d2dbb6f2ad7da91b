"""Flows of R's arrays and data frames. Nothing here raises into R: a refusal is its fields.

Flows take their batches from rows, so R's arrays are copied row by row in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...flows.chunks import Cutter
from ...flows.columns import Coded, Unusable
from ...flows.data import flow_from_data
from ...flows.formula import Layout
from ...flows.frames import flow_from_frame
from ...flows.timeseries import timeseries_generator
from .results import made
from .values import own


def data_flow(arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    """`flow_from_data` of R's arrays."""
    return made(lambda: flow_from_data(**own(arrays, "C"), **own(options, "C")))


def series_flow(arrays: dict[str, Any], options: dict[str, Any]) -> Any:
    """`timeseries_generator` of R's arrays."""
    return made(lambda: timeseries_generator(**own(arrays, "C"), **options))


def frame_flow(frame: dict[str, Any], options: dict[str, Any]) -> Any:
    """`flow_from_frame` of R's columns."""
    return made(lambda: flow_from_frame(_frame(frame), **own(options, "C")))


def cutter(batch_size: int, options: dict[str, Any]) -> Cutter:
    """The object that cuts R's data frames, which come one after the other, into batches."""
    return Cutter(Layout(**options, whole=False), batch_size)


def add(to: Cutter, frame: dict[str, Any]) -> dict[str, Any] | None:
    """Add a data frame, or say why it cannot be used."""
    return made(lambda: to.add(_frame(frame)))  # type: ignore[no-any-return]


def ready(of: Cutter, last: bool) -> bool:
    """Whether there is a batch; where `last`, one of the rows that are left."""
    return of.ready(last=last)


def take(of: Cutter, last: bool) -> Any:
    """The next batch."""
    return of.take(last=last)


def _frame(columns: Mapping[str, Any]) -> dict[str, Any]:
    """R's columns: arrays, or factors as `{"codes": ..., "levels": ...}`."""
    return {name: _column(column) for name, column in columns.items()}


def _column(column: Any) -> Any:
    if not isinstance(column, dict):
        return own(column)
    if "unusable" in column:
        return Unusable(column["unusable"])
    return Coded(np.array(column["codes"], "int32"), tuple(column["levels"]))
