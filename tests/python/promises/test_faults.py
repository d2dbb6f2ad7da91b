"""Every fault of the table: the right error arrives, and nothing is lost or left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from fitgenerator import (
    BatchError,
    EndedEarlyWarning,
    EndedError,
    GeneratorTimeoutError,
    evaluate_generator,
    last_history,
    predict_generator,
)
from fitgenerator.prefetch.prefetcher import Prefetcher
from support.fault_table import (
    BATCHES,
    ENDINGS,
    FAILURES,
    PLACES,
    STATES,
    UNUSUAL,
    Fault,
    Faulty,
    combinations,
    finished,
    fit,
    has_weights,
    limited_model,
    reset,
)
from support.platforms import open_files
from support.tiny_trainings import PATIENCE, close_history, linear_model, notes_of


@pytest.fixture
def nothing_left() -> Any:
    """The next call works, and no file is open that was not before."""
    reset()
    before = open_files()
    yield
    assert open_files() <= before
    assert fit({}, "queue of 1").history.keys() == {"loss", "val_loss"}
    assert finished() == (6, True)


@pytest.mark.parametrize(("place", "at", "how", "state"), combinations())
@pytest.mark.usefixtures("nothing_left")
def test_each_fault_arrives_and_nothing_is_lost(place: str, at: int, how: str, state: str) -> None:
    fault = Fault(FAILURES[how], at)
    options = PLACES[place].options(fault)
    steps, epochs = PLACES[place].times[at]
    if how in ENDINGS and place in ("iterator", "validation"):
        ends_early(options, state, place, at)
        # What was to be evaluated on two batches can be on one.
        steps = 6 if (place, at) == ("validation", 2) else steps
    else:
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            fit(options, state)
        arrived = caught.value
        if place == "generator" and how == "StopIteration":  # Python itself makes another of it
            assert isinstance(arrived, RuntimeError)
            arrived = arrived.__cause__
        assert arrived is fault.raised
        assert PLACES[place].noted.format(at) in notes_of(caught.value)
        history = last_history()
        assert history is not None
        assert history.epoch == list(range(epochs))
    assert finished() == (steps, True)
    assert not getattr(options.get("generator"), "called_again", False)


def ends_early(options: dict[str, Any], state: str, place: str, at: int) -> None:
    """A source that ends is not an error, unless it gave nothing at all."""
    if at == 1 or (place == "validation" and at == 3):
        with pytest.raises(EndedError):
            fit(options, state)
        return
    with pytest.warns(EndedEarlyWarning):
        fit(options, state)


STEP_FAILS = [(at, state) for at in (1, 2, 3, 4) for state in STATES]


@pytest.mark.parametrize(("at", "state"), STEP_FAILS)
@pytest.mark.usefixtures("nothing_left")
def test_a_step_that_fails_leaves_the_weights_of_the_one_before(at: int, state: str) -> None:
    batches = list(BATCHES)
    batches[at - 1] = (np.full((4, 3), 1000.0), batches[at - 1][1])
    model = limited_model()
    with pytest.raises(tf.errors.InvalidArgumentError):
        fit({"generator": iter(batches)}, state, model)
    # TensorFlow may have counted the step: that does not depend on what failed.
    assert has_weights(model, at - 1)
    fit({}, state, model)
    assert finished(model) == (6, True)


@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.usefixtures("nothing_left")
def test_a_model_that_cannot_be_traced_loses_nothing(how: str) -> None:
    fault = Fault(FAILURES[how], 1)

    def loss(targets: Any, outputs: Any) -> Any:
        fault()
        return keras.losses.mean_squared_error(targets, outputs)

    model = linear_model()
    model.compile(keras.optimizers.SGD(0.05), loss)
    with pytest.raises(BaseException) as caught:  # noqa: PT011
        fit({}, "queue of 1", model)
    # TensorFlow traces inside a generator, where Python makes another error of a StopIteration.
    assert fault.raised in (caught.value, caught.value.__cause__)
    assert finished(model) == (0, True)
    fit({}, "queue of 1", model)
    assert finished(model) == (6, True)


class FaultyOutput:
    """Output that cannot be written."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def write(self, text: str) -> None:
        self._fault()

    def flush(self) -> None:
        """Nothing is kept."""


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("at", "steps"), [(1, 3), (2, 6)])
@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.usefixtures("nothing_left")
def test_output_that_fails(
    how: str, at: int, steps: int, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault(FAILURES[how], at)
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", FaultyOutput(fault))
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            fit({}, state, verbose=2)
    assert caught.value is fault.raised
    assert finished() == (steps, True)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "raw", ["text", (BATCHES[0][0],), (BATCHES[0][0], BATCHES[0][1][:1]), None]
)
@pytest.mark.usefixtures("nothing_left")
def test_a_malformed_batch(raw: Any, at: int, state: str) -> None:
    batches = list(BATCHES)
    batches[at - 1] = raw
    with pytest.raises(BatchError) as caught:
        fit({"generator": iter(batches)}, state)
    assert f"While batch {at} of `generator` was made." in notes_of(caught.value)
    assert finished() == (at - 1, True)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.usefixtures("nothing_left")
def test_a_generator_that_blocks(at: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    release, shut = threading.Event(), Prefetcher.shut

    def let_go(prefetcher: Prefetcher) -> None:
        shut(prefetcher)
        release.set()

    monkeypatch.setattr(Prefetcher, "shut", let_go)  # so that the feeder can end
    source = Faulty(BATCHES, Fault(lambda: release.wait(PATIENCE), at))
    with pytest.raises(GeneratorTimeoutError, match=f"gave no batch {at} within") as caught:
        fit({"generator": source}, state, timeout=0.1)
    assert "release.wait(PATIENCE)" in str(caught.value)
    assert finished() == (at - 1, True)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.usefixtures("nothing_left")
def test_a_generator_that_closes_itself(state: str) -> None:
    def closing() -> Iterator[Any]:
        yield BATCHES[0]
        generator.close()

    generator = closing()
    with pytest.raises(ValueError, match="generator already executing"):
        fit({"generator": generator}, state)
    assert finished() == (1, True)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("how", FAILURES)
@pytest.mark.parametrize("call", [evaluate_generator, predict_generator])
@pytest.mark.parametrize("at", [1, 3])
@pytest.mark.usefixtures("nothing_left")
def test_faults_in_evaluate_and_predict(at: int, call: Any, how: str, state: str) -> None:
    fault = Fault(FAILURES[how], at)
    source = Faulty(BATCHES, fault)
    if how in ENDINGS:
        with pytest.raises(EndedError) if at == 1 else pytest.warns(EndedEarlyWarning):
            call(reset(), source, 4, STATES[state])
    else:
        with pytest.raises(BaseException) as caught:  # noqa: PT011
            call(reset(), source, 4, STATES[state])
        assert caught.value is fault.raised
        assert f"While batch {at} of `generator` was made." in notes_of(caught.value)
    assert not source.called_again
    assert finished() == (0, True)


@pytest.mark.parametrize("how", UNUSUAL)
@pytest.mark.parametrize(("place", "at"), [(p, max(PLACES[p].times)) for p in PLACES])
@pytest.mark.usefixtures("nothing_left")
def test_what_does_no_harm_changes_nothing(place: str, at: int, how: str) -> None:
    expected = fit({}, "queue of 1").history
    history = fit(PLACES[place].options(Fault(UNUSUAL[how], at)), "empty queue").history
    assert close_history(history, expected)
    assert finished() == (6, True)
