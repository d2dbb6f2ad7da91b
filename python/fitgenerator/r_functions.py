"""R functions as the engine sees them: how to tell one, and which bridge to R holds it.

A bridge brings the functions of R into a Python process: reticulate does so in an R session, rpy2
elsewhere. This module knows neither. The public functions register the bridge of rpy2 here, and
sources and image flows ask for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Bridge(Protocol):
    """What sources and image flows ask of a bridge; a module can be one."""

    def owns(self, thing: object) -> bool:
        """Whether `thing` is a value of the other language."""

    def is_function(self, thing: object) -> bool:
        """Whether `thing` is a function of the other language."""

    def source(self, function: Any, argument: str) -> Any:
        """The `Source` of a function without arguments, given as `argument`."""

    def sequence(
        self, passes: Any, function: Any, hook: Any, argument: str, *, seeded: bool
    ) -> Any:
        """The `Source` of a function that makes the batches of `passes` by their number."""

    def image_function(self, given: Any, argument: str) -> Callable[[Any], Any]:
        """The preprocessing function that a function of one image stands for."""


_loaders: list[Callable[[], Bridge | None]] = []


def register(load: Callable[[], Bridge | None]) -> None:
    """Make a bridge known; `load` gives it, or `None` where its package has not been imported."""
    _loaders.append(load)


def bridge_of(thing: object) -> Bridge | None:
    """The bridge that holds `thing`, or `None` where it is a value of Python."""
    bridges = (load() for load in _loaders)
    return next((bridge for bridge in bridges if bridge is not None and bridge.owns(thing)), None)


def is_bridged_function(thing: object) -> bool:
    """Whether `thing` is a function of another language that a bridge holds."""
    bridge = bridge_of(thing)
    return bridge is not None and bridge.is_function(thing)


def is_r_function(thing: object) -> bool:
    """Whether `thing` is reticulate's wrapper of an R function."""
    return getattr(thing, "__module__", None) == "rpytools.call"
