"""Errors say in fields, beside their texts, what is to blame and where it happened."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fitgenerator as fg
import keras
import numpy as np
import pytest
import tensorflow as tf
from fitgenerator.errors import ErrorContext, context_of, locate
from fitgenerator.host.outcome import Value
from fitgenerator.images import ImageDataGenerator
from fitgenerator.messages import Message, said_in
from fitgenerator.r.reticulate.results import failure_of, in_r, told
from support.pictures import flat, mean_model, photos, write_classes
from support.r_code import RRuntimeError, closure, r
from support.tiny_trainings import (
    Watched,
    echo_model,
    linear_model,
    notes_of,
    numbered,
    numbered_batch,
    run,
)


class MineError(Exception):
    """Raised by the tests' own generators, callbacks, losses and functions."""


def failing_at(number: int) -> Any:
    """A generator whose batch `number` fails."""

    def hook(pull: int) -> None:
        if pull == number:
            raise MineError

    return Watched(numbered(), hook)


def caught(call: Callable[[], object]) -> BaseException:
    """What a call raises."""
    with pytest.raises(Exception) as error:  # noqa: PT011 - any; its fields are looked at
        call()
    return error.value


def made(batch: int, place: str = "generator", **more: Any) -> ErrorContext:
    """The context of a batch that could not be made."""
    return ErrorContext(place, batch, "made", **more)


# -- where --------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["fit", "evaluate", "predict"])
def test_of_a_generator_that_fails(call: str, queue: int) -> None:
    calls: dict[str, Callable[..., Any]] = {
        "fit": fg.fit_generator,
        "evaluate": fg.evaluate_generator,
        "predict": fg.predict_generator,
    }
    source = failing_at(2)
    error = caught(lambda: calls[call](echo_model(), source, 3, max_queue_size=queue, verbose=0))
    assert context_of(error) == made(2)


def test_of_validation_data_that_fails(queue: int) -> None:
    unseen = {"validation_data": failing_at(4), "validation_steps": 2, "max_queue_size": queue}
    error = caught(lambda: run(echo_model(), numbered(), 2, 3, **unseen))
    assert context_of(error) == made(4, "validation_data")


def test_of_what_is_no_batch(queue: int) -> None:
    batches = [numbered_batch(1), numbered_batch(2)[:1]]
    error = caught(lambda: run(echo_model(), iter(batches), 2, max_queue_size=queue))
    assert isinstance(error, fg.BatchError)
    assert context_of(error) == made(2)


def test_of_a_source_that_gives_nothing() -> None:
    error = caught(lambda: fg.evaluate_generator(echo_model(), iter([]), 2))
    assert isinstance(error, fg.EndedError)
    assert context_of(error) == ErrorContext("generator")


def test_of_a_generator_that_is_too_slow(queue: int) -> None:
    import time

    def wait(pull: int) -> None:
        time.sleep(0.5 * (pull == 2))

    source = Watched(numbered(), wait)
    error = caught(lambda: run(echo_model(), source, 3, max_queue_size=queue, timeout=0.1))
    assert isinstance(error, fg.GeneratorTimeoutError)
    assert context_of(error) == made(2)


HOOKS = ["on_train_begin", "on_epoch_begin", "on_train_batch_end", "on_test_begin", "on_train_end"]


@pytest.mark.parametrize("hook", HOOKS)
def test_of_a_callback(hook: str) -> None:
    class Failing(keras.callbacks.Callback):
        pass

    def fail(self: Any, *_: Any) -> None:
        raise MineError

    setattr(Failing, hook, fail)
    options = {"validation_data": [numbered_batch(1)], "callbacks": [Failing()]}
    error = caught(lambda: run(echo_model(), numbered(), 2, **options))
    assert context_of(error) == ErrorContext(callback="Failing", hook=hook)


