"""Attributes of flows that are set after the flow was made (T10): obeyed, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import (
    ArgumentError,
    batch_sequence,
    flow_from_data,
    predict_generator,
    timeseries_generator,
)
from fitgenerator.images import ImageDataGenerator
from support.pictures import both, mean_model, write_classes
from support.tiny_trainings import at_epoch_end, numbered_batch, run

X = np.arange(12.0).reshape(12, 1, 1, 1)
pytestmark = pytest.mark.usefixtures("quietly")


def flow_of(**given: Any) -> Any:
    return ImageDataGenerator().flow(X, X[:, 0, 0, 0], **{"batch_size": 4, "seed": 3, **given})


@pytest.fixture(scope="module")
def model() -> Any:
    model = keras.Sequential([keras.Input((1, 1, 1)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(1, use_bias=False, kernel_initializer="ones"))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def test_T10_a_flow_of_images_obeys_from_the_next_pass_on(model: Any) -> None:
    flow = flow_of()
    flow.batch_size = 12
    flow.shuffle = False
    assert len(flow) == 1
    assert predict_generator(model, flow).ravel().tolist() == [*range(12)]
    assert next(flow)[1].tolist() == [*range(12)]
    flow = flow_of()
    first = next(flow)[1]
    flow.shuffle = False  # the pass is under way
    assert [*first, *next(flow)[1], *next(flow)[1]] != [*range(12)]
    assert [y for _ in range(3) for y in next(flow)[1]] == [*range(12)]
    flow = flow_of()
    next(flow)
    flow.shuffle = False
    flow.reset()
    assert next(flow)[1].tolist() == [0, 1, 2, 3]


def test_T10_as_keras_own_flow_does() -> None:
    theirs, ours = (g.flow(X, X[:, 0, 0, 0], batch_size=4, seed=3) for g in both())
    for flow in (theirs, ours):
        flow.batch_size = 5
        flow.shuffle = False
    assert [next(theirs)[1].tolist() for _ in range(3)] == [next(ours)[1].tolist() for _ in "abc"]
    assert len(theirs) == len(ours) == 3


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T10_trainings_obey_too(model: Any, workers: int) -> None:
    flow = flow_of()
    run(model, flow, workers=workers)
    flow.batch_size = 3
    assert run(model, flow, workers=workers).pipeline.steps == 4
    next(flow)
    flow.batch_size = 6
    assert run(model, flow, workers=workers).pipeline.steps == 2
    assert run(model, flow, 3, workers=workers).pipeline.steps == 3
    seeds = flow_of(), flow_of(seed=9)
    seeds[0].seed = 9
    assert seeds[0].index_array.tolist() == seeds[1].index_array.tolist()


def test_T10_a_training_that_runs_goes_on_as_it_began(model: Any) -> None:
    flow = flow_of()
    change = at_epoch_end(lambda epoch: setattr(flow, "batch_size", 12))
    assert run(model, flow, None, 2, [change]).pipeline.steps == 6
    assert run(model, flow, None, 2).pipeline.steps == 2


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_begin"])
@pytest.mark.parametrize("size", [2, 6])
@pytest.mark.parametrize("given", [{}, {"initial_epoch": 0}, {"steps": 3}])
def test_T10_from_before_its_first_batch_on(
    model: Any, hook: str, size: int, given: dict[str, Any]
) -> None:
    seen: list[int] = []
    generator = ImageDataGenerator(preprocessing_function=lambda x: seen.append(int(x.item())) or x)
    flow = generator.flow(X, X[:, 0, 0, 0], batch_size=4, shuffle=False)
    change = keras.callbacks.LambdaCallback(**{hook: lambda *_: setattr(flow, "batch_size", size)})
    run(model, flow, epochs=2, callbacks=[change], **given)
    assert seen == [*range(12)] * 2
    assert run(model, flow).pipeline.steps == 12 // size


def test_T10_settings_are_checked_when_they_are_set() -> None:
    flow = flow_of()
    for name, value in (("batch_size", 0), ("shuffle", "yes"), ("seed", -1)):
        with pytest.raises(ArgumentError, match=f"`{name}` must be"):
            setattr(flow, name, value)


def test_T10_what_no_flow_obeys_is_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, a=2, b=2)
    files = ImageDataGenerator().flow_from_directory(tmp_path, (8, 8))
    sequence = batch_sequence(numbered_batch, 3, shuffle=True)
    data = flow_from_data(X[:, 0, 0], X[:, 0, 0], shuffle=True)
    series = timeseries_generator(X[:, 0, 0, 0], X[:, 0, 0, 0], 2)
    cases = {
        flow_of(): ("n", "x", "y", "x_misc", "image_shape", "save_to_dir", "batch_index"),
        files: ("target_size", "class_mode", "classes", "samples", "color_mode", "on_error"),
        sequence: ("shuffle", "seed"),
        data: ("shuffle", "batch_size", "n", "seed"),
        series: ("batch_size", "shuffle", "length", "data"),
    }
    for flow, names in cases.items():
        for name in names:
            before = getattr(flow, name)
            with pytest.raises(ArgumentError, match=f"`{name}` of a flow cannot be changed; make"):
                setattr(flow, name, 1)
            assert getattr(flow, name) is before
        flow.mine = 1
        flow.mine = 2  # the user's own
        flow.workers = 2


def test_T10_what_is_read_for_each_batch_is_obeyed(tmp_path: Path) -> None:
    write_classes(tmp_path, a=4)
    flow = ImageDataGenerator().flow_from_directory(
        tmp_path, (8, 8), class_mode=None, shuffle=False
    )
    flow.image_data_generator = ImageDataGenerator(preprocessing_function=lambda x: x + 1)
    np.testing.assert_allclose(predict_generator(mean_model(), flow)[:, 0], [1, 2, 3, 4], 1e-4)
