"""Functions of R that work on images, called by flows, which other threads read.

R has one thread. There the function is called as it is; any other thread of a call asks that call's
host. R gives a function as a *cell*, an environment that holds it, and a failure as a dict of its
text and of a cell that holds the condition: nothing of it is an exception before it is known here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from ...host.current_host import host_here
from ...host.switchboard import Switchboard
from ...models.protocol import Array
from ..worker_images import made_elsewhere

Cell = Any  # an environment of R's
# What R answers: an image, in R's memory, or `{"text": ..., "cell": ...}` for a failure.
Answer = Array | dict[str, Any]


class RFunctionError(Exception):
    """A function of R failed; `cell` holds the condition."""

    def __init__(self, text: str, cell: Cell) -> None:
        super().__init__(text)
        self.cell = cell


class RFunction:
    """An R function of one image, as a `Seeded` preprocessing function. R's thread makes it.

    Args:
        name: The argument that it was given as.
        cell: Holds the function, for a host.
        call: Calls it, with an image and a seed or `None`, on R's thread.
    """

    def __init__(self, name: str, cell: Cell, call: Callable[[Array, int | None], Answer]) -> None:
        self.__name__ = name
        self.cell = cell
        self._call = call
        self._home = threading.get_ident()

    def __call__(self, image: Array) -> Array:
        """The processed image; the session's random numbers."""
        return self.seeded(image, None)

    def seeded(self, image: Array, seed: int | None) -> Array:
        """The processed image; random numbers by `seed`, or the session's.

        Raises:
            RFunctionError: The function failed.
            RConditionError: It failed in a worker.
            GeneratorTimeoutError: It took too long.
            ClosedError: No batch is made any more.
        """
        made = made_elsewhere(self, image, seed)
        if made is not None:
            return made
        host = host_here()
        if threading.get_ident() != self._home and isinstance(host, Switchboard):
            return host.apply(self.__name__, self.cell, image, seed)  # type: ignore[no-any-return]
        return image_of(self._call(image, seed))  # from another thread, reticulate goes to R's


def function_of(source: object) -> RFunction | None:
    """The R function of images that a flow calls; `None` where it calls none, or is no flow."""
    with suppress(Exception):  # attributes of what is none may do anything
        function = source.image_data_generator.preprocessing_function  # type: ignore[attr-defined]
        return function if isinstance(function, RFunction) else None
    return None


def cell_of(source: object) -> Cell | None:
    """The cell of that function, for R."""
    function = function_of(source)
    return None if function is None else function.cell


def image_of(answer: Answer) -> Array:
    """The image that R answered with, or the failure that it told of; for R's thread."""
    if isinstance(answer, dict):
        raise RFunctionError(answer["text"], answer["cell"])
    return np.array(answer)  # rule 9: the memory is R's, and must be released on its thread
