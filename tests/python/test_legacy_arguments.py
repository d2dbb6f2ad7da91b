"""Arguments by the names that they had in earlier versions of Keras."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from fitgenerator import FormerArgumentWarning, evaluate_generator, fit_generator, predict_generator
from support.tiny_trainings import echo_model, numbered

QUIET: dict[str, Any] = {"verbose": 0}


def test_what_was_renamed_is_mapped_with_a_warning_at_the_call() -> None:
    given: dict[str, Any] = {"nb_epoch": 2, "max_q_size": 0, **QUIET}
    with pytest.warns(FormerArgumentWarning) as caught:
        history = fit_generator(echo_model(), numbered(), 2, **given)
    assert history.epoch == [0, 1]
    texts = [str(warning.message) for warning in caught]
    assert texts == [
        "`nb_epoch` is called `epochs` now.",
        "`max_q_size` is called `max_queue_size` now.",
    ]
    assert {warning.filename for warning in caught} == {__file__}
    old: dict[str, Any] = {"nb_worker": 1}
    with pytest.warns(FormerArgumentWarning, match="`workers`"):
        assert evaluate_generator(echo_model(), numbered(), 1, **old) == 1.0
    with pytest.warns(FormerArgumentWarning, match="`workers`"):
        assert predict_generator(echo_model(), numbered(), 1, **old).shape == (2, 1)


def test_T28_what_has_no_effect_any_more_says_so() -> None:
    for old in (
        {"use_multiprocessing": True},
        {"pickle_safe": False},
        {"shuffle": False},
        {"shuffle": True},
    ):
        given: dict[str, Any] = {**old, **QUIET}
        with pytest.warns(FormerArgumentWarning, match=r"has no effect: \w+"):
            fit_generator(echo_model(), numbered(), 1, **given)


@pytest.mark.parametrize(
    ("old", "text"),
    [
        ({"samples_per_epoch": 1000}, "counted samples. Give `steps_per_epoch`"),
        ({"nb_val_samples": 100}, "counted samples. Give `validation_steps`"),
        ({"val_samples": 100}, "counted samples. Give `steps`"),
        ({"nb_epoch": 3, "epochs": 3}, "`nb_epoch` is `epochs` now; give one of them"),
    ],
)
def test_what_cannot_be_mapped_says_what_to_give(old: dict[str, Any], text: str) -> None:
    call: Any = evaluate_generator if "val_samples" in old else fit_generator
    with pytest.raises(ValueError, match=text):
        call(echo_model(), numbered(), **old)


def test_another_name_is_python_s_own_error_and_the_signature_is_today_s() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'epoch'"):
        fit_generator(echo_model(), numbered(), 1, epoch=2)  # type: ignore[call-arg]
    assert "nb_epoch" not in inspect.signature(fit_generator).parameters
    assert list(inspect.signature(fit_generator).parameters)[:4] == [
        "model",
        "generator",
        "steps_per_epoch",
        "epochs",
    ]
