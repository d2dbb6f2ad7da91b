"""Kinds of models on other backends than TensorFlow, for which `test_sweep.py` has them.

Two kinds run by default, all with FITGENERATOR_SWEEP=all.
"""

from __future__ import annotations

import os
from typing import Any

import keras
import pytest
from support.model_kinds import KINDS
from support.sweep import compare

pytestmark = pytest.mark.skipif(keras.config.backend() == "tensorflow", reason="see test_sweep.py")

ALL = os.environ.get("FITGENERATOR_SWEEP") == "all"
SWEPT = list(KINDS) if ALL else ["named", "masked"]
WAYS: dict[str, dict[str, Any]] = {"steps": {"max_queue_size": 1}, "xla": {"jit_compile": True}}


@pytest.mark.parametrize("kind", SWEPT)
def test_all_numbers_of_a_kind_of_model_are_those_of_keras(kind: str) -> None:
    def made() -> tuple[Any, list[Any]]:
        keras.utils.set_random_seed(5)
        return KINDS[kind]()

    compare(made, WAYS, ("steps",))
