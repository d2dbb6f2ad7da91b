"""Standard output that is missing, as under `pythonw`, or closed: calls are silent, and run."""

from __future__ import annotations

import io
import sys

import pytest
from fitgenerator import evaluate_generator, fit_generator, predict_generator
from support.tiny_trainings import at_epoch_end, echo_model, numbered, run


@pytest.mark.parametrize("closed", [False, True])
def test_T18_without_an_output_a_call_is_silent(
    monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    output = io.StringIO()
    output.close()
    monkeypatch.setattr(sys, "stdout", output if closed else None)
    for verbose in (1, 2):
        history = fit_generator(echo_model(), numbered(), 2, epochs=2, verbose=verbose)
        assert len(history.epoch) == 2
        evaluate_generator(echo_model(), numbered(), 2, verbose=verbose)
        predict_generator(echo_model(), numbered(), 2, verbose=verbose)


def test_T18_nor_is_what_an_output_was_told_that_closes_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    closing = at_epoch_end(lambda epoch: output.close())
    assert len(run(echo_model(), numbered(), 2, 3, [closing], verbose=2).epoch) == 3
