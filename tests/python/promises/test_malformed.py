"""Batches of every wrong and unusual kind: trained on as Keras does, or refused in words."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings
from support.generated_batches import Case, cases
from support.malformed_batches import try_case


@settings(
    max_examples=60,
    phases=[Phase.generate, Phase.shrink],
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(cases())
def test_E2_every_batch_trains_as_Keras_does_or_is_refused_in_words(case: Case) -> None:
    try_case(case)
