"""Keras's own limits for trial runs, which its `fit` keeps to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import pytest
from fitgenerator import StepsWarning, evaluate_generator, predict_generator
from support.tiny_trainings import Indexed, linear_model, make_batches, run

pytestmark = [
    pytest.mark.skipif(
        not hasattr(keras.config, "set_max_epochs"), reason="this Keras has no such limits"
    ),
    pytest.mark.filterwarnings("ignore:Limiting steps", "ignore::fitgenerator.StepsWarning"),
]


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    keras.config.set_max_epochs(2)
    keras.config.set_max_steps_per_epoch(3)
    yield
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


@pytest.mark.parametrize("steps", [None, 2, 3, 10])
def test_a_training_has_as_many_steps_and_epochs_as_with_fit(steps: Any) -> None:
    theirs, ours = linear_model(), linear_model()
    valid = Indexed(make_batches(5, seed=2))
    with pytest.warns(UserWarning, match="Limiting epochs to 2"):
        expected = theirs.fit(
            Indexed(make_batches(8)), steps_per_epoch=steps, epochs=4, validation_data=valid,
            shuffle=False, verbose=0,
        )  # fmt: skip
    with pytest.warns(StepsWarning, match=r"`epochs` is limited to 2 by Keras's `max_epochs`"):
        history = run(ours, Indexed(make_batches(8)), steps, 4, validation_data=valid)
    assert history.history == expected.history
    assert int(ours.optimizer.iterations) == int(theirs.optimizer.iterations)


def test_evaluations_and_predictions_keep_to_the_limit() -> None:
    model, batches = linear_model(), make_batches(8)
    assert evaluate_generator(model, batches) == evaluate_generator(model, batches[:3])
    assert len(predict_generator(model, batches)) == len(batches[0][0]) * 3
    assert len(predict_generator(model, batches, 5)) == len(batches[0][0]) * 3
