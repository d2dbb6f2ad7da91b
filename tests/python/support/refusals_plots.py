"""Calls for every place that raises when a picture is to be drawn."""

from __future__ import annotations

import sys
from collections.abc import Callable
from unittest import mock

from fitgenerator import History, Pipeline


def without_matplotlib() -> object:
    """A picture where matplotlib is not installed."""
    with mock.patch.dict(sys.modules, {"matplotlib": None}):
        return Pipeline().plot()


PICTURES: dict[str, Callable[[], object]] = {
    # plot_history, pipeline
    "no matplotlib": without_matplotlib,
    "an unknown metric of no epoch": lambda: History().plot(["auc"]),
    "too much smoothing": lambda: History().plot(smooth=1),
    "an unknown picture": lambda: Pipeline().plot("pie"),
}
