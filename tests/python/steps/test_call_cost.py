"""What TensorFlow does at each call of a traced function is left out."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf
from fitgenerator import evaluate_generator, predict_generator
from fitgenerator.steps.chosen import steps_of
from support.tiny_trainings import forever, linear_model, make_batches, run


@pytest.mark.parametrize("jit_compile", [False, True, "auto"])
def test_no_call_of_steps_compares_types(
    jit_compile: bool | str, loops_pay: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were they compared, and not equal, TensorFlow would print each batch into an error first."""
    from tensorflow.python.eager.polymorphic_function import concrete_function

    compared: list[Any] = []
    call = concrete_function.ConcreteFunction._call_impl

    def noted(self: Any, *arguments: Any) -> Any:
        if not tf.inside_function():  # a loop that is traced calls its step so
            compared.append(self.name)
        return call(self, *arguments)

    model, batches = linear_model(), forever(make_batches(1))
    monkeypatch.setattr(concrete_function.ConcreteFunction, "_call_impl", noted)
    monkeypatch.setattr(type(steps_of(model)), "worth_compiling", 60)
    pipeline = run(model, batches, 60, jit_compile=jit_compile).pipeline
    assert (pipeline.xla_steps > 0) == bool(jit_compile)
    assert pipeline.steps > 2 * pipeline.calls
    evaluate_generator(model, batches, 60, jit_compile=jit_compile)
    predict_generator(model, batches, 60, jit_compile=jit_compile)
    assert compared == []
