"""All numbers of a model, which must be those that Keras gives on the same batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from fitgenerator import evaluate_generator, predict_generator

from support.tiny_trainings import Indexed, keras_history, run

Made = Callable[[], tuple[Any, list[Any]]]  # a new model, always with the same weights; its batches


def compare(made: Made, ways: Mapping[str, Mapping[str, Any]], exact: tuple[str, ...]) -> None:
    """Train, evaluate and predict in each way, and compare with Keras, to the bit in `exact`."""
    model, batches = made()
    seen = [batch[:1] for batch in batches]
    history = keras_history(model, Indexed(batches), epochs=2, validation_data=Indexed(batches))
    scores = model.evaluate(Indexed(batches), verbose=0, return_dict=True)
    predictions = model.predict(Indexed(seen), verbose=0)
    for way, options in ways.items():
        exactly = way in exact
        model, batches = made()
        source = Indexed(batches)
        ours = run(model, source, None, 2, None, Indexed(batches), **options)
        assert list(ours.history) == list(history), way
        same(ours.history, history, exactly=exactly)
        got = evaluate_generator(model, Indexed(batches), return_dict=True, **options)
        same([got[name] for name in scores], list(scores.values()), exactly=exactly)
        same(predict_generator(model, Indexed(seen), **options), predictions, exactly=exactly)


def same(ours: Any, theirs: Any, *, exactly: bool) -> None:
    """Fail where numbers differ: at all, or by more than rounding."""
    left, right = keras.tree.flatten(ours), keras.tree.flatten(theirs)
    for one, other in zip(left, right, strict=True):
        if exactly:
            assert np.array_equal(one, other), (ours, theirs)
        else:
            assert np.allclose(one, other, 1e-5, 1e-6), (ours, theirs)
