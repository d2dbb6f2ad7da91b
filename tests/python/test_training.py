"""`fit_generator` is `fit`: the same history on the same batches, and exactly these batches."""

from __future__ import annotations

import gc
import inspect
import weakref
from contextlib import suppress
from typing import Any

import fitgenerator
import keras
import numpy as np
import pytest
import tensorflow as tf
from fitgenerator import evaluate_generator, fit_generator, last_history, predict_generator
from fitgenerator.step import Steps
from toys import (
    QUEUES,
    HookLog,
    Indexed,
    Seen,
    Watched,
    close_history,
    echo_model,
    forever,
    keras_history,
    linear_model,
    make_batches,
    numbered,
    rich_model,
    run,
    same_history,
    same_weights,
    weights_of,
)

# -- the contract's face ------------------------------------------------------------------------


def test_the_first_eleven_arguments_are_those_of_2017() -> None:
    names = list(inspect.signature(fit_generator).parameters)
    assert names == [
        *("model", "generator", "steps_per_epoch", "epochs", "verbose", "callbacks"),
        *("validation_data", "validation_steps", "class_weight", "max_queue_size"),
        *("initial_epoch", "workers", "validation_freq", "timeout", "jit_compile"),
    ]


def test_evaluate_and_predict_take_the_same_arguments() -> None:
    names = ["model", "generator", "steps", "max_queue_size", "workers", "callbacks", "verbose"]
    for function in (evaluate_generator, predict_generator):
        assert list(inspect.signature(function).parameters) == [*names, "timeout", "jit_compile"]


def test_all_names_exist() -> None:
    assert fitgenerator.__all__ == sorted(fitgenerator.__all__)
    assert all(hasattr(fitgenerator, name) for name in fitgenerator.__all__)


# -- the same history as fit --------------------------------------------------------------------


def test_S3_history_is_that_of_fit() -> None:
    batches, unseen = make_batches(6), make_batches(2, seed=5)
    theirs = keras_history(
        rich_model(), forever(batches), steps_per_epoch=3, epochs=2, validation_data=Indexed(unseen)
    )
    for size in QUEUES:
        model = rich_model()
        ours = run(model, forever(batches), 3, 2, None, Indexed(unseen), max_queue_size=size)
        assert same_history(ours, theirs)
        assert ours.epoch == [0, 1]
        assert not ours.incomplete
        assert model.history is ours is last_history()


def test_weights_and_optimizer_end_as_after_fit() -> None:
    batches = make_batches(4)
    theirs, ours = rich_model(), rich_model()
    keras_history(theirs, Indexed(batches), epochs=2)
    run(ours, Indexed(batches), epochs=2)
    assert same_weights(weights_of(ours), weights_of(theirs))
    assert all(
        np.array_equal(a, b)
        for a, b in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True)
    )


def test_averaged_weights_are_put_in_place_at_the_end_as_in_fit() -> None:
    def averaging() -> Any:
        return linear_model(optimizer=keras.optimizers.SGD(0.05, use_ema=True))

    theirs, ours = averaging(), averaging()
    keras_history(theirs, Indexed(make_batches(3)), epochs=2)
    run(ours, make_batches(3), epochs=2)
    assert same_weights(weights_of(ours), weights_of(theirs))


def two_by_two(names: bool) -> Any:
    """Two inputs and two outputs, losses and metrics by name or by position."""
    keras.utils.set_random_seed(3)
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    both = keras.layers.Concatenate()([a, b])
    p = keras.layers.Dense(1, name="p")(both)
    q = keras.layers.Dense(2, name="q")(both)
    if names:
        model = keras.Model({"a": a, "b": b}, {"p": p, "q": q})
        model.compile("sgd", {"p": "mse", "q": "mae"}, metrics={"p": ["mae"], "q": ["mse"]})
    else:
        model = keras.Model([a, b], [p, q])
        model.compile("sgd", ["mse", "mae"], metrics=[["mae"], ["mse"]])
    return model


def two_by_two_batches(names: bool, weights: bool = False) -> list[Any]:
    random = np.random.default_rng(1)
    batches = []
    for _ in range(4):
        a, b = random.normal(size=(4, 2)), random.normal(size=(4, 3))
        p, q = random.normal(size=(4, 1)), random.normal(size=(4, 2))
        u, v = random.uniform(size=4), random.uniform(size=4)
        batch: tuple[Any, ...]
        if names:
            batch = {"b": b, "a": a}, {"q": q, "p": p}, {"q": v, "p": u}
        else:
            batch = (a, b), (p, q), (u, v)
        batches.append(batch if weights else batch[:2])
    return batches


