"""The end of a pass over an indexed source: its hooks (T5, T25)."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from fitgenerator import (
    GeneratorTimeoutError,
    batch_sequence,
    evaluate_generator,
    flow_from_data,
    last_history,
    predict_generator,
    timeseries_generator,
)
from fitgenerator.errors import ErrorContext
from support.both_kerases import INDEXED_KINDS as KINDS
from support.both_kerases import echo_of
from support.tiny_trainings import (
    PATIENCE,
    Indexed,
    Seen,
    at_batch_begin,
    at_epoch_end,
    catch,
    echo_model,
    notes_of,
    numbered_batch,
    run,
)

Hooks = dict[str, Any]  # `on_epoch_end` and its like, which replace those of the class


def rows(parent: Any = keras.utils.PyDataset, length: int = 3) -> Any:
    """A source of `length` batches of two rows, whose order changes in place after each pass."""

    class Rows(parent):  # type: ignore[misc]
        def __init__(self) -> None:
            if parent is not object:
                super().__init__()
            self.x = np.arange(2.0 * length, dtype="float32")[:, None]
            self.ends: list[str] = []  # the threads that told
            self.making = 0
            self.random = np.random.default_rng(5)

        def __len__(self) -> int:
            return length

        def __getitem__(self, index: int) -> Any:
            self.making += 1
            time.sleep(0.001 * (length - index))
            self.making -= 1
            return self.x[2 * index : 2 * index + 2], np.zeros((2, 1), "float32")

        def on_epoch_end(self) -> None:
            assert self.making == 0
            self.ends.append(threading.current_thread().name)
            self.random.shuffle(self.x)

    return Rows()


def ends_of(source: Any) -> int:
    return len(source.ends)


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("name", ["data", "series", "sequence"])
def test_T5_a_hook_that_is_assigned_to_a_flow_is_called(name: str, workers: int) -> None:
    x, y = np.arange(8.0, dtype="float32")[:, None], np.zeros((8, 1), "float32")
    flow: Any = {
        "data": lambda: flow_from_data(x, y, batch_size=2, seed=1),
        "series": lambda: timeseries_generator(x[:, 0], y, 1, batch_size=2),
        "sequence": lambda: batch_sequence(numbered_batch, 4, shuffle=True, seed=1),
    }[name]()
    told: list[int] = []
    flow.on_epoch_end = lambda: told.append(len(told))
    seen = Seen()
    run(echo_model(), flow, None, 3, [seen], workers=workers)
    assert told == [0, 1, 2]
    if name != "series":
        assert seen.train[:4] != seen.train[4:8]  # the order does not wait for the hook
    evaluate_generator(echo_model(), flow, workers=workers)
    assert len(told) == 4


def test_T5_a_hook_that_is_assigned_may_call_the_flows_own() -> None:
    ended: list[int] = []
    flow = batch_sequence(numbered_batch, 2, on_epoch_end=ended.append)
    own = flow.on_epoch_end
    flow.on_epoch_end = own  # type: ignore[method-assign]
    run(echo_model(), flow, None, 3)
    assert ended == [0, 1, 2]


# -- T5: the hook after the last pass -----------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=["PyDataset", "Sequence", "plain"])
@pytest.mark.parametrize("package", [keras, tf_keras], ids=["keras3", "keras2"])
def test_T5_each_pass_is_told_of_once_the_last_too(kind: Any, package: Any, queue: int) -> None:
    model, source = echo_of(package), rows(kind)
    run(model, source, epochs=3, max_queue_size=queue)
    assert ends_of(source) == 3
    run(model, source, epochs=2, max_queue_size=queue)
    assert ends_of(source) == 5


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T5_one_epoch_calls_train_on_as_many_orders_as_one_call(workers: int) -> None:
    def orders(epochs: int, calls: int) -> list[tuple[float, ...]]:
        source, model, seen = rows(), echo_model(), Seen()
        for _ in range(calls):
            run(model, source, None, epochs, [seen], workers=workers)
        return [tuple(seen.train[i : i + 3]) for i in range(0, len(seen.train), 3)]

    assert orders(1, 5) == orders(5, 1)
    assert len(set(orders(1, 5))) > 1


@pytest.mark.parametrize("call", [evaluate_generator, predict_generator])
def test_T5_evaluation_and_prediction_tell_the_source(call: Any, queue: int) -> None:
    source = rows()
    call(echo_model(), source, max_queue_size=queue)
    assert ends_of(source) == 1
    call(echo_model(), source, 3, max_queue_size=queue)
    assert ends_of(source) == 2
    call(echo_model(), source, 2, max_queue_size=queue)  # a pass that is broken off
    assert ends_of(source) == 2


def test_T5_validation_tells_the_source(queue: int) -> None:
    source = rows()
    run(echo_model(), Indexed([numbered_batch(1)]), None, 2, None, source, max_queue_size=queue)
    assert ends_of(source) == 2
    options = {"validation_steps": 2, "max_queue_size": queue}
    run(echo_model(), Indexed([numbered_batch(1)]), None, 2, None, source, **options)
    assert ends_of(source) == 2


@pytest.mark.parametrize(("steps", "epochs", "told"), [(2, 1, 0), (2, 3, 2), (4, 1, 1), (7, 2, 4)])
def test_T5_steps_per_epoch_that_cut_passes_or_span_them(
    steps: int, epochs: int, told: int, queue: int
) -> None:
    source = rows()
    run(echo_model(), source, steps, epochs, max_queue_size=queue)
    assert ends_of(source) == told


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T5_what_was_read_is_not_changed_by_the_hook(workers: int) -> None:
    """The batches are views of an array that the hook shuffles in place."""
    seen, source = Seen(), rows()
    run(echo_model(), source, None, 6, [seen], workers=workers)
    for epoch in range(6):
        assert sum(seen.train[3 * epoch : 3 * epoch + 3]) == pytest.approx(7.5)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T5_the_hook_is_called_by_the_reader(workers: int) -> None:
    source = rows()
    run(echo_model(), source, epochs=2, workers=workers)
    names = {name.rpartition("-")[0] for name in source.ends}
    assert names == ({"fitgenerator-feeder-generator"} if workers else {""})


def test_T5_the_call_waits_for_the_hook() -> None:
    source, done = rows(), []

    def slow() -> None:
        time.sleep(0.3)
        done.append(1)

    source.on_epoch_end = slow
    for call in (run, evaluate_generator, predict_generator):
        call(echo_model(), source)
    assert done == [1, 1, 1]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T5_its_error_is_the_calls(workers: int) -> None:
    failure = KeyError("mine")

    def fail() -> None:
        raise failure

    for epochs in (1, 3):
        source, seen = rows(), Seen()
        source.on_epoch_end = fail
        with pytest.raises(KeyError) as caught:
            run(echo_model(), source, None, epochs, [seen], workers=workers)
        assert caught.value is failure
        assert len(seen.train) == 3
    source = rows()
    source.on_epoch_end = fail
    with pytest.raises(KeyError):
        evaluate_generator(echo_model(), source, workers=workers)
    with pytest.raises(KeyError):
        run(echo_model(), rows(), None, 1, None, source, workers=workers)


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("epochs", [1, 2])
def test_T5_what_a_hook_raises_names_the_source_and_no_batch(workers: int, epochs: int) -> None:
    def fail(*_: Any) -> int:
        raise KeyError("mine")

    for hook, kind in (("on_epoch_end", object), ("on_epoch_begin", keras.utils.PyDataset)):
        source = rows(kind)
        setattr(source, hook, fail)
        with pytest.raises(KeyError) as caught:
            run(echo_model(), source, None, epochs, workers=workers)
        assert caught.value.fitgenerator_context == ErrorContext("generator")  # type: ignore[attr-defined]
        assert notes_of(caught.value) == "While a pass of `generator` began or ended."


@pytest.mark.usefixtures("interruptible")
def test_F1_a_hook_is_interrupted_in_lock_step() -> None:
    def slow() -> None:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not interrupted")

    for hook in ("on_epoch_begin", "on_epoch_end"):
        source = rows()
        setattr(source, hook, slow)
        with pytest.raises(KeyboardInterrupt):
            run(echo_model(), source, workers=0)


def test_T5_a_hook_that_does_not_return_exceeds_the_timeout(short_grace: float) -> None:
    source, returns = rows(), threading.Event()
    source.on_epoch_end = lambda: returns.wait(30)
    try:
        with pytest.raises(GeneratorTimeoutError, match=r"did not return from on_epoch_end\(\)"):
            catch(lambda: run(echo_model(), source, timeout=0.2))
    finally:
        returns.set()
        for thread in threading.enumerate():
            if thread.name.startswith("fitgenerator-"):
                thread.join(PATIENCE)
    assert last_history() is not None
    assert len(last_history().epoch) == 1  # type: ignore[union-attr]


class BreakOffError(Exception):
    """Raised by a callback in the midst of a pass."""


def stop_at(batch: int, how: Any) -> Any:
    model = echo_model()

    def stop(number: int) -> None:
        if number == batch:
            if how is not None:
                raise how
            model.stop_training = True

    return at_batch_begin(stop)


@pytest.mark.parametrize("how", [None, BreakOffError(), KeyboardInterrupt()])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T5_a_pass_that_is_broken_off_is_not_told_of(how: Any, workers: int) -> None:
    source = rows(length=40)
    try:
        run(echo_model(), source, None, 2, [stop_at(2, how)], workers=workers, max_queue_size=4)
    except (BreakOffError, KeyboardInterrupt):
        assert how is not None
    assert ends_of(source) == 0


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T5_a_pass_that_fails_is_not_told_of(workers: int) -> None:
    class Broken(Indexed):
        def __getitem__(self, index: int) -> Any:
            if index == 2 and "end" in self.asked:
                raise OSError("unplugged")
            return super().__getitem__(index)

    source = Broken([numbered_batch(1)] * 4)
    with pytest.raises(OSError, match="unplugged"):
        run(echo_model(), source, epochs=3, workers=workers)
    assert source.asked.count("end") == 1
    malformed = Indexed([numbered_batch(1), "no batch"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="batch"):
        run(echo_model(), malformed, workers=workers)
    assert "end" not in malformed.asked


def test_T5_an_early_stop_at_the_end_of_an_epoch_tells_of_the_passes_that_were_read() -> None:
    model, source = echo_model(), rows()

    def stop(epoch: int) -> None:
        model.stop_training = True

    run(model, source, None, 5, [at_epoch_end(stop)], max_queue_size=0)
    assert ends_of(source) == 1


@pytest.mark.parametrize("kind", [keras, tf_keras], ids=["keras3", "keras2"])
def test_T5_Keras_own_image_flows_are_told(kind: Any) -> None:
    from keras.src.legacy.preprocessing import image

    package = image if kind is keras else tf_keras.preprocessing.image
    np.random.seed(3)
    flow = package.ImageDataGenerator().flow(
        np.arange(6.0).reshape(6, 1, 1, 1), np.zeros(6), batch_size=2, seed=1
    )
    orders = []
    model = keras.Sequential(
        [keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.compile("sgd", "mae")
    for _ in range(5):
        run(model, flow)
        orders.append(tuple(flow.index_array))
    assert len(set(orders)) > 1


# -- T25: on_epoch_begin ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [object, tf_keras.utils.Sequence])
def test_T25_only_a_PyDataset_is_told_that_a_pass_begins(kind: Any) -> None:
    class Both(type(rows(kind))):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            raise AssertionError("its own business")

    source = Both()
    run(echo_model(), source, None, 2, None, Both())
    evaluate_generator(echo_model(), source)
    predict_generator(echo_model(), source)


def test_T25_a_PyDataset_is_told_before_its_length_is_asked() -> None:
    class Grows(Indexed):
        def on_epoch_begin(self) -> None:
            super().on_epoch_begin()
            self.batches.append(numbered_batch(len(self.batches)))

    source, seen = Grows([numbered_batch(0)]), Seen()
    run(echo_model(), source, None, 2, [seen])
    assert seen.train == [0, 1, 0, 1, 2]
