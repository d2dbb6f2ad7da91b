"""What `rows`, `legacy_arguments` and `doctor` refuse and warn of; see refusals.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from fitgenerator import doctor
from fitgenerator.flows.rows import rows

from support.tiny_trainings import echo_model, numbered, run

X = np.ones((4, 3), "float32")


def former(**given: Any) -> Callable[[], object]:
    """Training with a former argument."""
    return lambda: run(echo_model(), numbered(), 1, **given)


PAGE: dict[str, Callable[[], object]] = {
    "rows of unequal numbers": lambda: rows([X, X[:3]], 2),
    "no rows to take": lambda: rows([np.array([None, [1]], dtype=object)], 2),
    "no rows to train on": lambda: rows([X], 2).split(0.9),
    "an argument that counted samples": former(samples_per_epoch=100),
    "an argument by both names": former(nb_epoch=3, epochs=3),
    "no Keras": lambda: doctor.absent(ModuleNotFoundError(name="keras"))("fit_generator"),
}
PAGE_WARNINGS: dict[str, Callable[[], object]] = {
    "an argument by another name": former(max_q_size=1),
    "a former argument without effect": former(use_multiprocessing=True),
}
