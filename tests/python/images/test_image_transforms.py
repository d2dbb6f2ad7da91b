"""The same pictures as Keras's legacy class makes, side by side, for the same parameters."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from fitgenerator.images import ImageDataGenerator
from support.pictures import both, difference, photo, photos

FILL_MODES = ("nearest", "constant", "reflect", "wrap")
# Of 255; what is asked for.
MOST = 2.0

WARPS: dict[str, dict[str, Any]] = {
    "rotation": {"theta": 33},
    "shift": {"tx": 10.4, "ty": -7.2},
    "shear": {"shear": 25},
    "zoom": {"zx": 1.4, "zy": 0.7},
    "all": {"theta": -40, "tx": 20, "ty": -33.3, "shear": 20, "zx": 1.3, "zy": 0.8},
    "all, flipped": {
        **{"theta": 15, "tx": -3, "shear": -10, "zx": 0.8, "zy": 1.2},
        **{"flip_horizontal": True, "flip_vertical": True},
    },
}
EXACT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "mirrored": {"flip_horizontal": True},
    "upside down": {"flip_vertical": True},
    "both": {"flip_horizontal": True, "flip_vertical": True},
    "channel shift": {"channel_shift_intensity": 30.5},
    "darker": {"brightness": 0.6},
    "brighter": {"brightness": 1.7},
}


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("order", [0, 1])
def test_warps_are_keras_own_within_2_of_255(fill_mode: str, order: int) -> None:
    theirs, ours = both(fill_mode=fill_mode, cval=200.0, interpolation_order=order)
    for height, width in ((96, 96), (80, 121)):
        image = photo(height, width).astype("float32")
        for name, parameters in WARPS.items():
            wanted = theirs.apply_transform(image, parameters)
            made = ours.apply_transform(image, parameters)
            assert made.dtype == np.float32
            assert difference(made, wanted) < MOST, (name, height)


@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_smoother_interpolations_are_near_keras_own(order: int) -> None:
    theirs, ours = both(interpolation_order=order)
    image = photo().astype("float32")
    for parameters in WARPS.values():
        wanted = theirs.apply_transform(image, parameters)
        assert difference(ours.apply_transform(image, parameters), wanted) < MOST


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_flips_and_colours_are_keras_own_to_the_bit(
    name: str, data_format: str, dtype: str
) -> None:
    theirs, _ = both(dtype=dtype)
    ours = ImageDataGenerator(data_format=data_format, dtype=dtype)
    wanted = theirs.apply_transform(photo().astype(dtype), EXACT[name])
    image = photo().astype(dtype)
    if data_format == "channels_first":
        made = ours.apply_transform(image.transpose(2, 0, 1), EXACT[name]).transpose(1, 2, 0)
    else:
        made = ours.apply_transform(image, EXACT[name])
    np.testing.assert_array_equal(made, wanted)


def test_brightness_of_values_beyond_8_bits_is_keras_own_within_1_of_255() -> None:
    theirs, ours = both()
    image = photo().astype("float32") * 2 - 100
    wanted = theirs.apply_transform(image, {"brightness": 1.3})
    assert difference(ours.apply_transform(image, {"brightness": 1.3}), wanted) < 2


def test_brightness_of_values_from_0_to_1_does_not_make_them_black() -> None:
    image = photo().astype("float32") / 255
    made = ImageDataGenerator().apply_transform(image, {"brightness": 0.5})
    np.testing.assert_allclose(made, image * 0.5)


def test_an_alpha_channel_is_moved_and_not_brightened() -> None:
    theirs, ours = both()
    image = np.dstack([photo(), np.full((96, 96), 77, np.uint8)]).astype("float32")
    parameters = {"flip_horizontal": True, "brightness": 0.5}
    np.testing.assert_array_equal(
        ours.apply_transform(image, parameters), theirs.apply_transform(image, parameters)
    )


def test_one_channel_and_many_channels_are_warped_as_each_alone() -> None:
    ours = ImageDataGenerator(fill_mode="constant", cval=3)
    image = np.dstack([photo()] * 3)[:, :, :7].astype("float32")
    whole = ours.apply_transform(image, WARPS["all"])
    for channel in range(7):
        alone = ours.apply_transform(image[:, :, channel : channel + 1], WARPS["all"])
        assert difference(alone[:, :, 0], whole[:, :, channel]) < 0.5


def test_an_image_of_whole_numbers_keeps_its_dtype() -> None:
    made = ImageDataGenerator().apply_transform(photo(), WARPS["all"])
    wanted = ImageDataGenerator().apply_transform(photo().astype("float32"), WARPS["all"])
    assert made.dtype == np.uint8
    assert difference(made, wanted) < 0.5


# -- normalisation ------------------------------------------------------------------------------

NORMAL: dict[str, dict[str, Any]] = {
    "rescale": {"rescale": 1 / 255},
    "samplewise": {"samplewise_center": True, "samplewise_std_normalization": True},
    "featurewise": {"featurewise_center": True, "featurewise_std_normalization": True},
    "all": {
        **{"rescale": 1 / 255, "samplewise_center": True, "samplewise_std_normalization": True},
        **{"featurewise_center": True, "featurewise_std_normalization": True},
        "preprocessing_function": lambda image: image + 3,
    },
}


@pytest.mark.parametrize("name", NORMAL)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_normalisation_is_keras_own_to_the_bit(name: str, data_format: str) -> None:
    theirs, ours = both(**NORMAL[name], data_format=data_format)
    images = photos(6).astype("float32")
    if data_format == "channels_first":
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    for generator in (theirs, ours):
        generator.fit(images)
    for given in (images, images[0]):
        np.testing.assert_array_equal(
            ours.standardize(given.copy()), theirs.standardize(given.copy())
        )
    wanted = next(theirs.flow(images, shuffle=False, batch_size=6))
    np.testing.assert_array_equal(next(ours.flow(images, shuffle=False, batch_size=6)), wanted)


def test_zca_whitening_is_keras_own() -> None:
    images = photos(20, 6, 6).astype("float32") / 255
    theirs, ours = both(zca_whitening=True, zca_epsilon=1e-2)
    for generator in (theirs, ours):
        generator.fit(images)
    np.testing.assert_allclose(ours.zca_whitening_matrix, theirs.zca_whitening_matrix, atol=1e-2)
    wanted = theirs.standardize(images.copy())
    np.testing.assert_allclose(ours.standardize(images.copy()), wanted, atol=1e-2)


def test_fit_on_transformed_images_is_keras_own() -> None:
    arguments = {"featurewise_center": True, "featurewise_std_normalization": True}
    theirs, ours = both(**arguments, rotation_range=30, horizontal_flip=True, rescale=0.5)
    for generator in (theirs, ours):
        generator.fit(photos(6), augment=True, rounds=2, seed=3)
    np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-2)
    np.testing.assert_allclose(ours.std, theirs.std, rtol=1e-2)


def test_one_normalisation_that_includes_another_warns() -> None:
    with pytest.warns(UserWarning, match="`samplewise_std_normalization` = True makes"):
        made = ImageDataGenerator(samplewise_std_normalization=True)
    assert made.samplewise_center


# -- random parameters --------------------------------------------------------------------------

RANGES: dict[str, Any] = {
    **{"rotation_range": 40, "shear_range": 10, "zoom_range": 0.3, "channel_shift_range": 20},
    **{"brightness_range": (0.5, 1.5), "horizontal_flip": True, "vertical_flip": True},
}


def test_the_same_seed_draws_the_parameters_that_keras_draws() -> None:
    theirs, ours = both(**RANGES, zca_epsilon=1e-6)
    for seed in range(20):
        wanted = theirs.get_random_transform((96, 96, 3), seed)
        assert ours.get_random_transform((96, 96, 3), seed) == wanted


@pytest.mark.parametrize("given", [0.2, 3, 3.5, [1, 2, 3], [0.1, 0.2], (-2, 2)])
def test_shifts_are_those_of_keras_with_height_for_up_and_down(given: Any) -> None:
    theirs, ours = both(height_shift_range=given, width_shift_range=given)
    for seed in range(10):
        wanted = theirs.get_random_transform((96, 48, 3), seed)
        made = ours.get_random_transform((96, 48, 3), seed)
        assert (made["ty"], made["tx"]) == (wanted["tx"], wanted["ty"])


def test_height_moves_rows_and_width_moves_columns() -> None:
    rows, cols = np.mgrid[:20, :20].astype("float32")[:, :, :, None]
    tall = ImageDataGenerator(height_shift_range=[4])
    wide = ImageDataGenerator(width_shift_range=[4])
    assert np.array_equal(tall.random_transform(cols, 1), cols)
    assert not np.array_equal(tall.random_transform(rows, 1), rows)
    assert np.array_equal(wide.random_transform(rows, 1), rows)
    assert not np.array_equal(wide.random_transform(cols, 1), cols)


def test_a_seed_leaves_numpys_own_random_numbers_alone() -> None:
    np.random.seed(1)
    wanted = np.random.random()
    np.random.seed(1)
    ours = ImageDataGenerator(**RANGES)
    ours.random_transform(photo(), seed=5)
    flow = ours.flow(photos(4), seed=5)
    next(flow)
    assert np.random.random() == wanted


def test_a_flow_of_the_same_seed_gives_keras_own_pictures() -> None:
    theirs, ours = both(**{**RANGES, "brightness_range": None}, rescale=1 / 255)
    images, labels = photos(10), np.arange(10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = theirs.flow(images, labels, batch_size=4, seed=8)
    made = ours.flow(images, labels, batch_size=4, seed=8)
    for _ in range(7):  # more than two passes
        (x, y), (wanted_x, wanted_y) = next(made), next(wanted)
        np.testing.assert_array_equal(y, wanted_y)
        assert difference(x * 255, wanted_x * 255) < MOST


# -- sets of arguments that nobody thought of ----------------------------------------------------

CHOICES: dict[str, list[Any]] = {
    "rotation_range": [0, 10, 180],
    "shear_range": [0, 5, 30.0],
    "zoom_range": [0.0, 0.2, (0.5, 1.5), [1.2, 2]],
    "channel_shift_range": [0.0, 0.0, 50.5],
    "brightness_range": [None, None, (0.5, 1.5)],
    "fill_mode": list(FILL_MODES),
    "cval": [0.0, 255.0],
    "horizontal_flip": [False, True],
    "vertical_flip": [False, True],
    "samplewise_center": [False, False, True],
    "data_format": ["channels_last", "channels_first"],
    "interpolation_order": [0, 1],
    "dtype": ["float32", "float64", "uint8", "int32"],
}


def drawn(random: np.random.RandomState) -> tuple[dict[str, Any], Any]:
    """Arguments that Keras's class can do, and an image of any size and number of channels."""
    given = {name: values[random.randint(len(values))] for name, values in CHOICES.items()}
    if given["dtype"] in ("uint8", "int32"):
        given["samplewise_center"] = False
    if given["data_format"] == "channels_first":
        given["brightness_range"] = None  # Keras takes the columns for channels
    image = photo(random.randint(5, 97), random.randint(5, 97))
    image = np.dstack([image, 255 - image[:, :, :1]])[:, :, : random.choice([1, 3, 4])]
    image = image.transpose(2, 0, 1) if given["data_format"] == "channels_first" else image
    return given, image.astype(given["dtype"])


@pytest.mark.parametrize("trial", range(4))
def test_any_set_of_arguments_gives_keras_own_pictures(trial: int) -> None:
    random = np.random.RandomState(trial)
    for seed in range(30):
        given, image = drawn(random)
        theirs, ours = both(**given)
        parameters = ours.get_random_transform(image.shape, seed)
        assert parameters == theirs.get_random_transform(image.shape, seed), given
        shifts = {"tx": random.uniform(-9, 9), "ty": random.uniform(-9, 9)}
        wanted = theirs.apply_transform(image, {**parameters, **shifts})
        made = ours.apply_transform(image, {**parameters, **shifts})
        assert (made.shape, made.dtype) == (image.shape, image.dtype)
        left, right = ours.standardize(made), theirs.standardize(wanted)
        assert difference(left, right) < MOST, (given, parameters, shifts)
