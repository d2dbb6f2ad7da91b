"""How a moment of a round looks in a line."""

from __future__ import annotations

from typing import Any

import pytest
from fitgenerator.reporting.progress_bar import Bar


def bar_of(**given: Any) -> Bar:
    return Bar(
        "Epoch 1/5", 30, 100, pace=0.061, left=4.3, figures=("loss: 0.5", "acc: 0.3"), **given
    )


def test_a_bar_says_how_far_it_is_how_fast_how_long_and_how_well() -> None:
    assert bar_of().text(100, unicode=True) == (
        "Epoch 1/5 - 30/100 ━━━━━━────────────── - 61ms/step - ETA 4s - loss: 0.5 - acc: 0.3"
    )
    assert "[======..............]" in bar_of().text(100, unicode=False)
    waiting = bar_of(waiting="waiting for `generator` (4 s)").text(200, unicode=True)
    assert waiting.endswith(" - acc: 0.3 - waiting for `generator` (4 s)")
    assert Bar("", 3, None, pace=2.0).text(80, unicode=True) == "3/? - 2.0s/step"


@pytest.mark.parametrize("width", [*range(12), 20, 40, 60, 79])
def test_a_bar_never_wraps(width: int) -> None:
    assert len(bar_of(waiting="waiting for `generator` (4 s)").text(width, unicode=True)) <= width


def test_what_matters_least_is_left_out_first() -> None:
    texts = [
        bar_of(waiting="waiting").text(width, unicode=True) for width in (100, 80, 70, 60, 50, 35)
    ]
    assert texts[0].count("━") == 6
    assert texts[1].count("━") == 3
    assert "acc" not in texts[2]
    assert "loss" in texts[2]
    assert "━" not in texts[4]
    assert all(text.endswith("waiting") for text in texts)
    assert texts[-1] == "Epoch 1/5 - 30/100 - waiting"


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (4.4, "ETA 4s"), (83, "ETA 1:23"), (7384, "ETA 2:03:04")]
)
def test_how_long_it_will_take(seconds: float | None, text: str) -> None:
    assert Bar("", 1, 2, left=seconds).eta == text
