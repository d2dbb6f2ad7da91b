"""Runs one batch of `batches` through the engine and says whether what came of it was right.

A batch trains as Keras trains on the plain arrays that it stands for, or is refused in words that
name its place; it changes no weight then, and the next call works.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from fitgenerator import errors, evaluate_generator, fit_generator, predict_generator

from support.array_kinds import REFUSED, UsersError
from support.generated_batches import CLASS_WEIGHT, FORMS, Case, Form
from support.tiny_trainings import notes_of

OURS = tuple(
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, UserWarning)
)
LONGEST = 2000
WORDS = {
    **{"first": "trained", "middle": "trained", "validation": "evaluated"},
    **{"evaluate": "evaluated", "predict": "predicted"},
}
LAYERS = keras.layers


def _new_model(form: Form, *, eager: bool) -> Any:
    keras.utils.set_random_seed(3)
    inputs: Any = keras.Input((3,))
    if form.name == "two inputs":
        inputs = [inputs, keras.Input((2,))]
        outputs = LAYERS.Dense(1)(LAYERS.Concatenate()(inputs))
    elif form.name == "named inputs":
        inputs = {"a": keras.Input((3,), name="a"), "b": keras.Input((2,), name="b")}
        outputs = LAYERS.Dense(1)(LAYERS.Concatenate()([inputs["a"], inputs["b"]]))
    elif form.name == "two outputs":
        outputs = [LAYERS.Dense(1, name="p")(inputs), LAYERS.Dense(2, name="q")(inputs)]
    elif form.name in ("labels", "classes"):
        inputs = keras.Input((2,), dtype="int32")
        outputs = LAYERS.Dense(3)(LAYERS.Flatten()(LAYERS.Embedding(5, 2)(inputs)))
    else:
        outputs = LAYERS.Dense(1)(inputs)
    model = keras.Model(inputs, outputs)
    loss: Any = "mse"
    if form.name in ("labels", "classes"):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if form.name == "two outputs":
        loss = ["mse", "mse"]
    model.compile(keras.optimizers.SGD(0.05), loss, run_eagerly=eager)
    return model


@contextmanager
def as_users() -> Iterator[None]:
    """Keras's warnings do not stop a batch that would be trained on wrongly."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The structure of `inputs`")
        yield


@dataclass
class Outcome:
    """What came of a case: a word for the summary, and how long the text was."""

    word: str
    length: int = 0


