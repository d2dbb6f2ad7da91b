"""Steps that XLA computes more slowly in a loop than one by one, on a CPU: sliding windows.

These are convolutions and their gradients, and pooling. XLA calls quick kernels for convolutions,
but not in the body of a loop (https://github.com/jax-ml/jax/issues/12868): ten steps of a small
convolutional network take 7 to 17 times as long in a loop as one by one. Where a step has so little
of this work that its dispatch takes longer, the loop is quicker all the same. How much that is, is
measured on two cores, and stands with each backend's count (`window_work.py`).
"""

from __future__ import annotations

import math

_WINDOWS = "its convolutions, or other sliding windows,"
_SLOW = f"{_WINDOWS} take several times as long in such a loop on a CPU"
_UNKNOWN = (
    f"how much {_WINDOWS} compute cannot be told beforehand, and in such a loop on a CPU they may "
    "take several times as long"
)


def too_slow(work: float, most: float) -> str | None:
    """Why steps of so many multiply-adds are not put in a loop of XLA's; infinite: not known."""
    if work <= most:
        return None
    return _UNKNOWN if math.isinf(work) else _SLOW
