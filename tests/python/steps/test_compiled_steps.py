"""Compiled steps: the settings of `compile`, tracing, and what of a model lives on."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from typing import Any

import fitgenerator
import keras
import numpy as np
import pytest
import tensorflow as tf
from fitgenerator import evaluate_generator, predict_generator
from fitgenerator.steps.chosen import steps_of
from support.keras_floor import KERAS_3_7
from support.tiny_trainings import (
    HookLog,
    Indexed,
    Watched,
    echo_model,
    forever,
    keras_history,
    linear_model,
    make_batches,
    notes_of,
    numbered,
    rich_model,
    run,
    same_history,
    same_weights,
    shown,
    weights_of,
)


@pytest.mark.parametrize("settings", [{"run_eagerly": True}, {"jit_compile": True}])
def test_compile_settings_are_honoured(settings: dict[str, bool]) -> None:
    batches = make_batches(3, last_rows=1)
    theirs = keras_history(rich_model(**settings), Indexed(batches), epochs=2)
    assert same_history(run(rich_model(**settings), Indexed(batches), epochs=2), theirs)


def test_run_eagerly_runs_python_code_in_each_step_on_the_calling_thread() -> None:
    import threading

    ran: list[Any] = []

    class Custom(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            ran.append(threading.current_thread())
            return super().train_step(data)

    model = Custom([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    run(model, make_batches(3), epochs=2)
    assert ran == [threading.main_thread()] * 6


def test_jit_compiled_model_uses_xla_from_the_first_step() -> None:
    model = linear_model(jit_compile=True)
    run(model, make_batches(2))
    (function,) = steps_of(model)._kept["train"].traced.values()
    assert function.function._jit_compile


@pytest.mark.parametrize("length", [6, 7], ids=["full groups", "broken last group"])
def test_steps_per_execution_groups_hooks_as_fit_does(length: int) -> None:
    batches = make_batches(length)
    theirs, ours = HookLog(), HookLog()
    settings = {"steps_per_execution": 3}
    expected = keras_history(
        rich_model(**settings),
        Indexed(batches),
        epochs=2,
        validation_data=Indexed(batches),
        callbacks=[theirs],
    )
    history = run(rich_model(**settings), Indexed(batches), None, 2, [ours], Indexed(batches))
    assert same_history(history, expected)
    if not KERAS_3_7:  # which names a group by its first batch
        assert ours.log == theirs.log
    assert ("on_train_batch_begin", 3) in ours.log
    assert any(entry[:2] == ("on_train_batch_end", 2) for entry in ours.log)


def test_steps_per_execution_reports_a_group_that_the_end_of_the_data_breaks() -> None:
    log = HookLog()
    data = tf.data.Dataset.from_generator(
        lambda: iter(make_batches(4)),
        output_signature=(tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1))),
    )
    run(linear_model(steps_per_execution=3), data, callbacks=[log])
    ends = [entry[1] for entry in log.log if entry[0] == "on_train_batch_end"]
    assert ends == [2, 5]  # Keras's numbers: the last of the group, had it been full


def mixed_model() -> Any:
    keras.utils.set_random_seed(4)
    inputs = keras.Input((3,))
    hidden = keras.layers.Dense(4, dtype="mixed_float16")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(hidden))
    model.compile("adam", "mse")
    return model


def test_mixed_precision_of_a_model() -> None:
    batches = make_batches(4)
    theirs = keras_history(mixed_model(), forever(batches), steps_per_epoch=4)
    assert same_history(run(mixed_model(), iter(batches), 4), theirs)


def test_mixed_precision_that_the_caller_has_set() -> None:
    class Late(keras.Model):
        """Makes its layers when it is built, under the policy of whoever builds it."""

        def build(self, shape: Any) -> None:
            self.dense = keras.layers.Dense(1)
            self.dense.build(shape)
            self.built = True

        def call(self, x: Any) -> Any:
            return self.dense(x)

    def late() -> Any:
        keras.utils.set_random_seed(4)
        model = Late()
        model.compile("sgd", "mse")
        return model

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        batches = make_batches(4)
        theirs = keras_history(late(), forever(batches), steps_per_epoch=4)
        model = late()
        assert same_history(run(model, iter(batches), 4), theirs)
        assert model.dense.compute_dtype == "float16"
    finally:
        keras.config.set_dtype_policy(before)


def test_custom_train_step_may_return_what_it_likes() -> None:
    class Custom(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
            gradients = tape.gradient(loss, self.trainable_weights)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_weights, strict=True))
            return {"mine": loss, "twice": 2 * loss}

    def custom() -> Any:
        keras.utils.set_random_seed(2)
        model = Custom([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    batches = make_batches(4)
    theirs = keras_history(custom(), forever(batches), steps_per_epoch=2, epochs=2)
    assert list(theirs) == ["mine", "twice"]
    assert same_history(run(custom(), iter(batches), 2, 2), theirs)


def test_a_second_fit_traces_nothing_again() -> None:
    model, batches = rich_model(), make_batches(3)
    run(model, batches, validation_data=batches)
    steps = steps_of(model)
    assert steps.traces == 2
    run(model, batches, validation_data=batches)
    evaluate_generator(model, batches)
    assert steps_of(model) is steps
    assert steps.traces == 2


def test_compiling_again_takes_effect() -> None:
    model, batches = linear_model(), make_batches(2)
    run(model, batches)
    model.compile(keras.optimizers.SGD(0.0), "mae", metrics=["mse"])
    before = weights_of(model)
    assert list(run(model, batches).history) == ["loss", "mse"]
    assert same_weights(weights_of(model), before)


def test_layers_that_are_frozen_later_stay_as_they_are() -> None:
    model, batches = rich_model(), make_batches(2)
    run(model, batches)
    first = model.layers[0]
    first.trainable = False
    model.compile(model.optimizer, "mse")
    before, others = weights_of(first), weights_of(model)
    run(model, batches)
    assert same_weights(weights_of(first), before)
    assert not same_weights(weights_of(model), others)


def test_compiling_within_a_callback_takes_effect_at_the_next_epoch() -> None:
    model, frozen = linear_model(), []

    def freeze(epoch: int, logs: Any) -> None:
        if epoch == 1:
            model.compile(keras.optimizers.SGD(0.0), "mae")
            frozen.extend(weights_of(model))

    callback = keras.callbacks.LambdaCallback(on_epoch_begin=freeze)
    history = run(model, make_batches(2), None, 3, [callback]).history
    assert same_weights(weights_of(model), frozen)
    assert history["loss"][1] == history["loss"][2]


@pytest.mark.parametrize("failing", [False, True], ids=["return", "error"])
def test_a_generator_is_collected_after_the_call(failing: bool) -> None:
    def hook(number: int) -> None:
        if failing and number == 3:
            raise OSError

    source = Watched(numbered(), hook)
    gone = weakref.ref(source)
    with suppress(OSError):
        run(echo_model(), source, 3)
    assert source.pulls == 3
    del source
    gc.collect()
    assert gone() is None


def test_a_deleted_model_is_collected() -> None:
    model = linear_model()
    history = run(model, make_batches(2))
    gone = weakref.ref(model)
    history.set_model(None)
    del model, history
    keras.backend.clear_session()
    fitgenerator.reporting.history._last = None
    gc.collect()
    assert gone() is None


def test_no_batch_lives_on_after_the_call() -> None:
    x, y = make_batches(1)[0]
    tensors = [tf.constant(x), tf.constant(y)]
    gone = [weakref.ref(t) for t in tensors]
    model = linear_model()
    run(model, iter([tuple(tensors)]), 1)
    tensors.clear()
    gc.collect()
    assert [r() for r in gone] == [None, None]


def test_a_fitted_model_can_be_saved_copied_and_trained_by_keras(tmp_path: Any) -> None:
    model, batches = linear_model(), make_batches(2)
    run(model, batches)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert same_weights(weights_of(loaded), weights_of(model))
    assert keras.models.clone_model(model).count_params() == model.count_params()
    keras_history(model, Indexed(batches))


def test_a_model_of_a_one_device_strategy_trains() -> None:
    strategy = tf.distribute.OneDeviceStrategy("cpu:0")
    with strategy.scope():
        model = linear_model()
    theirs = keras_history(linear_model(), forever(make_batches(3)), steps_per_epoch=3)
    ours = run(model, iter(make_batches(3)), 3)
    assert ours.history["loss"] == pytest.approx(theirs["loss"])


# -- shapes that Keras refuses ------------------------------------------------------------------


def test_G9_a_length_that_the_model_fixes_is_refused_whatever_came_before() -> None:
    inputs = keras.Input((5, 2))
    outputs = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    good, bad = ((np.ones((4, n, 2)), np.ones((4, 1))) for n in (5, 7))
    with pytest.raises(ValueError, match=r"shape=\(None, 5, 2\)"):
        run(model, iter([good, bad]), 2)


def test_G9_targets_of_one_column_are_not_broadcast_where_Keras_refuses_them() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    x, y = np.ones((4, 3)), np.ones((4, 3)) / 3
    with pytest.raises(ValueError, match="must have the same shape"):
        run(model, iter([(x, y), (x, y[:, :1])]), 2)
    run(model, iter([(x, y)]), 1)


def test_G9_a_third_length_needs_no_trace() -> None:
    model = keras.Sequential([keras.Input((None, 2)), keras.layers.GlobalAveragePooling1D()])
    model.add(keras.layers.Dense(1))
    model.compile("sgd", "mse")
    batches = [(np.ones((4, n, 2)), np.ones((4, 1))) for n in (4, 7, 9, 1, 12, 1)]
    run(model, iter(batches), 6, max_queue_size=0)
    assert steps_of(model).traces == 3  # 4, any, and 1, which Keras could squeeze


# -- steps that fail ----------------------------------------------------------------------------


class OwnStep(keras.Model):
    """A training step that computes its loss without `compute_loss`, and refuses one of NaN."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            pairs = zip(self(x), y, strict=True)
            losses = [keras.ops.mean((a - tf.cast(b, a.dtype)) ** 2) for a, b in pairs]
            losses = [tf.debugging.check_numerics(loss, "no number") for loss in losses]
        weights = self.trainable_variables
        gradients = tape.gradient(losses, weights)
        self.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return {"loss": losses[0]}


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "summed up", "scaled"])
@pytest.mark.parametrize(
    ("kind", "bad"), [(keras.Model, np.ones(4)), (OwnStep, np.full((4, 2), np.nan))]
)
def test_E2_a_step_that_fails_changes_no_weight_of_any_output(
    kind: Any, bad: Any, optimizer: str
) -> None:
    kinds = keras.optimizers
    made = {
        "summed up": kinds.AdamW(gradient_accumulation_steps=2),
        "scaled": kinds.LossScaleOptimizer(kinds.AdamW()),
    }
    inputs = keras.Input((3,))
    outputs = [keras.layers.Dense(n)(inputs) for n in (1, 2)]
    model = kind(inputs, outputs)
    model.compile(made.get(optimizer, optimizer), ["mse", "mse"])
    x, y = np.ones((4, 3)), [np.ones((4, 1)), np.ones((4, 2))]
    run(model, iter([(x, y)]), 1)
    before = weights_of(model)
    counts = [int(v.numpy()) for v in model.optimizer.variables if "iteration" in v.path]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        run(model, iter([(x, [y[0], bad])]), 1)
    assert "While batch 1 of `generator` was trained on." in shown(caught.value)
    assert same_weights(weights_of(model), before)
    assert max(counts) == 1
    assert counts == [int(v.numpy()) for v in model.optimizer.variables if "iteration" in v.path]
    assert_untouched(model)