@pytest.mark.parametrize("weights", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("names", [False, True], ids=["position", "name"])
def test_G7_several_inputs_and_outputs(names: bool, weights: bool) -> None:
    batches = two_by_two_batches(names, weights)
    theirs = keras_history(two_by_two(names), forever(batches), steps_per_epoch=4)
    assert same_history(run(two_by_two(names), forever(batches), 4), theirs)
    assert len(theirs) == 5


def test_G7_lists_serve_as_well_as_tuples() -> None:
    batches = two_by_two_batches(False, True)
    lists = [[list(part) for part in batch] for batch in batches]
    theirs = run(two_by_two(False), iter(batches), 4).history
    assert run(two_by_two(False), iter(lists), 4).history == theirs


def test_G8_names_are_literal() -> None:
    batches = two_by_two_batches(True)
    reordered = [({k: x[k] for k in "ab"}, {k: y[k] for k in "pq"}) for x, y in batches]
    first = run(two_by_two(True), iter(batches), 4).history
    assert run(two_by_two(True), iter(reordered), 4).history == first


def test_W4_sample_weights_in_every_shape() -> None:
    batches = make_batches(3)
    weights = [np.arange(1.0, 5.0) * k for k in (1, 2, 3)]
    flat = [(*b, w) for b, w in zip(batches, weights, strict=True)]
    column = [(*b, w[:, None]) for b, w in zip(batches, weights, strict=True)]
    theirs = keras_history(linear_model(), forever(flat), steps_per_epoch=3)
    assert same_history(run(linear_model(), iter(flat), 3), theirs)
    assert same_history(run(linear_model(), iter(column), 3), theirs)


def test_None_as_weights_is_no_weights() -> None:
    batches = make_batches(3)
    theirs = keras_history(linear_model(), forever(batches), steps_per_epoch=3)
    assert same_history(run(linear_model(), iter([(*b, None) for b in batches]), 3), theirs)


def test_None_for_one_output_of_two_weights_the_other() -> None:
    full = two_by_two_batches(False, True)
    ones = [(x, y, (np.ones(4), w[1])) for x, y, w in full]
    none = [(x, y, (None, w[1])) for x, y, w in full]
    expected = run(two_by_two(False), iter(ones), 4).history
    assert close_history(run(two_by_two(False), iter(none), 4).history, expected)


def test_batches_with_and_without_weights_alternate() -> None:
    x, y = make_batches(1)[0]
    model = linear_model(optimizer=keras.optimizers.SGD(0.0))
    history = run(model, iter([(x, y), (x, y, np.full(4, 2.0)), (x, y)]), 1, 3).history["loss"]
    assert history[1] == pytest.approx(2 * history[0])
    assert history[2] == history[0]


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
    (function,) = Steps.of(model)._traced.values()
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


class Unbuilt(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, x: Any) -> Any:
        return self.dense(x)


def test_a_model_that_is_not_built_trains_on_its_first_batch_too(queue: int) -> None:
    batches = make_batches(5)
    keras.utils.set_random_seed(2)
    model = Unbuilt()
    model.compile("sgd", "mse")
    theirs = keras_history(model, Indexed(batches[:4]))
    keras.utils.set_random_seed(2)
    model = Unbuilt()
    model.compile("sgd", "mse")
    source = Watched(batches)
    assert same_history(run(model, source, 4, max_queue_size=queue), theirs)
    assert source.pulls == 4


def test_a_model_that_is_not_built_draws_nothing_for_no_epoch() -> None:
    model = Unbuilt()
    model.compile("sgd", "mse")
    source = Watched(make_batches(1))
    assert run(model, source, 1, 1, initial_epoch=1).history == {}
    assert source.pulls == 0


def test_smaller_last_batch() -> None:
    batches = make_batches(3, last_rows=1)
    theirs = keras_history(rich_model(), Indexed(batches), epochs=2)
    for size in QUEUES:
        model = rich_model()
        assert same_history(run(model, Indexed(batches), epochs=2, max_queue_size=size), theirs)
        assert Steps.of(model).traces == 1


def test_float64_batches_are_treated_as_fit_treats_them() -> None:
    batches = [tuple(part.astype("float64") for part in b) for b in make_batches(4)]
    theirs = keras_history(rich_model(), forever(batches), steps_per_epoch=4)
    assert same_history(run(rich_model(), iter(batches), 4), theirs)


def sequence_model() -> Any:
    keras.utils.set_random_seed(5)
    inputs = keras.Input((None, 2))
    outputs = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling1D()(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def test_G9_lengths_change_from_batch_to_batch(queue: int) -> None:
    random = np.random.default_rng(2)
    shapes = list(zip((2, 2, 3, 2, 1, 5), (4, 4, 7, 7, 9, 4), strict=True))
    batches = [(random.normal(size=(r, n, 2)), random.normal(size=(r, 1))) for r, n in shapes]
    model = sequence_model()
    single = [model.test_on_batch(x, y) for x, y in batches]
    rows = [r for r, _ in shapes]
    expected = float(np.average(single, weights=rows))
    options = {"max_queue_size": queue}
    history = run(
        model, iter(batches), 6, validation_data=iter(batches), validation_steps=6, **options
    )
    assert history.history["loss"] == pytest.approx([expected])
    assert history.history["val_loss"] == pytest.approx([expected])
    assert evaluate_generator(model, iter(batches), 6, **options)["loss"] == pytest.approx(expected)
    predicted = predict_generator(model, iter(batches), 6, **options)
    alone = np.concatenate([model(x) for x, _ in batches])
    assert predicted == pytest.approx(alone, abs=1e-6)
    assert Steps.of(model).traces <= 6  # two lengths seen: a third needs no trace


# -- exactly these batches ----------------------------------------------------------------------


def test_C1_pulls_exactly_steps_times_epochs_and_goes_on_with_the_next_batch(queue: int) -> None:
    model, seen, source = echo_model(), Seen(), Watched(numbered())
    run(model, source, 3, 2, callbacks=[seen], max_queue_size=queue)
    assert seen.train == [1, 2, 3, 4, 5, 6]
    assert source.pulls == 6
    assert evaluate_generator(model, source, 2, queue)["loss"] == pytest.approx(7.5)
    assert predict_generator(model, source, 2, queue)[:, 0].tolist() == [9, 9, 10, 10]
    assert run(model, source, 1, max_queue_size=queue).history["loss"] == [11]
    assert source.pulls == 11


def test_C4_whole_steps_of_any_type_are_taken() -> None:
    source = Watched(numbered())
    run(echo_model(), source, 2.0, np.int64(2))
    assert source.pulls == 4


def test_C4_steps_that_are_missing_are_the_length() -> None:
    source = Indexed(make_batches(3))
    history = run(linear_model(), source)
    assert source.order == [0, 1, 2]
    assert history.params["steps"] == 3


def test_C5_initial_epoch_numbers_epochs_on(queue: int) -> None:
    log, source = HookLog(), Watched(numbered())
    history = run(echo_model(), source, 3, 5, [log], initial_epoch=2, max_queue_size=queue)
    assert [e[1] for e in log.log if e[0] == "on_epoch_begin"] == [2, 3, 4]
    assert [e[1] for e in log.log if e[0] == "on_train_batch_begin"] == [0, 1, 2] * 3
    assert history.epoch == [2, 3, 4]
    assert source.pulls == 9


@pytest.mark.parametrize(("epochs", "initial"), [(2, 2), (1, 4), (0, 0)])
def test_C5_no_epoch_to_train_pulls_nothing(epochs: int, initial: int) -> None:
    log, source = HookLog(), Watched(numbered())
    history = run(echo_model(), source, 3, epochs, [log], initial_epoch=initial)
    assert history.history == {}
    assert not history.incomplete
    assert source.pulls == 0
    assert [e[0] for e in log.log] == ["on_train_begin", "on_train_end"]


def test_C6_same_seed_same_history_whatever_the_queue() -> None:
    def drawn(random: np.random.Generator) -> Any:
        while True:
            x = random.normal(size=(4, 3))
            yield x, x[:, :1]

    def once(size: int) -> dict[str, list[float]]:
        data, unseen = (drawn(np.random.default_rng(s)) for s in (1, 2))
        options = {"validation_steps": 2, "max_queue_size": size}
        return run(linear_model(), data, 4, 2, None, unseen, **options).history

    assert once(0) == once(1) == once(3) == once(10)


# -- compiled steps -----------------------------------------------------------------------------


def test_a_second_fit_traces_nothing_again() -> None:
    model, batches = rich_model(), make_batches(3)
    run(model, batches, validation_data=batches)
    steps = Steps.of(model)
    assert steps.traces == 2
    run(model, batches, validation_data=batches)
    evaluate_generator(model, batches)
    assert Steps.of(model) is steps
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
    fitgenerator.history._last = None
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


# -- where the time went, and what the user sees ------------------------------------------------


def test_pipeline_counts_batches_and_steps() -> None:
    history = run(linear_model(), make_batches(3), epochs=2, validation_data=make_batches(2))
    pipeline = history.pipeline
    assert (pipeline.batches, pipeline.steps) == (10, 10)
    assert pipeline.wall >= pipeline.step > 0


def test_S6_silent_when_not_verbose(capfd: pytest.CaptureFixture[str]) -> None:
    run(linear_model(), make_batches(3), epochs=2, validation_data=make_batches(2))
    assert capfd.readouterr() == ("", "")


def test_verbose_2_prints_a_line_per_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    run(linear_model(), make_batches(3), epochs=2, verbose=2, validation_data=make_batches(2))
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" - ")[0] for line in lines] == ["Epoch 1/2", "Epoch 2/2"]
    assert all("loss: " in line and "val_loss: " in line for line in lines)


def test_last_history_has_the_finished_epochs_after_an_error() -> None:
    def failing() -> Any:
        yield from make_batches(5)
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        run(linear_model(), failing(), 2, 3)
    history = last_history()
    assert history is not None
    assert history.epoch == [0, 1]
    assert len(history.history["loss"]) == 2
    assert history.incomplete
