"""R functions of images inside a Python process (rpy2), as preprocessing functions of image flows.

R runs on Python's main thread alone. There the function is called as it is; any other thread, which
makes a batch of a call, asks that call's host.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

from ...errors import ArgumentError, ArgumentTypeError
from ...host.current_host import host_here
from ...host.outcome import Failed, Outcome, Value
from ...host.switchboard import Switchboard
from ...messages import describe
from ...models.protocol import Array
from .embedded_r import rinterface
from .functions import RFunction, helper, is_function, kept_error, needed_args, outcome_of
from .interrupts import Interrupts
from .values import to_array, to_r


class ImageFunction:
    """An R function of one image, as a `Seeded` preprocessing function.

    Args:
        function: Is called with an array of doubles, and returns one of its `dim`.
        argument: The name that it was given by.
    """

    def __init__(self, function: RFunction, argument: str) -> None:
        self.__name__ = argument
        self._function = function

    def __call__(self, image: Array) -> Array:
        """The processed image; R's own random numbers."""
        return self.seeded(image, None)

    def seeded(self, image: Array, seed: int | None) -> Array:
        """The processed image; random numbers by `seed`, or R's own.

        Raises:
            RRuntimeError: The function failed.
            ArgumentError: It returned no image of that shape, or nobody can be asked for it here.
            GeneratorTimeoutError: It took too long.
            ClosedError: No batch is made any more.
        """
        if threading.current_thread() is threading.main_thread():
            return self._here(image, seed)
        host = host_here()
        if not isinstance(host, Switchboard):
            rule = (
                "is an R function, which only Python's main thread can run; the call came from the "
                f"thread {threading.current_thread().name}. Read the flow on the main thread, or "
                "give it to fit_generator(), evaluate_generator() or predict_generator() there."
            )
            raise ArgumentError.of(self.__name__, rule)
        return host.apply(self.__name__, self, image, seed)  # type: ignore[no-any-return]

    def _here(self, image: Array, seed: int | None) -> Array:
        with Interrupts() as interrupts:
            try:
                outcome = self.call(image, seed)
            except rinterface.embedded.RRuntimeError as error:
                interrupts.check_error(error)
                raise
            match outcome:
                case Value(made):
                    return to_array(made)  # type: ignore[no-any-return]
                case Failed(refusal):
                    raise refusal
            raise KeyboardInterrupt

    def call(self, image: Array, seed: int | None) -> Outcome:
        """Call the function; for the main thread. The value is R's.

        Raises:
            RRuntimeError: The function failed.
        """
        number = rinterface.NULL if seed is None else rinterface.IntSexpVector([seed])
        apply = helper("apply_to_image")
        made, kind, detail = apply(self._function, self.__name__, to_r(image), number)
        if kind[0] == "failed":
            raise kept_error(detail)
        refusal = partial(ArgumentError, argument=self.__name__)
        return outcome_of(kind[0], detail, refusal) or Value(made)


def image_function(given: RFunction, argument: str) -> ImageFunction:
    """The preprocessing function that something of rpy2's stands for.

    Raises:
        ArgumentTypeError: It is no function of one image.
        ArgumentError: Its R has ended, or this is not Python's main thread.
    """
    fault: list[Any] = [None]
    if is_function(given):
        fault = needed_args(given, argument, "image_function_fault")
    if fault:
        raise ArgumentTypeError.of(
            argument, f"must be a function of one image, not {fault[0] or describe(given)}."
        )
    return ImageFunction(given, argument)
