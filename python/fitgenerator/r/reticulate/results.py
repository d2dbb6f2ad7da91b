"""What came of a call, as what R makes its own of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from ... import errors
from ...host.outcome import Failed, Value
from ...messages import Vocabulary, said_in
from ...reporting.history import History, last_history
from ...reporting.timeline import Event
from ..worker_source import RConditionError
from .image_functions import RFunctionError


class ForeignError(Exception):
    """A condition of R, kept there under `number`, with its message."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


# How R's conditions are made of an error: by the first kind that fits.
_KINDS: dict[str, Any] = {
    "r": ForeignError,
    "function": RFunctionError,
    "elsewhere": RConditionError,
    "worker": errors.WorkerError,
    "process": errors.ProcessError,
    "argument": (errors.ArgumentError, errors.ArgumentTypeError),
    "batch": (errors.BatchError, errors.EndedError, errors.ImageError),
    "timeout": errors.GeneratorTimeoutError,
    "setup": errors.SetupError,
    "interrupt": KeyboardInterrupt,
    "terminated": errors.Terminated,
}

_R = Vocabulary(
    {
        "None": "NULL",
        "True": "TRUE",
        "False": "FALSE",
        "the directory itself": '"."',
        "categories": "factors",
        "fit to images": "fit_image_data_generator(generator, images)",
        "as array": "as.array",
        "weigh outputs": "give one for each, or a named list of those that are not 1",
        "text as numbers": "give a factor, as in factor(targets, levels), with all levels",
        "inputs as numbers": "encode them in the generator, as factor(inputs, levels) does; on "
        'TensorFlow, the model can have an input of text: keras$Input(shape, dtype = "string")',
        "array of a number": "as.array(number)",
        "settings of the address": "options fitgenerator.host and fitgenerator.port",
        "use another process": "Train in an R process of its own: callr::r(), or a cluster of "
        "parallel::makePSOCKcluster() or future::plan(multisession), not parallel::mclapply()",
        "use tensorflow": "call keras3's use_backend(), or Sys.setenv(KERAS_BACKEND = ), with one "
        "of these names at the start of the session",
    },
    first=1,
    number=lambda number: f"{number:.15g}",
    string=lambda text: f'"{text}"',
)


def told(
    outcome: Value[Any] | Failed, warnings: Iterable[errors.Warned] = (), said: str = ""
) -> dict[str, Any]:
    """An outcome as R is told, with what to warn of (text and class) and what was printed."""
    value = outcome.value if isinstance(outcome, Value) else None
    failure = failure_of(outcome.error) if isinstance(outcome, Failed) else None
    if isinstance(value, History):
        value = history_parts(value)
    texts = [[in_r(text), kind.__name__] for text, kind in warnings]
    return {"value": value, "failure": failure, "warnings": texts, "said": said}


def failure_of(error: BaseException) -> dict[str, Any]:
    """What failed, as fields that R makes a condition of.

    Those of the error's context, and: `kind`, a key of `_KINDS`; `type`, its class; `text`, what it
    says, in R's words; `notes`, sentences below that; `argument`, the one to blame; `number` or
    `cell`, where R keeps a condition of its own; `condition`, the texts of one of a worker.
    """
    kinds = (kind for kind, types in _KINDS.items() if isinstance(error, types))
    return {
        **asdict(errors.context_of(error)),
        "kind": next(kinds, "python"),
        "type": type(error).__name__,
        "text": in_r(error),
        "notes": list(getattr(error, "__notes__", ())),
        "argument": error.argument if isinstance(error, errors.OwnError) else None,
        "number": error.number if isinstance(error, ForeignError) else 0,
        "cell": error.cell if isinstance(error, RFunctionError) else None,
        "condition": _condition_of(error) if isinstance(error, RConditionError) else None,
    }


def _condition_of(error: RConditionError) -> dict[str, Any]:
    return {**asdict(error.condition), "argument": error.argument}


def made(make: Callable[[], Any]) -> Any:
    """What `make` gives; a refusal is its fields, because nothing raises into R."""
    try:
        return make()
    except (errors.ArgumentError, errors.ArgumentTypeError) as error:
        return failure_of(error)


def in_r(thing: BaseException | str) -> str:
    """A text, or what an error or a warning says, in R's words."""
    return said_in(_R, thing)


def history_parts(history: History) -> dict[str, Any]:
    """A history as what R makes its own of."""
    events = history.pipeline.timeline
    timeline = {name: [event[i] for event in events] for i, name in enumerate(Event._fields)}
    return {
        "params": {
            **(history.params or {}),
            "validation_freq": history.validation_freq,
            "metrics": [name for name in history.order if name in history.history],
        },
        "metrics": {name: [*values] for name, values in history.history.items()},
        "epoch": list(history.epoch),
        "incomplete": history.incomplete,
        "pipeline": {**history.pipeline.as_dict(), "timeline": timeline},
    }


def last() -> dict[str, Any] | None:
    """The last history, for R."""
    history = last_history()
    return None if history is None else history_parts(history)
