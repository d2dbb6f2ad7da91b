"""Arguments that cannot be used are refused before the first pull, in the caller's words."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import ArgumentError, ArgumentTypeError, evaluate_generator, predict_generator
from support.tiny_trainings import Watched, echo_model, linear_model, make_batches, numbered, run

X, Y = make_batches(1)[0]
W = np.ones(4)
WRONG_STEPS = [0.5, 0, -1, None, float("nan"), float("inf"), "3", True, np.ones(2)]


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


WRONG |= {
    "verbose of NumPy": (
        {"verbose": np.ones(2)},
        ValueError,
        "`verbose` must be 0, 1 or 2, not an arr",
    ),
    "jit_compile array": (
        {"jit_compile": np.ones(2)},
        ValueError,
        "`jit_compile` .*, not an array",
    ),
    "epochs of 5000 digits": ({"epochs": 10**5000}, ValueError, "`epochs` must be .*, not an int"),
    "a long text": (
        {"verbose": "x" * 5000},
        ValueError,
        r"`verbose` must be .*, not 'x+ \.\.\.\.$",
    ),
    "no validation_freq": (
        {"validation_freq": []},
        ValueError,
        "or several, not a list of length 0",
    ),
    "class twice": ({"class_weight": {0: 1, "0": 2}}, ValueError, "names class 0 twice"),
    "class of 400 digits": ({"class_weight": {10**400: 1}}, ValueError, "`class_weight` must map"),
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
        with pytest.raises(
            ArgumentTypeError, match=r"must be a keras\.Model, or a tf_keras\.Model, not"
        ):
            run(thing, numbered(), 1)


def test_several_replicas_are_refused_before_the_first_pull() -> None:
    source = Watched(numbered())
    model = linear_model()
    model._distribute_strategy = Two()
    with pytest.raises(ArgumentError, match=r"2 replicas under a Two; .*MirroredStrategy"):
        run(model, source, 1)
    assert source.pulls == 0


class Two:
    """As much of a strategy as is looked at; a real one needs two devices."""

    num_replicas_in_sync = 2


WRONG_ARRAYS: dict[str, tuple[Any, str]] = {
    "one": ([X], "must be .*, not a list of length 1"),
    "four": ([X, Y, W, W], "must be .*, not a list of length 4"),
    "rows": ((X, Y[:3]), "same number of rows .*not 4 in inputs .*, 3 in targets"),
    "empty": ((X[:0], Y[:0]), "is empty: .* 0 rows"),
    "numbers": ((X, 3), "targets must be an array .*, not the number 3;"),
}


@pytest.mark.parametrize(("data", "words"), WRONG_ARRAYS.values(), ids=WRONG_ARRAYS)
def test_D2_wrong_fixed_validation_data_is_refused_before_epoch_1(data: Any, words: str) -> None:
    source = Watched(make_batches(2))
    with pytest.raises(ArgumentError, match=f"^`validation_data`.*{words}"):
        run(linear_model(), source, 2, validation_data=data)
    assert source.pulls == 0


def test_a_timeout_may_be_a_number_of_NumPys_and_very_long() -> None:
    for timeout in (np.float32(30), np.int64(30), float("inf"), 10**400):
        run(echo_model(), numbered(), 1, timeout=timeout)
