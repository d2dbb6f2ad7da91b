"""Batches of which no image can be read (T15): left out, and the next one takes their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from fitgenerator import ImageError, ImageWarning, evaluate_generator, predict_generator
from fitgenerator.images import ImageDataGenerator
from support.pictures import mean_model, one_third, write_classes
from support.tiny_trainings import Seen, catch, run

pytestmark = pytest.mark.usefixtures("quietly")
WORKERS = pytest.mark.parametrize("workers", [0, 1, 3])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures of grey 0 to 5."""
    return write_classes(tmp_path, a=6)


def breaks(folder: Path, *numbers: int) -> None:
    for number in numbers:
        (folder / "a" / f"{number:03d}.png").write_bytes(b"no picture")


def flow_of(folder: Path, **given: Any) -> Any:
    """A flow of single pictures; the targets are 0."""
    given = {"batch_size": 1, "shuffle": False, "class_mode": "sparse", "on_error": "skip", **given}
    return ImageDataGenerator().flow_from_directory(folder, (8, 8), **given)


def greys_of(flow: Any, *steps: Any, **options: Any) -> tuple[list[int], list[Any]]:
    """The greys that a training saw, and its warnings."""
    seen = Seen()
    caught = catch(lambda: run(mean_model(), flow, *steps, callbacks=[seen], **options))
    return [round(grey) for grey in seen.train], caught


@WORKERS
def test_T15_a_training_keeps_its_number_of_steps(folder: Path, workers: int) -> None:
    breaks(folder, 1, 5)
    seen, caught = greys_of(flow_of(folder), None, 2, workers=workers)
    assert seen == [0, 2, 3, 4, 0, 2] * 2
    assert [warning.category for warning in caught] == [ImageWarning]
    assert "2 of 6 files could not be read" in str(caught[0].message)
    assert str(caught[0].message).endswith("because they had no other file: 6.")
    seen, _ = greys_of(flow_of(folder), 4, 2, workers=workers)
    assert seen == [0, 2, 3, 4, 4, 0, 2, 3]


@WORKERS
def test_T15_the_number_of_steps_is_kept_where_most_cannot_be_read(
    folder: Path, workers: int
) -> None:
    options = {"shuffle": True, "seed": 4, "batch_size": 2}
    whole, _ = greys_of(flow_of(folder, **options), None, 3)
    breaks(folder, 0, 1, 2, 3)
    seen, _ = greys_of(flow_of(folder, **options), None, 3, workers=workers)
    assert len(seen) == len(whole) == 9
    single, _ = greys_of(flow_of(folder, shuffle=True, seed=4), None, 1, workers=workers)
    assert len(single) == 6
    assert set(single) == {4, 5}


def seen_of(flow: Any, **options: Any) -> list[dict[int, float]]:
    """The batches of three passes: the means of the pictures, by their classes."""
    seen: list[dict[int, float]] = []

    def loss(classes: Any, means: Any) -> Any:
        both = (array.numpy().ravel().tolist() for array in (classes, means))
        seen.append(dict(zip(*both, strict=True)))
        return means

    mean = keras.layers.Dense(1, use_bias=False, kernel_initializer=one_third)
    layers = keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), mean
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.SGD(0.0), loss, run_eagerly=True)
    catch(lambda: run(model, flow, None, 3, **options))
    return seen


