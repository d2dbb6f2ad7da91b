"""What came of a call, as what R makes its own of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import errors
from ...host.outcome import Failed, Value
from ...messages import text_of
from ...reporting.history import History, last_history
from ...reporting.timeline import Event
from .image_functions import RFunctionError


class ForeignError(Exception):
    """A condition of R, kept there under `number`."""

    def __init__(self, number: int) -> None:
        super().__init__(f"the R condition {number}")
        self.number = number


_KINDS: dict[str, Any] = {
    "r": ForeignError,
    "function": RFunctionError,
    "argument": (errors.ArgumentError, errors.ArgumentTypeError),
    "batch": (errors.BatchError, errors.EndedError, errors.ImageError),
    "timeout": errors.GeneratorTimeoutError,
    "setup": errors.SetupError,
    "interrupt": KeyboardInterrupt,
}


def told(
    outcome: Value[Any] | Failed, warnings: Sequence[errors.Warned] = (), said: str = ""
) -> dict[str, Any]:
    """An outcome as R is told, with what to warn of (text and class) and what was printed."""
    value = failure = None
    match outcome:
        case Value(History() as history):
            value = history_parts(history)
        case Value(value):
            pass
        case Failed(error):
            failure = failure_of(error)
    texts = [[text, kind.__name__] for text, kind in warnings]
    return {"value": value, "failure": failure, "warnings": texts, "said": said}


def failure_of(error: BaseException) -> dict[str, Any]:
    """What failed, for R to make a condition of."""
    return {
        "kind": next(
            (name for name, types in _KINDS.items() if isinstance(error, types)), "python"
        ),
        "type": type(error).__name__,
        "text": text_of(error),
        "notes": list(getattr(error, "__notes__", ())),
        "number": error.number if isinstance(error, ForeignError) else 0,
        "cell": error.cell if isinstance(error, RFunctionError) else None,
    }


def history_parts(history: History | None) -> dict[str, Any] | None:
    """A history as what R makes its own of."""
    if history is None:
        return None
    return {
        "params": {**(history.params or {}), "validation_freq": history.validation_freq},
        "metrics": {name: [*values] for name, values in history.history.items()},
        "epoch": list(history.epoch),
        "incomplete": history.incomplete,
        "pipeline": {
            **history.pipeline.as_dict(),
            "timeline": _columns(history.pipeline.timeline),
        },
    }


def _columns(events: list[Event]) -> dict[str, list[Any]]:
    return {name: [event[i] for event in events] for i, name in enumerate(Event._fields)}


def last() -> dict[str, Any] | None:
    """The last history, for R."""
    return history_parts(last_history())
