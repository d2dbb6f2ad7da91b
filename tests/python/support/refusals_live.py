"""What a live view refuses, and warns of; see refusals.py."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from fitgenerator import LiveView

from support.tiny_trainings import (
    at_epoch_end,
    echo_model,
    linear_model,
    make_batches,
    numbered,
    run,
)


def in_fit() -> object:
    """A live view in Keras's own fit."""
    view = LiveView(open=False)
    return linear_model().fit(*make_batches(1)[0], verbose=0, callbacks=[view])


def in_two_calls() -> object:
    """A live view in a call that is made in a callback of another one."""
    view = LiveView(open=False)
    nested = at_epoch_end(lambda _: run(linear_model(), make_batches(1), callbacks=[view]))
    return run(echo_model(), numbered(), 1, callbacks=[view, nested])


def not_saved() -> object:
    """A file in the place of the folder that a page is to be saved in."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "pictures"
        place.write_text("")
        view = LiveView(open=False, save=place / "run.html")
        return run(linear_model(), make_batches(1), callbacks=[view])


VIEWS: dict[str, Callable[[], object]] = {
    "a live view in Keras's fit": in_fit,
    "a live view in two calls": in_two_calls,
    "a live view that is to open": lambda: LiveView(open="yes"),  # type: ignore[arg-type]
    "a live view without a file": lambda: LiveView(save=""),
}
VIEW_WARNINGS: dict[str, Callable[[], object]] = {"a live view that is not saved": not_saved}
