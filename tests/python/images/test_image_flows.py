"""Flows as sources: order, seeds, passes, layouts, targets; beside Keras's own."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fitgenerator import ImageError, ImageWarning
from fitgenerator.images import ImageDataGenerator, Iterator
from fitgenerator.r.reticulate import images as seam
from PIL import Image
from support.pictures import both, difference, flat, greys, photos, write, write_classes
from support.platforms import links

AUGMENTED: dict[str, Any] = {
    **{"rotation_range": 30, "width_shift_range": 0.2, "shear_range": 10, "zoom_range": 0.2},
    **{"channel_shift_range": 20, "brightness_range": (0.5, 1.5), "horizontal_flip": True},
}

pytestmark = pytest.mark.usefixtures("quietly")


@pytest.fixture(scope="module")
def animals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """13 pictures, of grey 0 to 12: cats 0 to 4, dogs 5 to 12."""
    return write_classes(tmp_path_factory.mktemp("animals"), cats=5, dogs=8)


def orders(flow: Any, batches: int) -> list[list[int]]:
    """The greys of so many batches, taken one after the other."""
    return [greys(next(flow)[0]) for _ in range(batches)]


# -- order --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_order_of_a_seed_is_keras_own_through_the_passes(animals: Path, shuffle: bool) -> None:
    theirs, ours = both()
    given: dict[str, Any] = {"target_size": (8, 8), "batch_size": 4, "shuffle": shuffle, "seed": 3}
    wanted = theirs.flow_from_directory(animals, **given)
    made = ours.flow_from_directory(animals, **given)
    assert orders(made, 10) == orders(wanted, 10)
    for flow in (made, wanted):
        next(flow)
        flow.reset()
    assert orders(made, 6) == orders(wanted, 6)
    assert made.total_batches_seen == wanted.total_batches_seen


def test_the_order_by_index_is_keras_own_in_the_first_pass(animals: Path) -> None:
    theirs, ours = both()
    given: dict[str, Any] = {"target_size": (8, 8), "batch_size": 4, "seed": 3}
    wanted = theirs.flow_from_directory(animals, **given)
    made = ours.flow_from_directory(animals, **given)
    assert len(made) == len(wanted) == 4
    assert [greys(made[i][0]) for i in range(4)] == [greys(wanted[i][0]) for i in range(4)]


def test_index_and_iteration_give_the_same_batches() -> None:
    flows = [ImageDataGenerator(**AUGMENTED).flow(photos(7), seed=2, batch_size=3) for _ in "ab"]
    for _ in range(3):
        for index in range(3):
            np.testing.assert_array_equal(flows[0][index], next(flows[1]))
        flows[0].on_epoch_end()


def test_a_batch_is_the_same_whichever_thread_makes_it_and_when() -> None:
    generator = ImageDataGenerator(**AUGMENTED)
    alone = generator.flow(photos(40), seed=2, batch_size=2)
    many = generator.flow(photos(40), seed=2, batch_size=2)
    with ThreadPoolExecutor(8) as pool:
        made = dict(zip(range(20), pool.map(many.__getitem__, reversed(range(20))), strict=True))
    for index in range(20):
        np.testing.assert_array_equal(alone[index], made[19 - index])


def test_threads_that_iterate_share_the_batches() -> None:
    flow = ImageDataGenerator().flow(photos(30), np.arange(30), batch_size=1, seed=1)
    with ThreadPoolExecutor(6) as pool:
        labels = sorted(int(y[0]) for _, y in pool.map(lambda _: next(flow), range(60)))
    assert labels == sorted([*range(30)] * 2)


def test_every_pass_has_an_order_and_transformations_of_its_own() -> None:
    flow = ImageDataGenerator(**AUGMENTED).flow(photos(6), np.arange(6), batch_size=6, seed=1)
    passes = [next(flow) for _ in range(3)]
    assert all(sorted(y) == list(range(6)) for _, y in passes)
    assert len({tuple(y) for _, y in passes}) == 3
    first = [x[list(y).index(0)] for x, y in passes]
    assert not np.array_equal(first[0], first[1])


def test_a_pass_that_was_read_is_not_read_again_by_the_next_reader() -> None:
    flow = ImageDataGenerator().flow(photos(8), np.arange(8), batch_size=8, seed=1)
    first = list(flow[0][1])
    flow.on_epoch_begin()
    assert list(flow[0][1]) != first
    fresh = ImageDataGenerator().flow(photos(8), np.arange(8), batch_size=8, seed=1)
    fresh.on_epoch_begin()
    assert list(fresh[0][1]) == first


def test_without_a_seed_numpys_own_decides() -> None:
    made = []
    for _ in range(2):
        np.random.seed(4)
        made.append(next(ImageDataGenerator(**AUGMENTED).flow(photos(6))))
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], next(ImageDataGenerator(**AUGMENTED).flow(photos(6))))


def test_pictures_and_masks_of_one_seed_are_moved_alike() -> None:
    images = photos(5).astype("float32")
    pictures = ImageDataGenerator(**AUGMENTED).flow(images, seed=6)
    masks = ImageDataGenerator(**AUGMENTED).flow(images, seed=6)
    for _ in range(3):
        np.testing.assert_array_equal(next(pictures), next(masks))


# -- attributes, layouts ------------------------------------------------------------------------


@pytest.mark.parametrize(("color_mode", "channels"), [("grayscale", 1), ("rgb", 3), ("rgba", 4)])
def test_a_flow_has_the_attributes_of_keras_own(
    animals: Path, color_mode: str, channels: int
) -> None:
    theirs, ours = both(data_format="channels_first", zoom_range=0.2)
    given: dict[str, Any] = {"target_size": (8, 6), "batch_size": 4, "seed": 3, "shuffle": False}
    wanted = theirs.flow_from_directory(animals, **given, color_mode=color_mode)
    made = ours.flow_from_directory(animals, **given, color_mode=color_mode)
    names = ("class_indices", "filenames", "filepaths", "samples", "n", "batch_size", "seed")
    more = ("image_shape", "target_size", "color_mode", "num_classes", "class_mode", "shuffle")
    saved = ("save_to_dir", "save_prefix", "save_format", "subset", "interpolation")
    batches = ("data_format", "batch_index", "total_batches_seen", "dtype")
    for name in (*names, *more, *saved, *batches):
        assert getattr(made, name) == getattr(wanted, name), name
    assert list(made.classes) == list(made.labels) == list(wanted.classes)
    assert iter(made) is made
    assert isinstance(made, Iterator)
    x, y = made.next()
    assert x.shape == (4, channels, 8, 6)
    assert difference(x, next(wanted)[0]) < 1
    assert (x.dtype, y.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("dtype", ["float16", "float64", "uint8", "int32"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_batches_have_the_dtype_and_the_layout_that_were_asked_for(
    dtype: str, data_format: str
) -> None:
    images = photos(3)
    plain = next(ImageDataGenerator(**AUGMENTED).flow(images, seed=1))
    if data_format == "channels_first":
        images = images.transpose(0, 3, 1, 2)
    made = next(
        ImageDataGenerator(**AUGMENTED, data_format=data_format, dtype=dtype).flow(images, seed=1)
    )
    assert made.dtype == dtype
    if data_format == "channels_first":
        made = made.transpose(0, 2, 3, 1)
    assert difference(made, plain) < 1


def test_an_array_is_neither_copied_nor_changed() -> None:
    images = photos(4)
    images.setflags(write=False)
    flow = ImageDataGenerator(**AUGMENTED, rescale=1 / 255).flow(images)
    next(flow)
    assert np.shares_memory(flow.x, images)
    assert flow.x.dtype == np.uint8


# -- targets ------------------------------------------------------------------------------------


@pytest.mark.parametrize("class_mode", ["categorical", "binary", "sparse", "input", None])
def test_targets_of_a_directory_are_keras_own(animals: Path, class_mode: str | None) -> None:
    theirs, ours = both(rescale=1 / 255)
    given: dict[str, Any] = {"target_size": (8, 8), "class_mode": class_mode, "seed": 1}
    wanted = next(theirs.flow_from_directory(animals, **given))
    made = next(ours.flow_from_directory(animals, **given))
    assert isinstance(made, tuple) is isinstance(wanted, tuple)
    for ours_part, part in zip(made, wanted, strict=True):
        np.testing.assert_array_equal(ours_part, part)


def test_an_array_has_further_inputs_targets_and_weights() -> None:
    theirs, ours = both()
    rows = np.arange(6)
    for x in (photos(6), (photos(6), rows), [photos(6), [rows, rows[:, None]]]):
        given: dict[str, Any] = {"sample_weight": rows / 2, "batch_size": 4, "seed": 1}
        wanted = next(theirs.flow(x, rows, **given))
        made = next(ours.flow(x, rows, **given))
        assert len(made) == len(wanted) == 3
        for part, wanted_part in zip(
            keras.tree.flatten(made), keras.tree.flatten(wanted), strict=True
        ):
            np.testing.assert_array_equal(part, wanted_part)
    assert isinstance(next(ours.flow(photos(6))), np.ndarray)


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_subsets_are_keras_own(animals: Path, subset: str) -> None:
    theirs, ours = both(validation_split=0.4)
    given: dict[str, Any] = {"subset": subset, "target_size": (8, 8)}
    wanted = theirs.flow_from_directory(animals, **given)
    made = ours.flow_from_directory(animals, **given)
    assert made.filenames == wanted.filenames
    labels = np.arange(10) % 2
    flows = [g.flow(photos(10), labels, subset=subset, shuffle=False) for g in (theirs, ours)]
    np.testing.assert_array_equal(flows[1].y, flows[0].y)
    assert flows[1].n == flows[0].n


def test_classes_may_be_chosen_and_are_in_the_order_given(animals: Path) -> None:
    flow = ImageDataGenerator().flow_from_directory(animals, classes=["dogs", "cats"])
    assert flow.class_indices == {"dogs": 0, "cats": 1}
    only = ImageDataGenerator().flow_from_directory(animals, classes=["dogs"])
    assert (only.n, only.num_classes) == (8, 1)


@links
def test_deeper_folders_links_and_other_files_are_as_in_keras(tmp_path: Path) -> None:
    write(tmp_path / "all" / "a" / "deep" / "er" / "2.jpg", flat(2))
    write(tmp_path / "all" / "a" / "1.PNG", flat(1))
    write(tmp_path / "elsewhere" / "3.bmp", flat(3))
    (tmp_path / "all" / "a" / "notes.txt").write_text("no image")
    (tmp_path / "all" / "a" / "linked").symlink_to(tmp_path / "elsewhere")
    theirs, ours = both()
    for follow_links in (False, True):
        wanted = theirs.flow_from_directory(tmp_path / "all", follow_links=follow_links)
        made = ours.flow_from_directory(tmp_path / "all", follow_links=follow_links)
        assert made.filenames == wanted.filenames
        assert made.n == 2 + follow_links
    (tmp_path / "all" / "a" / "deep" / "up").symlink_to(tmp_path / "all" / "a")
    assert ours.flow_from_directory(tmp_path / "all", follow_links=True).n == 3


def test_the_number_of_images_is_printed(animals: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras.config.enable_interactive_logging()
    ImageDataGenerator().flow_from_directory(animals)
    assert capsys.readouterr().out == "Found 13 images belonging to 2 classes.\n"


# -- saved pictures -----------------------------------------------------------------------------


def test_pictures_are_saved_under_keras_own_names(animals: Path, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("theirs", "ours")]
    for folder, generator in zip(folders, both(rotation_range=30), strict=True):
        folder.mkdir()
        flow = generator.flow_from_directory(
            animals, (8, 8), seed=2, batch_size=5, save_to_dir=str(folder), save_prefix="p"
        )
        next(flow)
    names = [sorted(path.name for path in folder.iterdir()) for folder in folders]
    assert names[0] == names[1]
    assert len(names[0]) == 5


@pytest.mark.parametrize("save_format", ["png", "jpeg", "jpg", "bmp"])
def test_saved_pictures_are_stretched_to_all_greys(tmp_path: Path, save_format: str) -> None:
    images = photos(2).astype("float32") / 100 - 1
    next(ImageDataGenerator().flow(images, save_to_dir=tmp_path, save_format=save_format))
    for path in tmp_path.iterdir():
        picture = np.asarray(Image.open(path))
        assert picture.shape == (24, 24, 3)
        assert picture.min() < 10
        assert picture.max() > 245


# -- the user's function ------------------------------------------------------------------------


def test_the_users_function_gets_each_transformed_image_and_may_work_in_place() -> None:
    seen = []

    def in_place(image: Any) -> Any:
        seen.append((image.shape, image.dtype, threading.current_thread()))
        image += 1
        return image

    made = next(ImageDataGenerator(preprocessing_function=in_place).flow(photos(3), seed=1))
    anew = ImageDataGenerator(preprocessing_function=lambda image: image.astype("float64") + 1)
    np.testing.assert_array_equal(next(anew.flow(photos(3), seed=1)), made)
    assert seen == [((24, 24, 3), np.float32, threading.current_thread())] * 3


def test_a_subclass_may_have_methods_of_its_own_which_flows_call(animals: Path) -> None:
    """As in Keras, whose flows go through them."""

    def mine(base: Any) -> Any:
        class Mine(base):  # type: ignore[misc]
            def __init__(self, plus: float, **given: Any) -> None:
                super().__init__(**given)
                self.plus = plus

            def get_random_transform(self, img_shape: Any, seed: Any = None) -> Any:
                return {**super().get_random_transform(img_shape, seed), "flip_vertical": True}

            def apply_transform(self, x: Any, transform_parameters: Any) -> Any:
                return super().apply_transform(x, transform_parameters) + self.plus

            def standardize(self, x: Any) -> Any:
                return super().standardize(x) - 1

        return Mine(2.0, rescale=0.5, data_format="channels_first")

    theirs, ours = (mine(type(base)) for base in both())
    given: dict[str, Any] = {"target_size": (8, 6), "batch_size": 4, "seed": 3}
    made = ours.flow_from_directory(animals, **given)
    wanted = theirs.flow_from_directory(animals, **given)
    np.testing.assert_array_equal(next(made)[0], next(wanted)[0])
    np.testing.assert_array_equal(made[1][0], ours.flow_from_directory(animals, **given)[1][0])
    x = photos(3).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(next(ours.flow(x, seed=1)), next(theirs.flow(x, seed=1)))
    assert repr(ours) == "Mine(rescale=0.5, data_format='channels_first')"


# -- files that cannot be read ------------------------------------------------------------------


@links
def test_broken_files_are_left_out_with_a_warning_and_a_count(tmp_path: Path) -> None:
    write_classes(tmp_path, a=3, b=3)
    (tmp_path / "a" / "001.png").write_bytes(b"no image")
    (tmp_path / "b" / "004.png").unlink()
    (tmp_path / "b" / "004.png").symlink_to(tmp_path / "gone")
    flow = ImageDataGenerator().flow_from_directory(
        tmp_path,
        shuffle=False,
        batch_size=4,
        on_error="skip",
        class_mode="sparse",
        target_size=(8, 8),
    )
    with pytest.warns(ImageWarning, match=r"1 of 6 files could not .*001\.png"):
        x, y = next(flow)
    assert (greys(x), list(y)) == ([0, 2, 3], [0, 0, 1])
    with pytest.warns(ImageWarning, match=r"2 of 6 files could not .*004\.png"):
        x, y = next(flow)
    assert greys(x) == [5]
    next(flow)  # warns of no file twice
    assert sorted(Path(path).name for path in flow.skipped) == ["001.png", "004.png"]


def test_a_batch_of_which_nothing_is_left_is_an_error(tmp_path: Path) -> None:
    write_classes(tmp_path, a=2)
    for path in (tmp_path / "a").iterdir():
        path.write_bytes(b"")
    flow = ImageDataGenerator().flow_from_directory(tmp_path, on_error="skip")
    with pytest.raises(ImageError, match="Not one image"), pytest.warns(ImageWarning):
        next(flow)


def test_a_generator_and_a_flow_say_what_they_are() -> None:
    generator = ImageDataGenerator(zoom_range=0.2, rescale=0.5, validation_split=0.25)
    assert repr(generator) == (
        "ImageDataGenerator(zoom_range=[0.8, 1.2], rescale=0.5, validation_split=0.25)"
    )
    flow = generator.flow(np.zeros((8, 4, 5, 3)), batch_size=4, subset="training")
    assert repr(flow) == (
        "<NumpyArrayIterator: 6 images, 4 x 5 x 3, shuffled; batches of 4, 2 in a pass>"
    )


def test_R_s_doubles_above_floatx_become_infinite_without_a_warning() -> None:
    arrays = {"x": np.full((1, 2, 2, 3), 1e300)}
    outcome = seam.flow("flow", ImageDataGenerator(), arrays)
    assert outcome["failure"] is None
    assert np.isinf(outcome["value"].x).all()


def test_warnings_point_at_the_line_of_the_caller(animals: Path, tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.png", flat(1))
    (tmp_path / "a" / "0.png").write_bytes(b"")
    names = {"filename": ["cats/000.png", "gone.png"], "class": ["a", "b"]}
    skipping = ImageDataGenerator().flow_from_directory(tmp_path, on_error="skip")
    calls: list[Any] = [
        lambda: ImageDataGenerator(zca_whitening=True),
        lambda: ImageDataGenerator().flow(np.zeros((2, 4, 4, 2))),
        lambda: ImageDataGenerator().fit(np.zeros((2, 4, 4, 2))),
        lambda: ImageDataGenerator().flow_from_dataframe(names, animals),
        lambda: next(skipping),
    ]
    for call in calls:
        with pytest.warns(ImageWarning) as caught:
            call()
        where = {(Path(one.filename).name, one.lineno) for one in caught}
        assert where == {(Path(__file__).name, call.__code__.co_firstlineno)}
