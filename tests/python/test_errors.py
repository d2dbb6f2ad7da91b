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
    ArgumentError,
    ArgumentTypeError,
    BatchError,
    EndedEarlyWarning,
    EndedError,
    evaluate_generator,
    last_history,
    predict_generator,
)
from toys import (
    HookLog,
    Indexed,
    Reiterable,
    Seen,
    Watched,
    at_batch_begin,
    catch,
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

# -- arguments ----------------------------------------------------------------------------------

WRONG_STEPS = [2.5, 0, -1, None, float("nan"), float("inf"), "3", True, np.ones(2)]


@pytest.mark.parametrize("steps", WRONG_STEPS, ids=repr)
def test_C4_wrong_steps_are_refused_before_the_first_pull(steps: Any) -> None:
    source = Watched(numbered())
    with pytest.raises(ArgumentError, match=r"^`steps_per_epoch` must be"):
        run(echo_model(), source, steps)
    for function in (evaluate_generator, predict_generator):
        with pytest.raises(ArgumentError, match=r"^`steps` must be"):
            function(echo_model(), source, steps)
    assert source.pulls == 0


@pytest.mark.parametrize("steps", WRONG_STEPS, ids=repr)
def test_D2_wrong_validation_steps_are_refused_before_the_first_pull(steps: Any) -> None:
    source = Watched(numbered())
    with pytest.raises(ArgumentError, match=r"^`validation_steps` must be"):
        run(echo_model(), source, 1, validation_data=source, validation_steps=steps)
    assert source.pulls == 0


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "epochs 1.5": ({"epochs": 1.5}, ValueError, r"`epochs` must be .* at least 0, not 1\.5"),
    "epochs None": ({"epochs": None}, ValueError, "`epochs` must be .*, not None"),
    "initial_epoch": ({"initial_epoch": -1}, ValueError, "`initial_epoch` must be .*, not -1"),
    "max_queue_size": ({"max_queue_size": 1.5}, ValueError, r"`max_queue_size` .*, not 1\.5"),
    "workers": ({"workers": -2}, ValueError, "`workers` must be .* at least 0, not -2"),
    "validation_freq": ({"validation_freq": 0}, ValueError, "`validation_freq` must be .*, not 0"),
    "timeout": ({"timeout": 0}, ValueError, "`timeout` must be a number of seconds above 0"),
    "jit_compile": ({"jit_compile": "yes"}, ValueError, "`jit_compile` must be .*, not 'yes'"),
    "verbose": ({"verbose": 7}, ValueError, "`verbose` must be 0, 1 or 2, not 7"),
    "callbacks": ({"callbacks": [print]}, TypeError, "`callbacks` must hold .*Callback"),
    "class_weight list": ({"class_weight": [1, 2]}, TypeError, "`class_weight` must map classes"),
    "class_weight names": ({"class_weight": {"cat": 1}}, ValueError, "'cat': 1 does not"),
    "class_weight value": ({"class_weight": {0: -1}}, ValueError, "class 0 must be at least 0"),
    "class_weight class": ({"class_weight": {0.5: 1}}, ValueError, "`class_weight` must"),
}


@pytest.mark.parametrize(("options", "kind", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_argument_is_named_before_the_first_pull(
    options: dict[str, Any], kind: type[Exception], words: str
) -> None:
    source = Watched(numbered())
    with pytest.raises(kind, match=words) as caught:
        run(echo_model(), source, 1, **options)
    assert type(caught.value) in (ArgumentError, ArgumentTypeError)
    assert source.pulls == 0


def test_E4_a_model_that_is_not_compiled_is_refused_before_the_first_pull() -> None:
    model, source = (
        keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]),
        Watched(numbered()),
    )
    with pytest.raises(ArgumentError, match="must be compiled"):
        run(model, source, 1)
    with pytest.raises(ArgumentError, match="must be compiled"):
        evaluate_generator(model, source, 1)
    assert source.pulls == 0
    assert predict_generator(model, source, 1).shape == (2, 1)


def test_a_model_that_is_none_is_refused() -> None:
    for thing in ("model", None, keras.layers.Dense(1)):
        with pytest.raises(ArgumentTypeError, match=r"must be a keras\.Model, not"):
            run(thing, numbered(), 1)


def test_several_replicas_are_refused_before_the_first_pull() -> None:
    source = Watched(numbered())
    model = linear_model()
    model._distribute_strategy = Two()
    with pytest.raises(ArgumentError, match=r"made for 2 replicas \(Two\); only one"):
        run(model, source, 1)
    assert source.pulls == 0


class Two:
    """As much of a strategy as is looked at; a real one needs two devices."""

    num_replicas_in_sync = 2


# -- fixed arrays as validation data ------------------------------------------------------------

WRONG_ARRAYS: dict[str, tuple[Any, str]] = {
    "one": ([X], "must be .*, not a list of length 1"),
    "four": ([X, Y, W, W], "must be .*, not a list of length 4"),
    "rows": ((X, Y[:3]), "one number of rows .*not 3, 4"),
    "empty": ((X[:0], Y[:0]), "at least 1, not 0"),
    "numbers": ((X, 3), "must hold arrays, not the number 3"),
}


