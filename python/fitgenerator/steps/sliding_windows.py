"""Steps that XLA computes more slowly in a loop than one by one, on a CPU: sliding windows.

These are convolutions and their gradients, and pooling. XLA calls quick kernels for convolutions,
but not in the body of a loop (https://github.com/jax-ml/jax/issues/12868): ten steps of a small
convolutional network take 7 to 17 times as long in a loop as one by one. Where a step has so little
of this work that its dispatch takes longer, the loop is quicker all the same. How much that is, is
measured on two cores, and stands with each backend's count (`window_work.py`).
"""

from __future__ import annotations

SLOW = (
    "its convolutions, or other sliding windows, take several times as long in such a loop on a CPU"
)
