"""Run by test_other_backend.py: writes a checkpoint on one backend, and resumes one of another."""

from __future__ import annotations

import sys

import numpy as np
from fitgenerator import Checkpoint, fit_generator

from support.any_backend import rich
from support.tiny_trainings import forever, make_batches


def train(path: str, epochs: int) -> None:
    """Train with a checkpoint, up to so many epochs; the weights are kept beside it."""
    model = rich()
    fit_generator(model, forever(make_batches(3)), 3, epochs, 0, [Checkpoint(path)])
    state = [*model.variables, *model.optimizer.variables]
    np.savez(f"{path}-{epochs}", *[np.asarray(each.numpy(), "float64") for each in state])


if __name__ == "__main__":
    new, old = sys.argv[1:]
    train(new, 2)
    train(old, 2)  # which it had been trained for: nothing is drawn
    train(old, 3)
