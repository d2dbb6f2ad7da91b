"""What the processes of one training have to agree on, and what only the first one does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import Any

from ..agreement.agreement import Agreement
from ..agreement.meeting import Meeting
from ..batches.prepared import Batch, Shapes, common_shapes
from ..checkpoint.checkpoint import Checkpoint
from ..errors import ArgumentError, BatchError, EndedError
from ..live.attended import Attended
from ..messages import listed
from ..models.keras_versions import Keras3, classes
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
        if isinstance(callback, Checkpoint) and callback.within_epochs:
            raise ArgumentError(
                "Under several processes, a checkpoint is written after epochs only: leave out "
                "`every`, `seconds` and `on_signal`."
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


class CommonRounds:
    """The rounds of one mode, as far as the processes have to agree on each of their steps."""

    def __init__(self, agreement: Agreement, argument: str) -> None:
        self.several = agreement.several
        self.place = "the evaluation"  # what runs, in messages
        self.stops = False  # a callback has stopped the round here, which the others learn
        self.lacking: list[str] = []  # the processes that had no batch where a round has ended
        self._agreement = agreement
        self._argument = argument

    def take(self, call: Batch | None, where: str, *, lack_is_error: bool = False) -> Batch | None:
        """The call of this process, where all have one, and no callback has stopped the round.

        All calls get one form, since a step that is traced in one process is traced in all. What
        only some processes lack `lack_is_error` where the round cannot just end.
        """
        agreement, place = self._agreement, f"{where} of {self.place}"
        own = None if call is None else [repr(call.form.kind), [*map(list, call.form.shapes)]]
        given = agreement.agree(place, {"batch": own, "stops": self.stops})
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
        return replace(call, form=replace(call.form, shapes=reduce(common_shapes, every)))

    def _check_kinds(self, kinds: list[str]) -> None:
        other = next((i for i, kind in enumerate(kinds) if kind != kinds[0]), None)
        if other is not None:
            named = self._agreement.named
            raise BatchError(
                f"The batches of `{self._argument}` have another form in {named(other)} than in "
                f"{named(0)}. Their structure, types and numbers of dimensions must be the same, "
                "and so must sample weights be there or not."
            )
