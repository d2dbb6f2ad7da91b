"""All numbers of a model, which must be those that Keras gives on the same batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
from fitgenerator import Pipeline, evaluate_generator, predict_generator

from support.tiny_trainings import Indexed, keras_history, run

# What a number is rounded by where XLA orders operations in another way. oneDNN's kernels, which
# TensorFlow uses on some processors, round products of floats of 16 bits otherwise than XLA.
ROUNDING = 1e-5
EPSILONS = {"float16": 2.0**-10, "bfloat16": 2.0**-7}

Made = Callable[[], tuple[Any, list[Any]]]  # a new model, always with the same weights; its batches


def compare(
    made: Made, ways: Mapping[str, Mapping[str, Any]], exact: tuple[str, ...]
) -> dict[str, Pipeline]:
    """Train, evaluate and predict in each way, and compare with Keras, to the bit in `exact`.

    Where the time of each training went.
    """
    model, batches = made()
    seen = [batch[:1] for batch in batches]
    history = keras_history(model, Indexed(batches), epochs=2, validation_data=Indexed(batches))
    scores = model.evaluate(Indexed(batches), verbose=0, return_dict=True)
    predictions = model.predict(Indexed(seen), verbose=0)
    rounding, pipelines = rounding_of(model), {}
    for way, options in ways.items():
        within = 0.0 if way in exact else rounding
        model, batches = made()
        source = Indexed(batches)
        ours = run(model, source, None, 2, None, Indexed(batches), **options)
        pipelines[way] = ours.pipeline
        assert list(ours.history) == list(history), way
        same(ours.history, history, within=within)
        got = evaluate_generator(model, Indexed(batches), return_dict=True, **options)
        same([got[name] for name in scores], list(scores.values()), within=within)
        same(predict_generator(model, Indexed(seen), **options), predictions, within=within)
    return pipelines


def rounding_of(model: Any) -> float:
    """By how much XLA may round otherwise: more only where layers compute in floats of 16 bits."""
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return ROUNDING
    computed = {layer.compute_dtype for layer in model._flatten_layers()}
    return max([ROUNDING, *(EPSILONS[kind] for kind in computed & EPSILONS.keys())])


def same(ours: Any, theirs: Any, *, within: float) -> None:
    """Fail where numbers differ: at all, or by more than rounding."""
    left, right = keras.tree.flatten(ours), keras.tree.flatten(theirs)
    for one, other in zip(left, right, strict=True):
        if not within:
            assert np.array_equal(one, other), (ours, theirs)
        else:
            assert np.allclose(one, other, within, within / 10), (ours, theirs)