@WORKERS
@pytest.mark.parametrize("size", [1, 2])
def test_T15_all_other_batches_are_those_of_a_run_without_it(
    tmp_path: Path, size: int, workers: int
) -> None:
    folder = write_classes(tmp_path, **dict.fromkeys("abcdef", 1))  # a class for each picture
    turned = ImageDataGenerator(rotation_range=60, fill_mode="constant", cval=200)

    def flow() -> Any:
        return turned.flow_from_directory(
            folder, (8, 8), class_mode="sparse", batch_size=size, seed=4, on_error="skip"
        )

    whole = seen_of(flow())
    (folder / "d" / "003.png").write_bytes(b"no picture")
    seen = seen_of(flow(), workers=workers)
    assert len(seen) == len(whole) == 18 / size
    assert len({batch[0] for batch in whole if 0 in batch}) > 1  # turned in other ways
    for first in range(0, len(whole), 6 // size):
        readable = [{k: batch[k] for k in batch if k != 3} for batch in whole[first:][: 6 // size]]
        kept = [batch for batch in readable if batch]  # those behind move up
        assert seen[first:][: len(kept)] == kept


@WORKERS
def test_T15_calls_of_one_epoch_equal_one_call(folder: Path, workers: int) -> None:
    breaks(folder, 2, 4)
    options = {"shuffle": True, "seed": 4}
    whole, _ = greys_of(flow_of(folder, **options), None, 3, workers=workers)
    flow = flow_of(folder, **options)
    assert [grey for _ in range(3) for grey in greys_of(flow, workers=workers)[0]] == whole
    resumed, _ = greys_of(flow_of(folder, **options), None, 3, initial_epoch=2, workers=workers)
    assert resumed == whole[12:]


@WORKERS
def test_T15_evaluation_and_prediction_are_that_much_shorter(folder: Path, workers: int) -> None:
    breaks(folder, 1, 5)
    flow = flow_of(folder)
    for _ in range(2):  # the second call warns again: it is shorter, too
        made: list[Any] = []
        predict = lambda: predict_generator(mean_model(), flow, workers=workers)  # noqa: E731
        caught = catch(lambda: made.append(predict()))  # noqa: B023
        np.testing.assert_allclose(made[0][:, 0], [0, 2, 3, 4], atol=1e-4)
        assert [warning.category for warning in caught] == [ImageWarning]
        assert "no other file: 2." in str(caught[0].message)
    scores: list[Any] = []
    evaluate = lambda: evaluate_generator(mean_model(), flow_of(folder), workers=workers)  # noqa: E731
    caught = catch(lambda: scores.append(evaluate()))
    assert scores[0] == pytest.approx(9 / 4)
    assert [warning.category for warning in caught] == [ImageWarning]


@WORKERS
def test_T15_validation_too(folder: Path, workers: int) -> None:
    breaks(folder, 0)
    history: list[Any] = []
    whole = ImageDataGenerator().flow(np.ones((2, 8, 8, 3)), np.zeros(2))
    options = {"validation_data": flow_of(folder), "workers": workers}
    caught = catch(lambda: history.append(run(mean_model(), whole, None, 3, **options)))
    assert history[0].history["val_loss"] == pytest.approx([3.0] * 3)
    assert {warning.category for warning in caught} == {ImageWarning}
    assert "no other file: 3." in str(caught[0].message)


@WORKERS
def test_T15_a_pass_without_any_image_is_an_error(folder: Path, workers: int) -> None:
    breaks(folder, *range(6))
    for call in (run, evaluate_generator, predict_generator):
        with pytest.raises(ImageError, match="of a whole pass"), pytest.warns(ImageWarning):
            call(mean_model(), flow_of(folder), workers=workers)
    with pytest.raises(ImageError), pytest.warns(ImageWarning):
        next(flow_of(folder))


def test_T15_the_next_batch_of_a_flow_is_one_with_images(folder: Path) -> None:
    breaks(folder, 0, 1, 4)
    flow = flow_of(folder)
    made: list[float] = []
    caught = catch(lambda: made.extend(float(next(flow)[0].mean()) for _ in range(4)))
    assert made == [2, 3, 5, 2]
    assert {warning.category for warning in caught} == {ImageWarning}


@WORKERS
def test_T15_a_generator_that_uses_a_flow_is_told_of_what_it_left_out(
    folder: Path, workers: int
) -> None:
    breaks(folder, 1, 4)

    def batches(flow: Any) -> Iterator[Any]:
        while True:
            yield next(flow)

    def call(made: Any) -> None:
        evaluate_generator(mean_model(), batches(made), 6, workers=workers)

    flows = [flow_of(folder), flow_of(folder, batch_size=2)]
    caught = catch(lambda: [call(flow) for flow in flows])
    assert [warning.category for warning in caught] == [ImageWarning] * 2
    assert all("2 of 6 files could not be read" in str(w.message) for w in caught)
    assert "no other file: 3." in str(caught[0].message)
    both = lambda: run(mean_model(), batches(flows[0]), 6, 1, validation_data=flows[1])  # noqa: E731
    assert "no other file: 3." in str(catch(both)[0].message)


def test_T15_a_source_of_the_users_own_around_a_flow_too(folder: Path) -> None:
    breaks(folder, 2)

    class Around(keras.utils.PyDataset):
        """Reads a flow by index."""

        def __init__(self, flow: Any) -> None:
            super().__init__(workers=2)
            self.flow = flow

        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> Any:
            return self.flow[index]

    flow = flow_of(folder, batch_size=3)
    caught = catch(lambda: run(mean_model(), Around(flow), None, 3))
    assert ["1 of 6 files" in str(warning.message) for warning in caught] == [True]


def test_T15_several_steps_in_one_call(folder: Path, loops_pay: None) -> None:
    breaks(folder, 3)
    flow = flow_of(folder)
    history: list[Any] = []
    catch(lambda: history.append(run(mean_model(), flow, 20, 3, max_queue_size=5)))
    assert history[0].pipeline.steps == 60
    assert not history[0].incomplete


def test_T15_models_of_keras_2_too(folder: Path) -> None:
    breaks(folder, 5)
    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.InputLayer((8, 8, 3)), layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.warns(ImageWarning):
        assert len(run(model, flow_of(folder), None, 2).epoch) == 2
