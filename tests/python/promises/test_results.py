"""Results of evaluation, and the order of metrics: the loss first, then the metrics as compiled.

`history` and the logs of callbacks keep the order of the `fit` of this Keras.
"""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from fitgenerator import evaluate_generator, fit_generator
from fitgenerator.models import result_order
from fitgenerator.reporting.progress import Progress
from fitgenerator.steps import single_batch
from keras.src.utils import python_utils
from support.tiny_trainings import HookLog

BOTH = pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras3", "keras2"])
X, Y = np.linspace(0, 1, 24).reshape(12, 2), np.arange(12.0).reshape(12, 1) % 2
BATCHES = [(X[:6], Y[:6]), (X[6:], Y[6:])]
QUIET: dict[str, Any] = {"verbose": 0}


def model_of(package: Any, metrics: Any = ("mse", "accuracy", "mae")) -> Any:
    layers = package.layers
    model = package.Sequential([layers.Input((2,)), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=list(metrics))
    return model


def forked_model(package: Any) -> Any:
    """Two outputs, whose names and metrics are in no alphabetical order."""
    layers = package.layers
    inputs = layers.Input((2,))
    outputs = [layers.Dense(1, name="z")(inputs), layers.Dense(1, name="b")(inputs)]
    model = package.Model(inputs, outputs)
    metrics = {"z": ["mse", "mae"], "b": ["mape", "cosine_similarity"]}
    weighted = {"z": ["mse"]}
    model.compile("sgd", {"z": "mse", "b": "mae"}, metrics=metrics, weighted_metrics=weighted)
    return model


FORKED = [(x, [y, y]) for x, y in BATCHES]
IN_ORDER = ["loss", "z_loss", "b_loss", "z_mse", "z_mae", "z_weighted_mse"]
IN_ORDER += ["b_mape", "b_cosine_similarity"]


def names_in(line: str) -> list[str]:
    """The names of the metrics in a printed line, in order."""
    return re.findall(r"(\w+): -?\d", line)


@BOTH
def test_T9_evaluation_gives_what_keras_gives(package: Any) -> None:
    model = model_of(package)
    scores = evaluate_generator(model, BATCHES)
    assert isinstance(scores, list)
    assert scores == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
    named = evaluate_generator(model, BATCHES, return_dict=True)
    assert list(named) == ["loss", "mse", "accuracy", "mae"]
    assert list(named.values()) == scores
    assert named == pytest.approx(model.evaluate(X, Y, return_dict=True, verbose=0), rel=1e-5)


@BOTH
def test_T9_a_loss_alone_is_a_number(package: Any) -> None:
    model = model_of(package, ())
    loss = evaluate_generator(model, BATCHES)
    assert isinstance(loss, float)
    assert loss == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
    assert evaluate_generator(model, BATCHES, return_dict=True) == {"loss": loss}


@BOTH
def test_T9_what_ported_programs_do_with_the_result(package: Any) -> None:
    model = model_of(package, ["accuracy"])
    loss, accuracy = evaluate_generator(model, BATCHES)
    named = evaluate_generator(model, BATCHES, return_dict=True)
    assert (loss, accuracy) == (named["loss"], named["accuracy"])
    zipped = dict(zip(model.metrics_names, evaluate_generator(model, BATCHES), strict=True))
    assert zipped["loss"] == loss


@BOTH
def test_T9_several_outputs_have_one_order_in_both_versions(package: Any) -> None:
    model = forked_model(package)
    named = evaluate_generator(model, FORKED, return_dict=True)
    assert list(named) == IN_ORDER
    assert evaluate_generator(model, FORKED) == list(named.values())
    assert named == pytest.approx(model.evaluate(X, [Y, Y], return_dict=True, verbose=0), rel=1e-5)


class OwnStep:
    """Steps of its own, whose results have names that no metric has."""

    def train_step(self, data: Any) -> Any:
        inputs, targets = data
        total = tf.reduce_sum(tf.cast(targets, "float32"))
        return {"z": tf.reduce_sum(tf.cast(inputs, "float32")), "loss": total, "a": total + 1.0}

    def test_step(self, data: Any) -> Any:
        return self.train_step(data)


class OwnMetrics:
    """A list of metrics of its own, of which the loss is not the first."""

    @property
    def metrics(self) -> Any:
        return [self.late, self.early]

    def test_step(self, data: Any) -> Any:
        self.early.update_state(tf.reduce_sum(tf.cast(data[0], "float32")))
        self.late.update_state(tf.reduce_sum(tf.cast(data[1], "float32")))
        return {metric.name: metric.result() for metric in self.metrics}


def own_model(package: Any, kind: type) -> Any:
    """A subclassed model of either Keras with the methods of `kind`."""
    model = type("Own", (kind, package.Sequential), {})([package.layers.Dense(1)])
    if kind is OwnMetrics:
        model.early = package.metrics.Mean(name="early")
        model.late = package.metrics.Mean(name="late")
    model.build((None, 2))
    model.compile("sgd", "mse")
    return model


@BOTH
@pytest.mark.parametrize("kind", [OwnStep, OwnMetrics])
def test_T9_own_steps_and_metrics_come_as_keras_lists_them(package: Any, kind: type) -> None:
    model = own_model(package, kind)
    batch = (X.astype("float32"), Y.astype("float32"))
    expected = model.evaluate(*batch, batch_size=12, verbose=0)
    assert evaluate_generator(model, [batch]) == pytest.approx(expected)


class Two(keras.metrics.Metric):  # type: ignore[misc]
    """A metric of two values."""

    def update_state(self, *given: Any, **named: Any) -> None:
        pass

    def result(self) -> Any:
        return {"a": keras.ops.convert_to_tensor(1.0), "z": keras.ops.convert_to_tensor(2.0)}


def model_with_two(package: Any) -> Any:
    return model_of(package, ["mae", keras.metrics.MeanSquaredError(name="b"), Two(name="m")])


@pytest.mark.parametrize("make", [model_of, forked_model, model_with_two])
def test_T9_metrics_that_Keras_sorts_by_name_come_as_compiled(make: Any, monkeypatch: Any) -> None:
    """Keras before 3.14 sorts what `get_metrics_result` returns."""
    model, batches = make(keras), FORKED if make is forked_model else BATCHES
    expected = list(evaluate_generator(model, batches, return_dict=True))
    monkeypatch.setattr(result_order, "_SORTS", True)
    by_name = python_utils.pythonify_logs(model.get_metrics_result())
    assert list(by_name) != expected
    assert result_order.as_listed(model, by_name, by_name) == expected
    assert result_order.loss_first(model, by_name) == expected


@BOTH
@pytest.mark.parametrize("make", [model_of, forked_model])
def test_T9_history_and_logs_keep_the_order_of_fit(package: Any, make: Any) -> None:
    batches, targets = (FORKED, [Y, Y]) if make is forked_model else (BATCHES, Y)
    theirs, ours = make(package), make(package)
    expected = theirs.fit(X, targets, validation_data=(X, targets), **QUIET).history
    log = HookLog() if package is keras else None
    history = fit_generator(
        ours, batches, validation_data=batches, callbacks=[log] if log else None, **QUIET
    )
    assert list(history.history) == list(expected)
    if log:
        ends = [entry for entry in log.log if entry[0] == "on_epoch_end"]
        assert ends == [("on_epoch_end", 0, *expected)]


@BOTH
def test_T9_own_steps_keep_their_history(package: Any) -> None:
    ours, theirs = own_model(package, OwnStep), own_model(package, OwnStep)
    expected = theirs.fit(X, Y, batch_size=12, validation_data=(X, Y), **QUIET).history
    history = fit_generator(ours, [(X, Y)], validation_data=[(X, Y)], **QUIET)
    assert list(history.history) == list(expected)


@BOTH
@pytest.mark.parametrize("verbose", [1, 2])
def test_T9_printed_lines_begin_with_the_loss(package: Any, verbose: int, capsys: Any) -> None:
    model = forked_model(package)
    fit_generator(model, FORKED, verbose=verbose, validation_data=FORKED)
    line = capsys.readouterr().out.strip().splitlines()[-1]
    assert names_in(line) == [*IN_ORDER, *(f"val_{name}" for name in IN_ORDER)]
    evaluate_generator(model, FORKED, verbose=verbose)
    assert names_in(capsys.readouterr().out) == IN_ORDER


@BOTH
def test_T9_bars_begin_with_the_loss(package: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[list[str]] = []
    monkeypatch.setattr(Progress, "step", lambda *args: shown.append(list(args[-1]())))
    model = forked_model(package)
    fit_generator(model, FORKED, validation_data=FORKED, **QUIET)
    evaluate_generator(model, FORKED)
    assert shown
    assert all(names == IN_ORDER for names in shown)


@BOTH
def test_T9_a_plot_begins_with_the_loss(package: Any) -> None:
    pytest.importorskip("matplotlib").use("agg")
    history = fit_generator(model_of(package), BATCHES, epochs=2, validation_data=BATCHES, **QUIET)
    titles = [axes.get_ylabel() or axes.get_title(loc="left") for axes in history.plot()]
    assert titles == ["loss", "mse", "accuracy", "mae"]


@BOTH
@pytest.mark.parametrize("mode", ["train", "test"])
def test_T9_one_batch_gives_the_loss_first(package: Any, mode: str) -> None:
    assert list(single_batch.run(mode, forked_model(package), [X, [Y, Y]])) == IN_ORDER
    own = single_batch.run(mode, own_model(package, OwnStep), [X, Y])
    assert next(iter(own)) == "loss"
