"""`fit_generator` is `fit`: the same history on the same batches, and exactly these batches."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import fitgenerator
import keras
import numpy as np
import pytest
from fitgenerator import evaluate_generator, fit_generator, last_history, predict_generator
from fitgenerator.steps.chosen import steps_of
from support.tiny_trainings import (
    QUEUES,
    Indexed,
    Watched,
    close_history,
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
    for function, own in ((evaluate_generator, ["return_dict"]), (predict_generator, [])):
        wanted = [*names, "timeout", "jit_compile", *own]
        assert list(inspect.signature(function).parameters) == wanted


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
        assert steps_of(model).traces == 1


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
    single = []
    for x, y in batches:
        model.reset_metrics()  # old versions go on with those of the batch before
        single.append(model.test_on_batch(x, y))
    rows = [r for r, _ in shapes]
    expected = float(np.average(single, weights=rows))
    options = {"max_queue_size": queue}
    history = run(
        model, iter(batches), 6, validation_data=iter(batches), validation_steps=6, **options
    )
    assert history.history["loss"] == pytest.approx([expected])
    assert history.history["val_loss"] == pytest.approx([expected])
    assert evaluate_generator(model, iter(batches), 6, **options) == pytest.approx(expected)
    predicted = predict_generator(model, iter(batches), 6, **options)
    alone = np.concatenate([model(x) for x, _ in batches])
    assert predicted == pytest.approx(alone, abs=1e-6)
    assert steps_of(model).traces <= 6  # two lengths seen: a third needs no trace


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


def test_a_history_prints_what_was_trained_and_what_came_of_it() -> None:
    model, metrics = linear_model(metrics=["mae"]), ["loss: ", "mae: ", "val_loss: ", "val_mae: "]
    history = run(model, forever(make_batches(2)), 2, 3, None, make_batches(2))
    first, *lines, verdict = str(history).splitlines()
    assert first == "Trained epochs 1 to 3 of 3 with 2 steps each."
    assert [line[: len(name)] for line, name in zip(lines, metrics, strict=True)] == metrics
    assert verdict == history.pipeline.verdict
    assert str(run(model, forever(make_batches(1)), 2, 0)) == "No epoch of 0 was finished."
    with pytest.warns(UserWarning, match="gave nothing|ended"):
        early = fit_generator(model, iter(make_batches(3)), 2, 2, 0)
    assert str(early).startswith("Trained epoch 1 of 2 with 2 steps each. The training is i")


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


class OwnLogs(keras.Model):  # type: ignore[misc, name-defined]
    """Steps that return logs of their own, some of them below one name."""

    def call(self, inputs: Any) -> Any:
        return inputs

    def train_step(self, data: Any) -> Any:
        one = keras.ops.ones(())
        return {"zeta": one, "alpha": one, "loss": one, "Beta": one, "m": {"q": one, "b": one}}

    def test_step(self, data: Any) -> Any:
        return {"zeta": keras.ops.ones(()), "alpha": keras.ops.ones(())}


@pytest.mark.parametrize("eager", [False, True])
def test_T11_the_logs_of_a_step_of_the_models_own_are_in_keras_order(eager: bool) -> None:
    batches = [next(numbered()) for _ in range(4)]

    def keys_of(fit: Callable[[Any, Any], Any]) -> list[list[str]]:
        seen: list[list[str]] = []
        model = OwnLogs()
        model.compile("sgd", run_eagerly=eager)
        note = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: seen.append(list(logs)),
            on_train_batch_end=lambda batch, logs: seen.append(list(logs)),
        )
        names = list(fit(model, note).history)
        return [*seen, names]

    def keras_fit(model: Any, note: Any) -> Any:
        data = Indexed(batches)
        return model.fit(data, callbacks=[note], validation_data=Indexed(batches), verbose=0)

    def our_fit(model: Any, note: Any) -> Any:
        data = Indexed(batches)
        return run(model, data, None, 1, [note], validation_data=Indexed(batches))

    assert keys_of(our_fit) == keys_of(keras_fit)
