"""Flows in training, evaluation and prediction: any number of workers, errors, memory."""

from __future__ import annotations

import gc
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import fitgenerator
import numpy as np
import pytest
from fitgenerator import (
    ArgumentError,
    ImageError,
    ImageWarning,
    ShuffledWarning,
    evaluate_generator,
    predict_generator,
)
from fitgenerator.images import ImageDataGenerator
from support.pictures import both, flat, greys, mean_model, photos, write, write_classes
from support.process_memory import linux, resident
from support.tiny_trainings import at_batch_begin, at_epoch_end, catch, notes_of, run

SIZE = (8, 8)


pytestmark = pytest.mark.usefixtures("quietly")


@pytest.fixture(scope="module")
def animals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 pictures, of grey 0 to 19."""
    return write_classes(tmp_path_factory.mktemp("animals"), cats=10, dogs=10)


def flow_of(folder: Path, **given: Any) -> Any:
    """A flow of batches of 4."""
    return ImageDataGenerator().flow_from_directory(folder, SIZE, batch_size=4, **given)


# -- the same batches, whoever reads ------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
def test_training_is_the_same_for_any_number_of_workers(workers: int) -> None:
    generator = ImageDataGenerator(rotation_range=40, zoom_range=0.3, horizontal_flip=True)

    def losses(workers: int) -> Any:
        flow = generator.flow(photos(20), np.zeros(20), batch_size=4, seed=3)
        return run(mean_model(), flow, epochs=3, workers=workers).history["loss"]

    made = losses(workers)
    assert made == losses(1)
    assert len(set(made)) == 3  # each epoch has transformations of its own


def test_a_flow_is_read_by_as_many_threads_as_asked_for() -> None:
    threads, together = set(), threading.Barrier(3, timeout=30)

    def wait(image: Any) -> Any:
        threads.add(threading.current_thread().name)
        together.wait()
        return image

    flow = ImageDataGenerator(preprocessing_function=wait).flow(
        photos(9), np.zeros(9), batch_size=1
    )
    run(mean_model(), flow, workers=3)
    assert len({name for name in threads if name.startswith("fitgenerator-feeder")}) == 3


def test_the_epochs_of_a_training_are_the_passes_of_keras_own_flow(animals: Path) -> None:
    theirs, _ = both()
    wanted = theirs.flow_from_directory(animals, SIZE, batch_size=4, seed=5)
    seen: list[int] = []
    generator = ImageDataGenerator(
        preprocessing_function=lambda x: seen.append(int(x[0, 0, 0])) or x
    )
    flow = generator.flow_from_directory(animals, SIZE, batch_size=4, seed=5, class_mode="sparse")
    run(mean_model(), flow, epochs=3)
    assert seen == [grey for _ in range(15) for grey in greys(next(wanted)[0])]


def test_keras_own_fit_takes_a_flow(animals: Path) -> None:
    flow = flow_of(animals, class_mode="sparse", seed=1)
    history = mean_model().fit(flow, epochs=2, verbose=0)
    np.testing.assert_allclose(history.history["loss"], 9.5, rtol=1e-5)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_keras_own_flow_is_a_generator_as_ours_is(animals: Path, workers: int) -> None:
    theirs, _ = both()
    flow = theirs.flow_from_directory(animals, SIZE, batch_size=4, class_mode="sparse")
    history = run(mean_model(), flow, epochs=2, workers=workers, validation_data=flow_of(animals))
    assert len(history.epoch) == 2
    assert history.history["val_loss"] == pytest.approx([9.5, 9.5])
    ordered = theirs.flow_from_directory(animals, SIZE, class_mode=None, shuffle=False)
    predicted = predict_generator(mean_model(), ordered, workers=workers)
    np.testing.assert_allclose(predicted[:, 0], range(20), atol=1e-4)


def test_validation_and_evaluation_see_every_image_once(animals: Path) -> None:
    flow = flow_of(animals, class_mode="sparse")
    history = run(mean_model(), flow, validation_data=flow_of(animals, class_mode="sparse"))
    assert history.history["val_loss"] == pytest.approx([9.5])
    assert evaluate_generator(mean_model(), flow, workers=2) == pytest.approx(9.5)


# -- L1, L2 -------------------------------------------------------------------------------------


def test_L1_a_directory_without_classes_is_an_error_at_once(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.png", flat(number))
    with pytest.raises(ArgumentError, match=r"has 0 images .* a folder of images for each class"):
        ImageDataGenerator().flow_from_directory(tmp_path)
    flow = ImageDataGenerator().flow_from_directory(
        tmp_path, SIZE, classes=["."], class_mode=None, shuffle=False
    )
    assert flow.filenames == ["0.png", "1.png", "2.png"]
    np.testing.assert_allclose(predict_generator(mean_model(), flow)[:, 0], [0, 1, 2], atol=1e-4)


def test_L1_empty_folders_are_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "cats").mkdir()
    with pytest.raises(ArgumentError, match=r"has 0 images .* its folders are cats"):
        ImageDataGenerator().flow_from_directory(tmp_path)


@pytest.mark.parametrize("workers", [1, 3])
def test_L2_predictions_are_in_the_order_of_the_files(animals: Path, workers: int) -> None:
    flow = flow_of(animals, shuffle=False, class_mode=None)
    predicted = predict_generator(mean_model(), flow, workers=workers)
    assert len(predicted) == flow.n == 20
    wanted = [int(Path(name).stem) for name in flow.filenames]
    np.testing.assert_allclose(predicted[:, 0], wanted, atol=1e-4)


def test_L2_predicting_from_a_shuffled_flow_warns(animals: Path) -> None:
    theirs, _ = both()
    for flow in (flow_of(animals, seed=1), theirs.flow_from_directory(animals, SIZE)):
        with pytest.warns(ShuffledWarning, match="`generator` shuffles"):
            predicted = predict_generator(mean_model(), flow)
        assert sorted(np.rint(predicted[:, 0])) == list(range(20))
    shuffled = flow_of(animals, seed=1, class_mode=None)
    with pytest.warns(ShuffledWarning):
        predicted = predict_generator(mean_model(), shuffled)
    np.testing.assert_allclose(predicted[:, 0], shuffled.index_array, atol=1e-4)


# -- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_file_that_vanishes_while_training_is_an_error_that_names_it(
    tmp_path: Path, workers: int
) -> None:
    flow = flow_of(write_classes(tmp_path, a=8), class_mode="sparse", shuffle=False)
    victim = tmp_path / "a" / "006.png"
    vanish = at_epoch_end(lambda epoch: victim.unlink() if epoch == 0 else None)
    with pytest.raises(ImageError, match=r"006\.png cannot be read: No such file") as caught:
        run(mean_model(), flow, epochs=3, callbacks=[vanish], workers=workers, max_queue_size=1)
    assert re.search(r"While batch \d of `generator` was made\.", notes_of(caught.value))


@pytest.mark.parametrize("workers", [0, 2])
def test_files_left_out_are_told_of_once_at_the_end(tmp_path: Path, workers: int) -> None:
    write_classes(tmp_path, a=12)
    for number in (1, 6):
        (tmp_path / "a" / f"{number:03d}.png").write_bytes(b"")
    flow = flow_of(tmp_path, class_mode="sparse", on_error="skip")
    warnings = catch(lambda: run(mean_model(), flow, epochs=2, workers=workers))
    assert {warning.category for warning in warnings} == {ImageWarning}
    assert "2 of 12 files could not be read" in str(warnings[-1].message)
    assert len(flow.skipped) == 2
    assert catch(lambda: run(mean_model(), flow, workers=workers)) == []


def test_the_users_functions_own_error_reaches_the_caller(animals: Path) -> None:
    failure = KeyError("mine")

    def fail(image: Any) -> Any:
        raise failure

    generator = ImageDataGenerator(preprocessing_function=fail)
    flow = generator.flow_from_directory(animals, SIZE, on_error="skip")
    with pytest.raises(KeyError) as caught:
        run(mean_model(), flow, workers=2)
    assert caught.value is failure


def test_normalising_without_fit_is_an_error_at_the_first_batch() -> None:
    with pytest.warns(ImageWarning):
        generator = ImageDataGenerator(featurewise_std_normalization=True)
    flow = generator.flow(photos(4), np.zeros(4))
    with pytest.raises(ArgumentError, match=r"call\s+generator\.fit"):
        run(mean_model(), flow)
    generator.fit(photos(4))
    run(mean_model(), flow)


def test_without_opencv_all_but_the_flows_is_there() -> None:
    root = Path(fitgenerator.__file__).parent
    outside = [path for path in root.rglob("*.py") if root / "images" not in path.parents]
    wanted = re.compile(r"^\s*(import|from) (cv2|PIL|\.+images)", re.MULTILINE)
    assert len(outside) > 30
    assert [path.name for path in outside if wanted.search(path.read_text("utf-8"))] == []
    assert fitgenerator.images.ImageDataGenerator is ImageDataGenerator


# -- memory -------------------------------------------------------------------------------------


@linux
def test_memory_is_flat_over_100_epochs(tmp_path: Path) -> None:
    for number in range(8):
        write(tmp_path / "a" / f"{number}.jpg", photos(1, 128, 128)[0])
    generator = ImageDataGenerator(rotation_range=30, zoom_range=0.2, brightness_range=(0.5, 1.5))
    flow = generator.flow_from_directory(tmp_path, (96, 96), batch_size=4, class_mode="sparse")
    seen: list[float] = []
    hooks = [
        at_epoch_end(lambda epoch: seen.append(resident())),
        at_batch_begin(lambda batch: None),
    ]
    run(mean_model(), flow, epochs=100, workers=2, callbacks=hooks)
    gc.collect()
    assert max(seen[20:]) - seen[20] < 8


def test_opencv_has_its_threads_again_after_a_batch_and_one_while_batches_are_made() -> None:
    seen = []

    def counted(image: Any) -> Any:
        seen.append(cv2.getNumThreads())
        return image

    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        flow = ImageDataGenerator(preprocessing_function=counted).flow(np.zeros((12, 8, 8, 3)))
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: next(flow), range(9)))
        assert set(seen) == {1}
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
