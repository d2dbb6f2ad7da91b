"""What is trainable is what was at the first step after `compile()`, as in Keras."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from fitgenerator import TrainableWarning
from support.both_kerases import BOTH, RUNS, dense_model, ours, theirs
from support.tiny_trainings import catch, forever, make_batches, run, same_weights, weights_of


def normalised_model(package: Any) -> Any:
    """A layer that does something else where it is frozen, for any length."""
    package.utils.set_random_seed(7)
    layers = package.layers
    model = package.Sequential([layers.Input((None, 3)), layers.Dense(4, name="first")])
    for layer in (layers.BatchNormalization(), layers.GlobalAveragePooling1D(), layers.Dense(1)):
        model.add(layer)
    model.compile(package.optimizers.SGD(0.05), "mse")
    return model


def sequences(lengths: list[int]) -> Any:
    random = np.random.default_rng(3)
    return [
        (random.normal(size=(4, n, 3)).astype("float32"), np.ones((4, 1), "float32"))
        for n in lengths
    ]


def freeze(model: Any, kind: str) -> None:
    if kind == "layer":
        model.layers[0].trainable = model.layers[1].trainable = False
    elif kind == "model":
        model.trainable = False
    else:
        model.layers[0].kernel.trainable = False


def known_to(package: Any) -> Any:
    """Keras 2 has no variables that can be frozen."""
    return ["layer", "model", "variable"] if package is keras else ["layer", "model"]


KINDS = [(p, kind) for p in (keras, tf_keras) for kind in known_to(p)]


@pytest.mark.parametrize(("package", "kind"), KINDS)
@pytest.mark.parametrize("way", ["steps", "loops", "XLA", "other shapes"])
def test_T27_a_training_goes_on_with_what_was_trainable_at_its_first_step(
    package: Any, kind: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "loops":
        monkeypatch.setattr("fitgenerator.training.call_policy.SAVED", 1e6)
    lengths = [5, 5] if way != "other shapes" else [5, 6, 7]
    options = {"jit_compile": way == "XLA"}

    def weights(*, changed: bool) -> Any:
        model = normalised_model(package)
        run(model, forever(sequences([5])), 2, **options)
        if changed:
            freeze(model, kind)
        with pytest.warns(TrainableWarning) if changed else nullcontext():
            run(model, forever(sequences(lengths)), 60, **options)
        assert model.layers[-1].trainable == (not changed or kind != "model")
        return weights_of(model)

    if way == "XLA":
        for left, right in zip(weights(changed=True), weights(changed=False), strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)
    else:
        assert same_weights(weights(changed=True), weights(changed=False))


@pytest.mark.parametrize(("package", "kind"), KINDS)
def test_T27_it_is_what_Keras_does(package: Any, kind: str) -> None:
    def trained(fit: Callable[[Any], Any]) -> Any:
        model = dense_model(package)
        losses = [fit(model)]
        freeze(model, kind)
        return [*losses, fit(model)], weights_of(model)

    with pytest.warns(TrainableWarning):
        mine = trained(ours)
    expected = trained(theirs)
    assert mine[0] == expected[0]
    assert same_weights(mine[1], expected[1])


@pytest.mark.parametrize("frozen_at_compile", [False, True])
@pytest.mark.parametrize("frozen_in_fit", [False, True])
def test_T27_a_training_goes_on_with_what_was_trainable_in_Keras_own_fit(
    frozen_at_compile: bool, frozen_in_fit: bool
) -> None:
    def trained(fit: Callable[[Any], Any]) -> Any:
        model = dense_model(keras, compiled=False)
        first = model.layers[0]
        first.trainable = not frozen_at_compile
        model.compile(keras.optimizers.SGD(0.05), "mse")
        first.trainable = not (frozen_at_compile or frozen_in_fit)
        losses = [theirs(model)]
        first.trainable = not first.trainable
        return [*losses, fit(model)], weights_of(model)

    with pytest.warns(TrainableWarning):
        mine = trained(ours)
    expected = trained(theirs)
    assert mine[0] == expected[0]
    assert same_weights(mine[1], expected[1])


def test_T27_Keras_keeps_what_was_trainable_at_compile_over_its_own_calls() -> None:
    """It has code that would overwrite it, and warn; that it does not run is relied upon."""

    def trained(last: Callable[[Any], Any]) -> Any:
        model = dense_model(keras)
        for _ in range(2):
            theirs(model)
            model.evaluate(*make_batches(1)[0], verbose=0)
            model.layers[0].trainable = False
        return last(model), weights_of(model)

    with pytest.warns(TrainableWarning):
        mine = trained(ours)
    expected = trained(theirs)
    assert mine[0] == expected[0]
    assert same_weights(mine[1], expected[1])


@pytest.mark.parametrize("package", [keras, tf_keras])
def test_T27_Keras_own_fit_after_ours_has_a_first_step_of_its_own(package: Any) -> None:
    model = dense_model(package)
    ours(model)
    before = weights_of(model.layers[0])
    model.layers[0].trainable = False
    theirs(model)
    assert same_weights(weights_of(model.layers[0]), before) == (package is keras)
    with pytest.warns(TrainableWarning, match="first"):
        ours(model)
    assert not same_weights(weights_of(model.layers[0]), before)


def test_T27_a_function_that_was_made_and_not_traced_does_not_count() -> None:
    model = dense_model(keras)
    theirs(model)
    model.layers[0].trainable = False
    model.make_train_function(force=True)
    before = weights_of(model.layers[0])
    ours(model)
    assert same_weights(weights_of(model.layers[0]), before)


@BOTH
def test_T27_compiling_makes_the_change_count_and_there_is_no_warning(package: Any) -> None:
    model = dense_model(package)
    ours(model)
    first = model.layers[0]
    first.trainable = False
    model.compile(model.optimizer, "mse")
    before = weights_of(first)
    ours(model)
    assert same_weights(weights_of(first), before)


def test_T27_what_is_frozen_before_the_first_step_is_frozen_in_Keras_3() -> None:
    model = dense_model(keras)
    model.layers[0].trainable = False
    before = weights_of(model.layers[0])
    ours(model)
    assert same_weights(weights_of(model.layers[0]), before)


@BOTH
def test_T27_there_is_one_warning_which_names_the_layers(package: Any) -> None:
    model = dense_model(package)
    ours(model)
    model.layers[0].trainable = False
    (warning,) = catch(lambda: run(model, make_batches(3), None, 3))
    assert warning.category is TrainableWarning
    assert "first" in str(warning.message)
    assert "last" not in str(warning.message)
    assert "compile()" in str(warning.message)
    assert catch(lambda: ours(model)) == []
    model.layers[1].trainable = False
    assert len(catch(lambda: ours(model))) == 1


@BOTH
def test_T27_a_callback_that_freezes_without_compiling_is_told_of(package: Any) -> None:
    model = dense_model(package)

    def thaw(epoch: int, logs: Any = None) -> None:
        model.layers[0].trainable = epoch != 1

    callback = package.callbacks.LambdaCallback(on_epoch_begin=thaw)
    with pytest.warns(TrainableWarning):
        history = run(model, make_batches(3), None, 3, [callback]).history
    assert history == run(dense_model(package), make_batches(3), None, 3).history


def test_T27_a_step_that_freezes_layers_itself_is_no_change() -> None:
    class Adversarial(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            self.layers[0].trainable = False
            logs = super().train_step(data)
            self.layers[0].trainable = True
            self.layers[1].trainable = True
            return logs

    model = Adversarial([keras.Input((3,)), *map(keras.layers.Dense, (4, 2, 1))])
    model.compile("sgd", "mse")
    model.layers[1].trainable = False
    before = weights_of(model)
    ours(model)
    assert same_weights(weights_of(model)[:4], before[:4])
    before = weights_of(model)
    run(model, forever(make_batches(3, rows=5) + make_batches(3)), 6)
    assert same_weights(weights_of(model)[:4], before[:4])
    assert not same_weights(weights_of(model)[4:], before[4:])


def test_T27_predictions_and_evaluations_do_not_warn() -> None:
    model = dense_model(keras)
    for call in ("test", "predict"):
        RUNS[call][0](model)
    model.layers[0].trainable = False
    for call in ("test", "predict"):
        RUNS[call][0](model)
