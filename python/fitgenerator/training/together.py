"""What the processes of one training have to agree on, and what only the first one does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

from ..agreement.agreement import Agreement
from ..agreement.meeting import Meeting
from ..batches.call_size import CallSize
from ..batches.prepared import Batch, Shapes, common_shapes
from ..checkpoint.checkpoint import Checkpoint
from ..errors import ArgumentError, BatchError, ClosedError, EndedError
from ..live.attended import Attended
from ..messages import listed
from ..models.keras_versions import Keras3, classes
from ..steps.protocol import Traced
from .callbacks import Hooked

# Callbacks of Keras's that write, which one process does for all.
_WRITERS = ("ModelCheckpoint", "CSVLogger", "TensorBoard", "RemoteMonitor")


def agreement_of(keras_version: Keras3) -> Agreement:
    """The agreement of the processes that a model was made for."""
    replicas = keras_version.replicas
    if replicas is None or replicas.cluster is None:
        return Agreement()
    return Meeting(replicas.cluster)


def own_callbacks(callbacks: Iterable[Hooked], agreement: Agreement) -> list[Hooked]:
    """The callbacks that this process calls: those that write are called in process 0 alone."""
    kept = list(callbacks)
    if not agreement.several:
        return kept
    for callback in kept:
        if isinstance(callback, classes("callbacks.BackupAndRestore")):
            rule = "cannot hold BackupAndRestore under several processes; give a Checkpoint."
            raise ArgumentError.of("callbacks", rule)
        if isinstance(callback, Checkpoint) and callback.on_signal:
            raise ArgumentError(
                "Under several processes, `on_signal` of a checkpoint is not supported: leave it "
                "out, and give `every` or `seconds`."
            )
    if agreement.index == 0:
        return kept
    writers = tuple(kind for name in _WRITERS for kind in classes(f"callbacks.{name}"))
    return [each for each in kept if not isinstance(each, (*writers, Attended))]


def check_call(agreement: Agreement, call: dict[str, Any]) -> None:
    """All processes make the same call; an `ArgumentError` that names the first difference."""
    given = agreement.agree("its beginning", call)
    for index, other in enumerate(given):
        for name, value in other.items():
            if value != given[0][name]:
                raise ArgumentError(
                    f"The processes make different calls: {name} is {given[0][name]} in "
                    f"{agreement.named(0)} and {value} in {agreement.named(index)}. Each process "
                    "needs as many batches as the others, and the same arguments."
                )


def _all_keep(told: Sequence[list[Any] | None]) -> bool:
    """Whether a file within the epoch is written: by process 0's `every` or clock, for all.

    All have to be at one place of their sources, since the file holds that of process 0. Each has
    told whether a file can be had, whether one is due, and the place.
    """
    first = told[0]
    if first is None or not first[1]:
        return False
    return all(each is not None and each[0] and each[2] == first[2] for each in told)


class CommonRounds:
    """The rounds of one mode, as far as the processes have to agree on each call of steps."""

    def __init__(self, agreement: Agreement, argument: str, size: CallSize) -> None:
        self.several = agreement.several
        self.place = "the evaluation"  # what runs, in messages
        self.stops = False  # a callback has stopped the round here, which the others learn
        self.lacking: list[str] = []  # the processes that had no batch where a round has ended
        self.keep: list[Any] | None = None  # what this process says of a file within the epoch
        self.keeps = False  # all write it before the call that was taken
        self.rest: Batch | None = None  # of a call of more batches than the others had
        self._size = size
        size.aligned = self.several
        self._agreement = agreement
        self._argument = argument

    def take(self, call: Batch | None, where: str, *, lack_is_error: bool = False) -> Batch | None:
        """The call of this process, where all have one, and no callback has stopped the round.

        All calls get one form and as many batches, since a step that is traced in one process is
        traced in all. What a call has more remains for the next one. What only some processes
        lack `lack_is_error` where the round cannot just end.
        """
        agreement, place, size = self._agreement, f"{where} of {self.place}", self._size
        own = call and [repr(call.form.kind), [*map(list, call.form.shapes)], call.count]
        sizes = [size.size, size.most]
        told = {"batch": own, "stops": self.stops, "sizes": sizes, "keep": self.keep}
        given = agreement.agree(place, told)
        self._settle(*zip(*(each["sizes"] for each in given), strict=True))
        self.keeps = _all_keep([each["keep"] for each in given])
        self.stops = any(each["stops"] for each in given)
        lacking = [i for i, each in enumerate(given) if each["batch"] is None]
        self.lacking = [] if self.stops else [agreement.named(index) for index in lacking]
        if self.lacking and lack_is_error and len(lacking) < len(given):
            raise EndedError(
                f"`{self._argument}` has no batch for {place} in {listed(self.lacking)}, and has "
                "one in the others. Each process needs as many batches as the others."
            )
        if call is None or lacking or self.stops:
            return None
        self._check_kinds([each["batch"][0] for each in given])
        every: list[Shapes] = [tuple(map(tuple, each["batch"][1])) for each in given]
        count = min(each["batch"][2] for each in given)
        if count < call.count:
            call, self.rest = call.cut(count)
        return replace(call, form=replace(call.form, shapes=reduce(common_shapes, every)))

    def next(self, take: Callable[[], Batch | None]) -> Batch | None:
        """What remains of the last call, or the next one."""
        rest, self.rest = self.rest, None
        return take() if rest is None else rest

    def _settle(self, sizes: tuple[int, ...], most: tuple[int, ...]) -> None:
        """All processes make calls of one size: each has measured its own steps."""
        self._size.most = min(most)
        if min(sizes) > 1:
            self._size.size = min(sizes)

    def traced(self, trace: Callable[[], Traced]) -> Traced:
        """What `trace` gives for calls of several steps, unless that fails in any process."""
        result: Traced | Exception
        try:
            result = trace()
        except (ClosedError, ArgumentError):
            raise
        except Exception as error:
            result = error
        failed = str(result) if isinstance(result, Exception) else None
        reasons = self._agreement.agree(f"the tracing of {self.place}", failed)
        if isinstance(result, Exception):
            raise result
        if (reason := next(filter(None, reasons), None)) is not None:
            raise RuntimeError(reason)
        return result

    def _check_kinds(self, kinds: list[str]) -> None:
        other = next((i for i, kind in enumerate(kinds) if kind != kinds[0]), None)
        if other is not None:
            named = self._agreement.named
            raise BatchError(
                f"The batches of `{self._argument}` have another form in {named(other)} than in "
                f"{named(0)}. Their structure, types and numbers of dimensions must be the same, "
                "and so must sample weights be there or not."
            )