class Subject:
    """A model of one form, kept warm, and one that Keras runs on plain arrays."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.good = (form.inputs, form.targets)
        self.model = _new_model(form, eager=False)
        self.keras = _new_model(form, eager=True)
        self.start = self.model.get_weights()
        fit_generator(self.model, iter([self.good]), 1, verbose=0, **self.options)
        self.loss, self.stepped = self.expected("train", self.parts(self.good), self.start)

    @property
    def options(self) -> dict[str, Any]:
        """The arguments for training."""
        return {"class_weight": CLASS_WEIGHT} if self.form.classes else {}

    def parts(self, plain: Any) -> list[Any]:
        """Inputs, targets and weights of plain arrays; the weights by class are in."""
        inputs, targets, weights = [*plain, None, None][:3]
        if self.form.classes:
            classes = _classes(targets)
            given = _one(weights)
            weights = REFUSED if len(given) > 1 else _times(classes, given[0] if given else None)
        return [inputs, targets, weights]

    def expected(self, mode: str, parts: list[Any], weights: Any) -> tuple[Any, Any]:
        """What Keras makes of plain arrays: the loss or the predictions, and the weights."""
        self.keras.set_weights(weights)
        self.keras.reset_metrics()  # old versions go on with those of the batch before
        parts = [keras.tree.map_structure(_tensor, part) for part in parts]
        with as_users():
            if mode == "predict":
                result: Any = self.keras.predict_on_batch(parts[0])
            elif mode == "train":
                result = self.keras.train_on_batch(*parts, return_dict=True)["loss"]
            else:
                result = self.keras.test_on_batch(*parts, return_dict=True)["loss"]
        return result, self.keras.get_weights()

    # -- one case -------------------------------------------------------------------------------

    def try_case(self, case: Case) -> Outcome:
        """Run the case; what came of it.

        Raises:
            AssertionError: It was not right.
        """
        before = self.stepped if case.place in ("middle", "validation") else self.start
        self.model.set_weights(self.start)
        try:
            with as_users():
                result = self._run(case)
        except Exception as error:
            outcome = self._check_error(case, error)
            assert _same(self.model.get_weights(), before), "the refused batch changed weights"
            self._check_refusal(case, error, before)
        else:
            self._check_result(case, result, before)
            outcome = Outcome(WORDS[case.place])
        self._check_next()
        return outcome

    def _run(self, case: Case) -> Any:
        queue = {"max_queue_size": case.queue}
        model, raw = self.model, case.raw
        if case.place == "evaluate":
            return evaluate_generator(model, iter([raw]), 1, **queue)
        if case.place == "predict":
            return predict_generator(model, iter([raw]), 1, **queue)
        batches, options = [raw], {**self.options, **queue}
        if case.place == "middle":
            batches = [self.good, raw, self.good]
        if case.place == "validation":
            batches = [self.good]
            options |= {"validation_data": iter([raw]), "validation_steps": 1}
        history = fit_generator(model, iter(batches), len(batches), verbose=0, **options).history
        return history["val_loss" if case.place == "validation" else "loss"][0]

    def _check_next(self) -> None:
        self.model.set_weights(self.start)
        history = fit_generator(self.model, iter([self.good]), 1, verbose=0, **self.options)
        assert np.allclose(history.history["loss"], self.loss), "the next call is off"
        assert _same(self.model.get_weights(), self.stepped), "the next call is off"

    # -- what is right --------------------------------------------------------------------------

    def _check_error(self, case: Case, error: Exception) -> Outcome:
        number = 2 if case.place == "middle" else 1
        source = "validation_data" if case.place == "validation" else "generator"
        notes = notes_of(error)
        assert f"While batch {number} of `{source}` was " in notes, f"no place: {error!r} {notes}"
        text = f"{error}\n{notes}"
        if isinstance(error, OURS):
            assert len(text) < LONGEST, f"{len(text)} characters"
            assert str(error)[-1] in ".)'\"" or ": " in str(error), f"no full stop: {error}"
        elif not isinstance(error, UsersError):  # which comes out as it was raised
            assert "was made" not in notes, f"our own code failed: {error!r}"
        word = type(error).__name__
        return Outcome(word if isinstance(error, OURS) else f"Keras: {word}", len(text))

    def _check_refusal(self, case: Case, error: Exception, weights: Any) -> None:
        """What Keras trains on is not refused by us."""
        if case.plain is REFUSED or not isinstance(error, OURS):
            return
        parts = self._equivalent(case)
        if parts is REFUSED:
            return
        try:
            self.expected(_mode(case), parts, weights)
        except Exception:
            return
        raise AssertionError(f"refused, although Keras takes it: {error}")

    def _check_result(self, case: Case, result: Any, before: Any) -> None:
        parts = self._equivalent(case)
        assert parts is not REFUSED, "this must be refused"
        weights = before
        try:
            wanted, weights = self.expected(_mode(case), parts, before)
        except Exception as error:
            raise AssertionError(f"accepted, although Keras refuses it: {error}") from error
        if case.place == "middle":
            _, weights = self.expected("train", self.parts(self.good), weights)
        else:
            assert all(map(_close, keras.tree.flatten(result), keras.tree.flatten(wanted))), (
                f"{result} instead of {wanted}"
            )
        assert _same(self.model.get_weights(), weights), "other weights than Keras's"

    def _equivalent(self, case: Case) -> Any:
        """The plain parts that Keras is to be given, or `REFUSED`."""
        if case.plain is REFUSED or any(part is REFUSED for part in case.plain):
            read = case.plain[:1] if case.place == "predict" and case.plain is not REFUSED else []
            if not read or read[0] is REFUSED:
                return REFUSED
        plain = case.plain[:1] if case.place == "predict" else case.plain
        inputs = keras.tree.flatten(plain[0])
        if not inputs or any(x is None for x in inputs) or not self._takes(plain[0], len(inputs)):
            return REFUSED
        shapes = [tuple(x.shape) for x in keras.tree.flatten(plain) if x is not None]
        of_inputs = sum(x is not None for x in inputs)
        rows = {shape[0] for shape in shapes}
        if len(rows) != 1 or 0 in rows or any(0 in shape for shape in shapes[of_inputs:]):
            return REFUSED
        weighed = self.form.classes and case.place in ("first", "middle")
        parts = self.parts(plain) if weighed else [*plain, None, None][:3]
        return REFUSED if any(part is REFUSED for part in parts) else parts

    def _takes(self, inputs: Any, count: int) -> bool:
        """As many inputs as the model has; by its names, where it has names."""
        if self.form.name == "named inputs" and isinstance(inputs, Mapping):
            return set(inputs) == set(self.form.inputs)
        wanted = len(keras.tree.flatten(self.form.inputs))
        return isinstance(inputs, Mapping) or count == wanted


def _tensor(array: Any) -> Any:
    return array if array is None or tf.is_tensor(array) else tf.convert_to_tensor(array)


def _mode(case: Case) -> str:
    return {"predict": "predict", "first": "train", "middle": "train"}.get(case.place, "test")


def _one(weights: Any) -> list[Any]:
    return [w for w in keras.tree.flatten(weights) if w is not None] if weights is not None else []


def _classes(targets: Any) -> Any:
    """The weight of each row's class, or `REFUSED`."""
    flat = _one(targets)
    if len(flat) != 1 or not _is_plain(flat[0]) or flat[0].ndim > 2:
        return REFUSED
    classes = flat[0]
    if classes.ndim == 2 and classes.shape[1] > 1:
        classes = classes.argmax(axis=1)
    if classes.size != len(classes) or not np.isfinite(classes).all():
        return REFUSED
    names = [round(float(c)) for c in classes.ravel()]
    if not set(names) <= set(CLASS_WEIGHT):
        return REFUSED
    return np.array([CLASS_WEIGHT[c] for c in names], "float32")


def _is_plain(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.dtype.kind in "buif"


def _times(classes: Any, weights: Any) -> Any:
    if classes is REFUSED or weights is None:
        return classes
    if not _is_plain(weights):
        return REFUSED
    return (weights * classes.reshape(-1, *[1] * (weights.ndim - 1))).astype("float32")


def _close(left: Any, right: Any) -> bool:
    same = np.shape(left) == np.shape(right)
    return same and np.allclose(left, right, rtol=1e-4, atol=1e-5, equal_nan=True)


def _same(left: Any, right: Any) -> bool:
    return all(map(_close, left, right))


@cache
def subject(name: str) -> Subject:
    """The subject of a form, the same each time."""
    return Subject(next(form for form in FORMS if form.name == name))


def try_case(case: Case) -> Outcome:
    """Run a case on the subject of its form."""
    return subject(case.form.name).try_case(case)
