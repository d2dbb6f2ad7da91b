"""The R processes that make batches for one call from Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ..._version import __version__
from ...batches.structure import BatchForm
from ...caller_warnings import warn
from ...errors import ArgumentError, BatchError, SetupError, WorkersWarning
from ...host.requests import Call
from ...host.switchboard import Switchboard
from ...sources.source import Source
from ...training.options import RunOptions
from ...workers.pool import Pool
from ...workers.process import Launch
from ...workers.site import Address, Site
from ...workers.wire import Condition
from ..worker_source import Work, float_bytes, worker_source
from .embedded_r import rinterface
from .functions import helper, is_function, kept_error
from .interrupts import Interrupts
from .sequence import Indexed
from .values import to_python

# The environment variables of where workers dial, which are options in R.
_HOST, _PORT = "FITGENERATOR_HOST", "FITGENERATOR_PORT"

Given = Source | None

_NAMES = ("generator", "validation_data")

_ONE_THREAD = (
    "`workers` = {count} has no effect on `{name}`: a function of no number runs on R's own "
    "thread. batch_sequence({name}, None, seed=1) makes a source of it that {count} processes "
    "share."
)


def in_processes(
    board: Switchboard,
    sources: Sequence[Given],
    forms: Sequence[BatchForm],
    inputs: Sequence[str],
    options: RunOptions,
) -> tuple[Sequence[Given], Pool | None]:
    """The sources as they are read, and the workers of the call, if it is to have any.

    Args:
        board: The call's.
        sources: The generator and, perhaps, the validation data.
        forms: What the model takes of the one, and of the other.
        inputs: The names of the model's inputs.
        options: Those of the call.

    Raises:
        ArgumentError: A function cannot run in another process, or there is no such address.
        SetupError: The R package globals is missing.
    """
    if (options.workers or 0) < 2:
        return sources, None
    for name, given in zip(_NAMES, sources, strict=False):
        if given is not None and is_function(given.function):
            warn(_ONE_THREAD.format(name=name, count=options.workers), WorkersWarning)
    numbered = [i for i, given in enumerate(sources) if given and _is_numbered(given)]
    if not numbered:
        return sources, None
    functions: list[Indexed] = [sources[i].function for i in numbered]  # type: ignore[union-attr]
    names = [_NAMES[i] for i in numbered]
    told = _launch(functions, names, [forms[i] for i in numbered], inputs)
    size = 10 if options.max_queue_size is None else options.max_queue_size
    count = min(options.workers or 0, max(1, size))
    pool = Pool(count, Site(_launch_of(told), _address(), str(told["scratch"][0])))
    read = list(sources)
    for number, (i, function) in enumerate(zip(numbered, functions, strict=True)):
        seed = None if function.seeded else int(told["seeds"][number])
        failure = partial(_failure, board)
        work = Work(pool, number, function.passes, seed, names[number], failure)
        read[i] = worker_source(work, _hook(board, function.given_hook))
    return read, pool


def _hook(board: Switchboard, hook: Any) -> Callable[[int], object] | None:
    """`hook`, of R or Python, on the main thread."""
    if hook is None:
        return None
    call = partial(helper("call_epoch_end"), hook) if is_function(hook) else hook
    return lambda epoch: _on_main(board, partial(call, epoch))


def _failure(board: Switchboard, told: Condition) -> BaseException:
    """The error for what a function has signalled in a worker, as R itself would have it."""
    if told.kind == "refused":
        return BatchError(told.message)
    made = _on_main(board, lambda: kept_error(_condition("told_error", told)))
    return made  # type: ignore[no-any-return]


def _on_main(board: Switchboard, call: Callable[[], Any]) -> Any:
    """Rule 9: R's memory stays on its thread."""
    return board.call_function(Call("", call, (), board.patience), lambda: None)


def signal(fields: dict[str, Any]) -> None:
    """Signal a warning or a message of a worker, on the main thread."""
    told = Condition(**fields["condition"])
    _condition("told_signal", told, told.kind, fields["place"], fields["batch"])


def _condition(name: str, told: Condition, *more: Any) -> Any:
    """What our R function `name` makes of a condition."""
    classes = rinterface.StrSexpVector(told.classes)
    return helper(name)(told.message, told.call, classes, *more)


def _is_numbered(source: Source) -> bool:
    return isinstance(source.function, Indexed)


def _launch(
    functions: Sequence[Indexed], names: Sequence[str], forms: Sequence[str], inputs: Sequence[str]
) -> dict[str, Any]:
    """What R says of how workers are started that make the batches of these functions."""
    texts = [rinterface.StrSexpVector(each) for each in (names, forms, inputs)]
    seeded = rinterface.BoolSexpVector([each.seeded for each in functions])
    fns = rinterface.ListSexpVector([each.given for each in functions])
    with Interrupts() as interrupts:
        try:
            told, kind, detail = helper("launch")(fns, *texts, seeded, float_bytes(), __version__)
        except rinterface.embedded.RRuntimeError as error:
            interrupts.check_error(error)
            raise
    match kind[0]:
        case "value":
            return to_python(told)  # type: ignore[no-any-return]
        case "fitgenerator_setup_error":
            raise SetupError(detail[0])
    raise ArgumentError(detail[0], argument="workers")


def _launch_of(told: dict[str, Any]) -> Launch:
    """The same, as a pool wants it."""
    environment = {name: value[0] for name, value in told["environment"].items()}
    work = [part.tobytes() for part in told["work"]]
    return Launch([told["program"][0], *told["options"]], environment, told["folder"][0], work)


def _address() -> Address:
    """Where workers dial: port 0 is one that is free."""
    port = os.environ.get(_PORT, "0")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise ArgumentError(
            f"The environment variable {_PORT} must be a port from 0 to 65535, not {port!r}."
        )
    return Address(os.environ.get(_HOST) or "127.0.0.1", int(port))
