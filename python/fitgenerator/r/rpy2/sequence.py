"""R functions inside a Python process that make batches by their number."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError
from ...sources.on_request import passes_source
from ...sources.seeded_source import Passes
from ...sources.source import Source
from .embedded_r import rinterface
from .functions import RFunction, helper, is_function, needed_args

Hook = Any  # a function of R or Python, or `None`


class Indexed:
    """An R function that is called with the numbers of batches.

    Args:
        function: Is called with the number of a batch, from 1, and perhaps the epoch.
        hook: A function, of R or Python, that is called with the number of a pass that has ended.
        passes: What says which numbers.
        seeded: Its random numbers follow from the seed and the number.
    """

    def __init__(self, function: RFunction, hook: Hook, passes: Passes, *, seeded: bool) -> None:
        self.given, self.given_hook, self.passes, self.seeded = function, hook, passes, seeded
        in_r = hook is not None and is_function(hook)
        given = hook if in_r else rinterface.NULL
        self.hook = None if in_r else hook  # of Python
        calls = helper("indexed_calls")(function, given, rinterface.BoolSexpVector([seeded]))
        self._seek, self.call, self.tell = calls[0], calls[1], calls[2]
        self.rid = self.call.rid

    def seek(self, places: dict[str, Any]) -> None:
        """Say which batches are next."""
        told = {name: rinterface.IntSexpVector(places[name]) for name in ("index", "seed")}
        told["epoch"] = rinterface.IntSexpVector([places["epoch"]])
        self._seek(rinterface.baseenv["list"](**told))


def sequence(
    passes: Passes, function: RFunction, hook: Hook, argument: str, *, seeded: bool
) -> Source:
    """The source that an R function stands for which makes batches by their number.

    Raises:
        ArgumentError: The function needs more than two arguments, its R has ended, or this is not
            Python's main thread.
    """
    takes = needed_args(function, argument, "index_args")[0]
    if takes > 2:
        raise ArgumentError(
            f"The function of `{argument}` must take nothing, the number of a batch, or that and "
            f"the number of the epoch, not {takes} arguments.",
            argument=argument,
        )
    indexed = Indexed(function, hook, passes, seeded=seeded)
    return passes_source(indexed, passes, told=hook is not None)