def assert_untouched(model: Any) -> None:
    """No method of the model's, or its optimizer's, is another one than its class's."""
    optimizer = model.optimizer
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    replaced = {"compute_loss", "apply", "apply_gradients", "_apply_weight_decay", "assign_add"}
    for thing in (model, optimizer, inner, inner._iterations):
        assert not replaced & set(vars(thing))


def test_a_loss_may_be_computed_in_a_function_within_the_step() -> None:
    class Within(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            x, y = data

            @tf.function
            def gradients_of() -> Any:
                with tf.GradientTape() as tape:
                    loss = self.compute_loss(x=x, y=y, y_pred=self(x), training=True)
                return loss, tape.gradient(loss, self.trainable_variables)

            loss, gradients = gradients_of()
            self.optimizer.apply(grads=gradients, trainable_variables=self.trainable_variables)
            return {"loss": loss}

    model = Within([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    history = run(model, numbered(), 3)
    assert np.isfinite(history.history["loss"]).all()
    assert int(model.optimizer.iterations) == 3


@pytest.mark.parametrize("mode", ["trained on", "evaluated", "predicted"])
def test_E2_an_error_of_the_model_says_at_which_batch_it_came(mode: str) -> None:
    model = linear_model()
    good, bad = (np.ones((4, 3)), np.ones((4, 1))), (np.ones((4, 7)), np.ones((4, 1)))
    calls: dict[str, Any] = {
        "trained on": lambda source: run(model, source, 3),
        "evaluated": lambda source: evaluate_generator(model, source, 3),
        "predicted": lambda source: predict_generator(model, source, 3),
    }
    with pytest.raises(ValueError, match="shape") as caught:
        calls[mode](iter([good, good, bad]))
    assert notes_of(caught.value) == f"While batch 3 of `generator` was {mode}."


def test_E2_an_error_in_building_the_model_says_so_too() -> None:
    model = keras.Sequential([keras.layers.Dense(1), keras.layers.Reshape((7,))])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="total size of the tensor must be unchanged") as caught:
        run(model, iter([(np.ones((4, 3)), np.ones((4, 1)))]), 1)
    assert "While batch 1 of `generator` was trained on." in shown(caught.value)
