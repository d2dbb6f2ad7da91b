"""The R functions that make the batches of one call: fetched from, on the main thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...batches.structure import BatchForm
from ...errors import BatchError
from ...host.outcome import Failed, Outcome, Told, Value, attempt
from ...host.requests import Fetch
from ...sources.on_request import for_host
from ...sources.source import Source
from .embedded_r import rinterface
from .functions import helper, identity_of, outcome_of


class Closures:
    """The R functions that make the batches of one call, and their random numbers.

    Rule 8: every R function has its own random number stream, because prefetching interleaves them
    in an order that timing decides. R/host-random-streams.R keeps the streams.

    Args:
        sources: The generator and, if there are any, the validation data.
        forms: What the model takes of the one, and of the other.
        inputs: The names of the model's inputs.
    """

    def __init__(
        self, sources: Sequence[Source | None], forms: Sequence[BatchForm], inputs: Sequence[str]
    ) -> None:
        # The argument that each R function was given as; the first where it was given twice.
        self._names: dict[str, str] = {}
        for name, source in zip(("generator", "validation_data"), sources, strict=False):
            if source is not None and source.hosted:
                self._names.setdefault(identity_of(source.function), name)
        self._fetched = dict.fromkeys(self._names.values(), 0)
        self._forms = dict(zip(("generator", "validation_data"), forms, strict=False))
        self._inputs = rinterface.StrSexpVector(inputs)
        self._streams = helper("new_streams")()
        if self._names:  # what Python sources call of R goes on with the session's random numbers
            names = rinterface.StrSexpVector(["validation_data"])
            helper("begin_streams")(self._streams, names)

    def fetch(self, request: Fetch, used: int) -> list[Outcome]:
        """Fetch batches, which are values of R, and what came in place of a further one.

        `used`: batches of the generator whose steps have begun.
        """
        function, places = request.source.function, for_host(request.source.places())
        name = self._names[identity_of(function)]
        fetched = self._fetched[name]
        # The first batch is delivered alone: the model waits for it.
        most = request.most if fetched else 1
        if places is not None and places["ended"] is not None:
            return [self._tell(function, places["ended"], name, fetched)]
        if places is not None:
            function.seek(places)
            function = function.call
        form, ends = self._forms[name], places is None
        lot, kind, detail = helper("fetch")(
            function, name, form, self._inputs, self._streams, fetched + 1, most, used, ends
        )
        outcomes: list[Outcome] = [Value(batch) for batch in lot]
        self._fetched[name] += len(outcomes)
        end = outcome_of(kind[0], detail, BatchError)
        return outcomes if end is None else [*outcomes, end]

    def _tell(self, function: Any, ended: int, name: str, fetched: int) -> Outcome:
        """Tell a function that a pass has ended."""
        if function.hook is not None:
            told = attempt(lambda: function.hook(ended))
            return told if isinstance(told, Failed) else Told()
        _, kind, detail = helper("tell")(function.tell, ended, name, self._streams, fetched)
        return outcome_of(kind[0], detail, BatchError) or Told()

    def close(self, used: int) -> None:
        """Put R's random numbers where they belong: after the last batch that was trained on."""
        helper("undisturbed")(helper("end_streams"), self._streams, used)