@pytest.mark.parametrize(("data", "words"), WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_D2_wrong_fixed_validation_data_is_refused_before_epoch_1(data: Any, words: str) -> None:
    source = Watched(make_batches(2))
    with pytest.raises(ArgumentError, match=f"^`validation_data` .*{words}"):
        run(linear_model(), source, 2, validation_data=data)
    assert source.pulls == 0


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
def test_E2_E3_a_malformed_batch_is_refused_at_its_step(raw: Any, number: int, queue: int) -> None:
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


# -- data that ends early -----------------------------------------------------------------------


def short(count: int) -> Iterator[Any]:
    return iter([numbered_batch(k) for k in range(1, count + 1)])


def test_C2_training_that_ends_early_warns_and_marks_the_history(queue: int) -> None:
    log = HookLog()
    with pytest.warns(EndedEarlyWarning) as caught:
        history = run(
            echo_model(),
            short(5),
            2,
            5,
            [log],
            [numbered_batch(1)],
            max_queue_size=queue,
        )
    assert [str(w.message) for w in caught] == [
        "`generator` ended early: 10 batches were wanted, 5 came (epoch 3: 1 of 2)."
    ]
    assert caught[0].filename == run.__code__.co_filename  # where fit_generator was called
    assert history.incomplete
    assert history.history == {"loss": [1.5, 3.5], "val_loss": [1, 1]}
    hooks = [entry[0] for entry in log.log]
    assert [hooks.count(f"on_epoch_{when}") for when in ("begin", "end")] == [3, 2]
    assert hooks.count("on_test_begin") == 2
    assert hooks[-1] == "on_train_end"


def test_C2_training_that_ends_at_the_border_of_an_epoch_warns_too(queue: int) -> None:
    with pytest.warns(
        EndedEarlyWarning, match=r"6 batches were wanted, 4 came \(epoch 3: 0 of 2\)"
    ):
        history = run(echo_model(), short(4), 2, 3, max_queue_size=queue)
    assert history.epoch == [0, 1]
    assert history.incomplete


def test_C2_exactly_enough_is_no_early_end(queue: int) -> None:
    assert not run(echo_model(), short(6), 2, 3, max_queue_size=queue).incomplete


def test_C2_a_pass_that_gives_nothing_ends_training_early(queue: int) -> None:
    class Once(Reiterable):
        def __iter__(self) -> Iterator[Any]:
            yield from self._batches
            self._batches = []

    with pytest.warns(EndedEarlyWarning, match="`generator` gave nothing for epoch 2 of 3"):
        history = run(echo_model(), Once([*short(2)]), None, 3, max_queue_size=queue)
    assert history.epoch == [0]


@pytest.mark.parametrize("steps", [None, 2])
def test_C2_no_batch_at_all_is_an_error(queue: int, steps: int | None) -> None:
    for source in (Reiterable([]), *([iter(())] if steps else [])):
        with pytest.raises(EndedError, match="`generator` ended before its first batch"):
            run(echo_model(), source, steps, 2, max_queue_size=queue)
        for function in (evaluate_generator, predict_generator):
            with pytest.raises(EndedError, match="`generator` ended before its first batch"):
                function(echo_model(), source, steps, queue)


def test_C2_validation_that_ends_early_gives_the_mean_of_what_came(queue: int) -> None:
    options = {"validation_steps": 3, "max_queue_size": queue}
    with pytest.warns(
        EndedEarlyWarning, match="`validation_data` ended early: 3 batches were wanted, 2 came"
    ):
        history = run(echo_model(), short(1), 1, validation_data=short(2), **options)
    assert history.history["val_loss"] == [1.5]
    assert not history.incomplete


def test_C2_validation_that_has_nothing_is_an_error(queue: int) -> None:
    options = {"validation_steps": 3, "max_queue_size": queue}
    with pytest.raises(EndedError, match="`validation_data` ended before its first batch"):
        run(echo_model(), short(1), 1, validation_data=iter(()), **options)


def test_C2_evaluate_that_ends_early_gives_the_mean_of_what_came(queue: int) -> None:
    result: dict[str, float] = {}
    caught = catch(lambda: result.update(evaluate_generator(echo_model(), short(3), 4, queue)))
    assert [w.category for w in caught] == [EndedEarlyWarning]
    assert result == {"loss": 2}


def test_C2_predict_that_ends_early_gives_the_rows_so_far(queue: int) -> None:
    rows: list[Any] = []
    caught = catch(lambda: rows.extend(predict_generator(echo_model(), short(2), 4, queue)[:, 0]))
    assert "4 batches were wanted, 2 came" in str(caught[0].message)
    assert rows == [1, 1, 2, 2]


def test_a_list_is_not_begun_again_within_a_validation() -> None:
    with pytest.warns(EndedEarlyWarning, match="3 batches were wanted, 2 came"):
        evaluate_generator(echo_model(), [*short(2)], 3)


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
