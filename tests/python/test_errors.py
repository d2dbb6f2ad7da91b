"""Bad input and failing code: a clear error, in the caller's words, and a model as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import fitgenerator
import keras
import numpy as np
import pytest
from fitgenerator import (
    BatchError,
    batch_sequence,
    evaluate_generator,
    last_history,
    predict_generator,
)
from fitgenerator.r.reticulate.results import failure_of
from toys import (
    HookLog,
    Indexed,
    Seen,
    Watched,
    at_batch_begin,
    echo_model,
    linear_model,
    make_batches,
    numbered,
    numbered_batch,
    run,
    same_weights,
    shown,
    weights_of,
)

X, Y = make_batches(1)[0]
W = np.ones(4)


# -- malformed batches --------------------------------------------------------------------------

MALFORMED: dict[str, Any] = {
    "bare matrix": X,
    "one element": [X],
    "four elements": [X, Y, W, W],
    "None": None,
    "no inputs": (None, Y),
    "rows": (X, Y[:1]),
    "empty": (X[:0], Y[:0]),
    "number": (X, 1.0),
    "objects": (X, np.array([{}] * 4)),
}


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_E2_E3_E4_a_malformed_batch_is_refused_at_its_step(
    raw: Any, number: int, queue: int
) -> None:
    model, seen = linear_model(), Seen()
    before = weights_of(model)
    batches = [*make_batches(number - 1), raw, (X, Y)]
    with pytest.raises(BatchError) as caught:
        run(model, iter(batches), 5, callbacks=[seen], max_queue_size=queue)
    assert f"While batch {number} of `generator` was made." in shown(caught.value)
    assert len(shown(caught.value)) < 2000
    assert len(seen.train) == number - 1
    assert same_weights(weights_of(model), before) is (number == 1)


def test_E2_a_batch_that_the_model_cannot_take_leaves_its_weights() -> None:
    model = linear_model()
    before = weights_of(model)
    with pytest.raises(ValueError, match="shape"):
        run(model, iter([(np.ones((4, 7)), Y)]), 1)
    assert same_weights(weights_of(model), before)
    run(model, iter([(X, Y)]), 1)


def test_E2_malformed_batches_are_named_in_validation_evaluate_and_predict() -> None:
    def bad() -> Iterator[Any]:
        return iter([X, X])

    calls: list[tuple[Callable[[], Any], str]] = [
        (
            lambda: run(linear_model(), [(X, Y)], validation_data=bad(), validation_steps=1),
            "batch 1 of `validation_data`",
        ),
        (lambda: evaluate_generator(linear_model(), bad(), 1), "batch 1 of `generator`"),
        (lambda: predict_generator(linear_model(), iter([()]), 1), "batch 1 of `generator`"),
    ]
    for call, words in calls:
        with pytest.raises(BatchError) as caught:
            call()
        assert words in shown(caught.value)


# -- the user's own errors ----------------------------------------------------------------------


class MineError(Exception):
    """Raised by the tests' own generators and callbacks."""


def failing_at(number: int, error: BaseException) -> Watched:
    def hook(pull: int) -> None:
        if pull == number:
            raise error

    return Watched(numbered(), hook)