@pytest.mark.parametrize("stage", ["trained on", "evaluated", "predicted"])
def test_of_the_model(stage: Any, queue: int) -> None:
    class Failing(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            raise MineError

    model = keras.Sequential([Failing()])
    model.compile("sgd", "mse")
    calls: dict[str, Callable[..., Any]] = {
        "trained on": fg.fit_generator,
        "evaluated": fg.evaluate_generator,
        "predicted": fg.predict_generator,
    }
    call = calls[stage]
    error = caught(lambda: call(model, numbered(), 2, max_queue_size=queue, verbose=0))
    assert context_of(error) == ErrorContext("generator", 1, stage)


def test_of_a_loss_on_validation_data() -> None:
    def failing(targets: Any, outputs: Any) -> Any:
        if targets.shape[-1] == 2:
            raise MineError
        return keras.losses.mean_squared_error(targets, outputs)

    model = linear_model()
    model.compile("sgd", failing)
    good, bad = (np.ones((4, 3)), np.ones((4, 1))), (np.ones((4, 3)), np.ones((4, 2)))
    error = caught(lambda: run(model, [good], validation_data=[good, bad]))
    assert context_of(error) == ErrorContext("validation_data", 2, "evaluated")


def test_of_a_call_that_runs_several_batches() -> None:
    class Asserting(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            tf.debugging.assert_less(x, 1000.0)
            return x

    model = keras.Sequential([keras.Input((1,)), Asserting(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=4)
    batches = [numbered_batch(9000 if number == 8 else number) for number in range(1, 9)]
    error = caught(lambda: run(model, iter(batches), 8))
    assert isinstance(error, tf.errors.InvalidArgumentError)
    context = context_of(error)
    first, last = context.batch if isinstance(context.batch, tuple) else [context.batch] * 2
    assert (context.place, context.stage, last) == ("generator", "trained on", 8)
    assert first in range(1, 9)
    note = ErrorContext("generator", (5, 8), "trained on").note()
    assert note == "While batches 5 to 8 of `generator` were trained on."


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_of_an_image_flow(workers: int, tmp_path: Path) -> None:
    def failing(image: Any) -> Any:
        if image[0, 0, 0] == 5:
            raise MineError
        return image

    generator = ImageDataGenerator(preprocessing_function=failing)
    write_classes(tmp_path, a=8)
    options: dict[str, Any] = {"batch_size": 2, "shuffle": False}
    files = generator.flow_from_directory(tmp_path, (8, 8), class_mode="sparse", **options)
    path = str(tmp_path / "a" / "005.png")
    error = caught(lambda: run(mean_model(), files, workers=workers))
    assert context_of(error) == made(3, image=path)
    assert context_of(caught(lambda: files[2])) == ErrorContext(image=path)
    arrays = generator.flow(np.stack([flat(grey) for grey in range(8)]), **options)
    error = caught(lambda: fg.predict_generator(mean_model(), arrays, workers=workers))
    assert context_of(error) == made(3, image=6)
    (tmp_path / "a" / "001.png").write_bytes(b"")
    error = caught(lambda: run(mean_model(), files, workers=workers))
    assert isinstance(error, fg.ImageError)
    assert context_of(error) == made(1, image=str(tmp_path / "a" / "001.png"))
    assert "was processed" not in notes_of(error)


@pytest.mark.parametrize("place", ["generator", "validation_data"])
def test_of_an_r_function(place: str, queue: int) -> None:
    draw = closure("n <- 0; function() if ((n <<- n + 1) == 3) stop('no') else list(c(1, 2), 1:2)")
    sources = {"generator": [numbered_batch(1)] * 2, "validation_data": None, place: draw}
    unseen = {"validation_data": sources["validation_data"], "validation_steps": 5}
    options = unseen if place == "validation_data" else {}
    steps = 5 if place == "generator" else 2
    model, source = linear_model(1), sources["generator"]
    error = caught(lambda: run(model, source, steps, max_queue_size=queue, **options))
    assert isinstance(error, RRuntimeError)
    assert context_of(error) == made(3, place)


@pytest.mark.usefixtures("quietly")
@pytest.mark.parametrize("workers", [0, 2])
def test_of_an_r_function_of_images(workers: int) -> None:
    generator = ImageDataGenerator(preprocessing_function=r("function(x) stop('no')"))
    flow = generator.flow(photos(4), np.zeros(4), batch_size=2, shuffle=False)
    error = caught(lambda: run(mean_model(), flow, workers=workers, max_queue_size=1))
    assert isinstance(error, RRuntimeError)
    assert context_of(error) == made(1, image=1)
    wrong = ImageDataGenerator(preprocessing_function=r("function(x) 1"))
    flow = wrong.flow(photos(4), np.zeros(4), batch_size=2, shuffle=False)
    error = caught(lambda: run(mean_model(), flow, workers=workers, max_queue_size=1))
    assert isinstance(error, fg.ArgumentError)
    assert (error.argument, context_of(error)) == ("preprocessing_function", made(1, image=1))


def test_of_inputs_that_lost_a_dimension() -> None:
    model = linear_model()
    rows = caught(lambda: run(model, iter([(np.ones(3), np.ones((1, 1)))]), 1))
    assert context_of(rows) == made(1, vector_inputs=True)
    shape = caught(lambda: run(model, iter([(np.ones(3), np.ones((3, 1)))]), 1))
    assert context_of(shape) == ErrorContext("generator", 1, "trained on", vector_inputs=True)
    other = caught(lambda: run(model, iter([(np.ones((3, 7)), np.ones((3, 1)))]), 1))
    assert not context_of(other).vector_inputs


# -- whose --------------------------------------------------------------------------------------


def test_an_error_that_comes_through_two_calls_has_the_place_in_the_outer_one() -> None:
    """Its notes tell of both."""

    def outer() -> Iterator[Any]:
        yield numbered_batch(1)
        fg.evaluate_generator(linear_model(1), failing_at(3), 5)

    error = caught(lambda: run(echo_model(), outer(), 5))
    assert context_of(error) == made(2)
    assert notes_of(error).count("While batch") == 2


class ClosedAgainstAllError(Exception):
    """Takes neither attributes nor notes."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("__"):
            raise AttributeError(name)
        super().__setattr__(name, value)

    def add_note(self, note: str) -> None:
        """Refuse it."""
        raise TypeError


def test_E2_an_error_that_takes_no_fields_comes_as_it_is() -> None:
    def fail(number: int) -> None:
        raise ClosedAgainstAllError

    error = caught(lambda: run(echo_model(), Watched(numbered(), fail), 2))
    assert isinstance(error, ClosedAgainstAllError)
    assert context_of(error) == ErrorContext()


@pytest.mark.parametrize(
    "error",
    [
        fg.ArgumentError.of("shuffle", "must be {True}, not {value!r}.", value=print),
        fg.ArgumentTypeError("`{a}` {", argument="a"),
        fg.BatchError("No."),
        fg.EndedError.at_once("generator", "train on"),
        fg.GeneratorTimeoutError.at("line 1", "Late."),
        fg.ImageError("No."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_ours_is_what_it_was_after_a_pickle_or_a_copy(error: Any) -> None:
    locate(error, made(3))
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(other), str(other)) == (type(error), str(error))
        assert (other.__dict__, context_of(other)) == (error.__dict__, made(3))


ARGUMENTS: dict[str, Callable[[], object]] = {
    "verbose": lambda: run(echo_model(), numbered(), 1, verbose=7),
    "generator": lambda: run(echo_model(), {}, 1),
    "validation_data": lambda: run(echo_model(), numbered(), 1, validation_data=[np.ones(2)]),
    "x": lambda: fg.flow_from_data("text"),
    "y": lambda: fg.flow_from_data(np.ones((2, 1)), {"a": "text"}),
    "inputs": lambda: fg.flow_from_frame({"a": np.ones(2)}, "b"),
    "path": lambda: fg.Checkpoint("gs://bucket/a.npz"),
    "fill_mode": lambda: ImageDataGenerator(fill_mode="mirror"),
}


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_an_argument_that_is_to_blame_is_named(argument: str) -> None:
    error = caught(ARGUMENTS[argument])
    assert isinstance(error, (fg.ArgumentError, fg.ArgumentTypeError))
    assert (error.argument, failure_of(error)["argument"]) == (argument, argument)


def test_of_several_arguments_none_is_named() -> None:
    error = caught(lambda: fg.flow_from_data(np.ones((2, 1)), np.ones(3)))
    assert isinstance(error, fg.ArgumentError)
    assert error.argument is None


# -- how each language says it ------------------------------------------------------------------


def test_a_message_is_said_in_the_words_of_each_language() -> None:
    template = "`{name}` must be {True} or one of {names!l}, not {value!r}; row {row!i}."
    values: dict[str, Any] = {"name": "a", "names": (None, "b"), "row": 0}
    message = Message(template, value=2.0, **values)
    assert message == "`a` must be True or one of None, 'b', not 2.0; row 0."
    assert in_r(message) == '`a` must be TRUE or one of NULL, "b", not 2; row 1.'
    for value, ours, theirs in [
        (None, "None", "NULL"),
        (np.bool_(True), "True", "TRUE"),
        (np.float32(0.5), "0.5", "0.5"),
        ([1, 2], *["a list of length 2 (the number 1, the number 2)"] * 2),
        ("x" * 99, f"'{'x' * 55} ...", f'"{"x" * 55} ...'),
        (10**5000, *["an int"] * 2),
    ]:
        message = Message("{value!r}", value=value)
        assert (message, in_r(message)) == (ours, theirs)


def test_braces_in_values_and_in_plain_texts_are_left_alone() -> None:
    message = Message("{outer} {value!r}", outer=Message("{it}", it="{True}"), value="{None}")
    assert message == "{True} '{None}'"
    assert in_r(message) == '{True} "{None}"'
    assert str(fg.ArgumentError.of("x", "has a column {y}.")) == "`x` has a column {y}."
    assert in_r(fg.ArgumentError("{x}")) == in_r("{x}") == "{x}"


def test_what_fails_is_told_to_r_in_fields_and_in_its_words() -> None:
    error = fg.ArgumentError.of("a", "must be {None}, not {value!r}.", value=True)
    locate(error, ErrorContext(image="a.png"))
    locate(error, made(3))
    assert failure_of(error) == {
        **{"kind": "argument", "type": "ArgumentError", "argument": "a"},
        **{"text": "`a` must be NULL, not TRUE.", "notes": error.__notes__},
        **{"place": "generator", "batch": 3, "stage": "made", "image": "a.png"},
        **{"callback": None, "hook": None, "vector_inputs": False, "number": 0, "cell": None},
        **{"condition": None},
    }
    assert said_in.__doc__ is not None
    shuffled = [(Message("{True}"), fg.ShuffledWarning)]
    assert told(Value(None), shuffled)["warnings"] == [["TRUE", "ShuffledWarning"]]


def test_an_argument_of_a_users_error_is_not_taken_for_ours() -> None:
    error = MineError()
    error.argument = "theirs"  # type: ignore[attr-defined]
    assert failure_of(error)["argument"] is None