ERRORS = [MineError("text"), KeyError("k"), KeyboardInterrupt(), SystemExit(3), RuntimeError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_E1_the_same_object_arrives_with_the_number_of_its_batch(
    error: BaseException, queue: int
) -> None:
    error = type(error)(*error.args)
    source, seen = failing_at(4, error), Seen()
    with pytest.raises(type(error)) as caught:
        run(echo_model(), source, 3, 3, [seen], max_queue_size=queue)
    assert caught.value is error
    assert "While batch 4 of `generator` was made." in shown(error)
    assert seen.train == [1, 2, 3]  # delivered when training reached that batch
    assert source.pulls == 4  # and the generator not called again
    history = last_history()
    assert history is not None
    assert history.epoch == [0]


def test_E1_an_error_of_the_validation_data(queue: int) -> None:
    error, seen = MineError("text"), Seen()
    options = {"validation_steps": 2, "max_queue_size": queue}
    with pytest.raises(MineError) as caught:
        run(echo_model(), numbered(), 2, 3, [seen], failing_at(4, error), **options)
    assert caught.value is error
    assert "While batch 4 of `validation_data` was made." in shown(error)
    assert (seen.train, seen.test) == ([1, 2, 3, 4], [1, 2, 3])


def test_E1_an_error_in_evaluate_and_predict(queue: int) -> None:
    for function in (evaluate_generator, predict_generator):
        error = MineError("text")
        with pytest.raises(MineError) as caught:
            function(echo_model(), failing_at(2, error), 3, queue)
        assert caught.value is error
        assert "batch 2 of `generator`" in shown(error)


def test_E1_an_error_of_an_indexed_source_with_several_workers() -> None:
    error = MineError("text")

    class Failing(Indexed):
        def __getitem__(self, index: int) -> Any:
            if index == 5:
                raise error
            return super().__getitem__(index)

    source, seen = Failing([numbered_batch(k) for k in range(100)]), Seen()
    with pytest.raises(MineError) as caught:
        run(echo_model(), source, callbacks=[seen], workers=3)
    assert caught.value is error
    assert "While batch 6 of `generator` was made." in shown(error)
    assert seen.train == [0, 1, 2, 3, 4]
    assert max(source.order) < 20


def test_StopIteration_from_an_indexed_source_is_an_error_not_an_end(queue: int) -> None:
    class Failing(Indexed):
        def __getitem__(self, index: int) -> Any:
            return next(iter(()))

    with pytest.raises(RuntimeError, match=r"__getitem__\(0\) raised StopIteration"):
        run(echo_model(), Failing([numbered_batch(1)]), max_queue_size=queue, workers=3)


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end", "of a sequence", "__iter__"])
def test_StopIteration_from_a_hook_of_the_source_is_no_end_either(hook: str) -> None:
    def stop(*args: Any) -> Any:
        return next(iter(()))

    class Stopping:
        __iter__ = stop

    source: Any = Indexed([numbered_batch(1)])
    if hook == "of a sequence":
        source = batch_sequence(numbered_batch, 1, on_epoch_end=stop)
    elif hook == "__iter__":
        source = Stopping()
    else:
        setattr(source, hook, stop)
    name = "on_epoch_end" if hook == "of a sequence" else hook
    with pytest.raises(RuntimeError, match=rf"{name}\(\) raised StopIteration"):
        run(echo_model(), source, None, 3)


class OwnNotesError(Exception):
    """Has something else by the name of notes."""

    __notes__ = ("mine",)

    def add_note(self, number: int, text: str) -> None:
        """Not what Python calls so."""


def test_E2_an_error_that_takes_no_notes_comes_as_it_is(queue: int) -> None:
    error = OwnNotesError()

    def fail(number: int) -> None:
        raise error

    for arguments in ({"callbacks": [at_batch_begin(fail)]}, {}):
        source = numbered() if arguments else Watched(numbered(), fail)
        with pytest.raises(OwnNotesError) as caught:
            run(echo_model(), source, 2, max_queue_size=queue, **arguments)
        assert caught.value is error


def test_E2_an_error_whose_text_cannot_be_had_stops_a_call_as_any(queue: int) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise KeyError

    def mute(targets: Any, outputs: Any) -> Any:
        raise MuteError

    model = linear_model(1)
    model.compile("sgd", mute)
    with pytest.raises(MuteError):
        run(model, numbered(), 2, max_queue_size=queue)
    assert failure_of(MuteError())["text"] == ""


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_epoch_end"])
def test_an_error_in_a_hook_of_the_source(hook: str, queue: int) -> None:
    error = MineError(hook)

    def fail() -> None:
        raise error

    source = Indexed([numbered_batch(1)])
    setattr(source, hook, fail)
    with pytest.raises(MineError) as caught:
        run(echo_model(), source, None, 2, max_queue_size=queue)
    assert caught.value is error


def test_an_error_in_iter_of_a_source(queue: int) -> None:
    error = MineError("iter")

    class Failing:
        def __iter__(self) -> Any:
            raise error

    with pytest.raises(MineError) as caught:
        run(echo_model(), Failing(), max_queue_size=queue)
    assert caught.value is error


HOOKS = ["on_train_begin", "on_epoch_begin", "on_train_batch_begin", "on_train_batch_end"]
MORE = ["on_test_begin", "on_test_batch_end", "on_test_end", "on_epoch_end", "on_train_end"]


@pytest.mark.parametrize("hook", [*HOOKS, *MORE])
def test_S1_an_error_of_a_callback_names_callback_and_hook(hook: str) -> None:
    class Failing(keras.callbacks.Callback):
        pass

    error, log = MineError("text"), HookLog()

    def fail(self: Any, *_: Any) -> None:
        raise error

    setattr(Failing, hook, fail)
    options = {"validation_data": [numbered_batch(1)], "callbacks": [Failing(), log]}
    with pytest.raises(MineError) as caught:
        run(echo_model(), numbered(), 2, **options)
    assert caught.value is error
    assert shown(error) == f"text\nRaised by the callback Failing in {hook}()."
    assert "on_train_end" not in [entry[0] for entry in log.log]


def test_a_run_that_stops_before_is_not_failed_by_a_later_error() -> None:
    failed = threading.Event()

    def hook(number: int) -> None:
        if number == 4:
            failed.set()
            raise MineError("too late")

    model = echo_model()

    def stop(batch: int) -> None:
        assert failed.wait(10)
        model.stop_training = batch == 1

    history = run(model, Watched(numbered(), hook), 9, callbacks=[at_batch_begin(stop)])
    assert history.history["loss"] == [1.5]


def test_E1_model_and_generator_can_be_used_after_an_error(queue: int) -> None:
    model, source = echo_model(), failing_at(2, MineError("once"))
    with pytest.raises(MineError):
        run(model, source, 3, max_queue_size=queue)
    assert run(model, source, 2, max_queue_size=queue).history["loss"] == [2.5]


def test_a_generator_that_raises_StopIteration_inside_is_an_error_not_an_end() -> None:
    def broken() -> Iterator[Any]:
        yield numbered_batch(1)
        next(iter(()))

    with pytest.raises(RuntimeError, match="raised StopIteration"):
        run(echo_model(), broken(), 3)


# -- the classes --------------------------------------------------------------------------------


def test_every_error_derives_from_what_python_has() -> None:
    bases = {
        "ArgumentError": ValueError,
        "ArgumentTypeError": TypeError,
        "BatchError": ValueError,
        "EndedError": ValueError,
        "GeneratorTimeoutError": TimeoutError,
        "SetupError": ImportError,
        "EndedEarlyWarning": UserWarning,
        "AbandonedThreadWarning": UserWarning,
    }
    assert all(issubclass(getattr(fitgenerator, name), base) for name, base in bases.items())
