"""Files of every kind, read as Keras reads them, and those that cannot be read."""

from __future__ import annotations

import builtins
import os
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import pytest
from fitgenerator import ImageError
from fitgenerator.images.reading import decode, resize
from fitgenerator.images.reading.target_format import CHANNELS, TargetFormat
from keras.utils import img_to_array, load_img
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from support.broken_pictures import BROKEN, encoded
from support.pictures import Array, difference, photo, write
from support.platforms import links, named_pipes

SIZE = (48, 64)
MODES = {
    **{"rgb.png": "RGB", "rgba.png": "RGBA", "grey.png": "L", "grey-alpha.png": "LA"},
    **{"palette.png": "P", "bits.png": "1", "rgb.jpg": "RGB", "grey.jpeg": "L", "cmyk.jpg": "CMYK"},
    **{"rgb.bmp": "RGB", "grey.bmp": "L", "rgb.ppm": "RGB", "rgb.tif": "RGB", "rgba.tiff": "RGBA"},
    **{"deep.png": "I;16", "deep.tif": "I;16", "palette.bmp": "P", "cmyk.tif": "CMYK"},
}
# PNG files that say how bright their values are: chunk and contents.
GAMMAS = {"gamma.png": (b"gAMA", (45455).to_bytes(4, "big")), "srgb.png": (b"sRGB", b"\0")}
# How JPEG files store their colours.
JPEGS: dict[str, dict[str, Any]] = {
    **{f"colours-{i}.jpg": {"quality": 60, "subsampling": i} for i in range(3)},
    "progressive.jpg": {"progressive": True},
}


def read(
    path: Any, target: Any = SIZE, mode: str = "rgb", by: str = "nearest", keep: bool = False
) -> Array:
    """An image as flows read it."""
    return decode.read(str(path), TargetFormat(target, mode, by, keep))[:, :, : CHANNELS[mode]]


def keras_read(
    path: Any, target: Any = SIZE, mode: str = "rgb", by: str = "nearest", keep: bool = False
) -> Array:
    """An image as Keras reads it."""
    return np.asarray(img_to_array(load_img(path, mode, target, by, keep)))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each kind."""
    folder, made = tmp_path_factory.mktemp("files"), {}
    for name, mode in MODES.items():
        if mode == "I;16":
            deep = photo(60, 80)[:, :, 0].astype("uint16") * 200
            made[name] = write(folder / name, deep)
        else:
            alpha = np.dstack([photo(60, 80), photo(60, 80)[:, :, 1]])
            made[name] = write(folder / name, alpha if mode == "RGBA" else photo(60, 80), mode)
    for name, chunk in GAMMAS.items():
        information = PngInfo()
        information.add(*chunk)
        made[name] = write(folder / name, photo(60, 80), pnginfo=information)
    for name, options in JPEGS.items():
        made[name] = write(folder / name, photo(60, 80), **options)
    return made


@pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
@pytest.mark.parametrize("name", [*MODES, *GAMMAS, *JPEGS])
def test_T12_every_kind_of_file_has_the_values_that_keras_sees(
    files: dict[str, Path], name: str, color_mode: str
) -> None:
    made = read(files[name], mode=color_mode)
    wanted = keras_read(files[name], mode=color_mode)
    assert made.shape == wanted.shape == (*SIZE, CHANNELS[color_mode])
    np.testing.assert_array_equal(made, wanted)


def test_T12_a_large_colour_jpeg_has_the_greys_of_its_colours(tmp_path: Path) -> None:
    path = write(tmp_path / "large.jpg", photo(400, 400), quality=95)
    greys = np.asarray(Image.fromarray(read(path)).convert("L"))
    np.testing.assert_array_equal(read(path, mode="grayscale")[:, :, 0], greys)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("by", ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"])
def test_images_are_resized_as_keras_does(files: dict[str, Path], by: str, keep: bool) -> None:
    for target in ((60, 80), (48, 64), (100, 90), (18, 200), (200, 30), (1, 1), (61, 81)):
        made = read(files["rgb.png"], target, by=by, keep=keep)
        wanted = keras_read(files["rgb.png"], target, by=by, keep=keep)
        assert difference(made, wanted) < 1, target


@pytest.mark.parametrize("size", [(45, 70), (50, 40), (64, 48)])
def test_T32_nearest_pixels_are_kerass_own(tmp_path: Path, size: tuple[int, int]) -> None:
    path = write(tmp_path / "a.png", photo(*size))
    for target in ((60, 80), (18, 200), (200, 30), (61, 81), (33, 47)):
        np.testing.assert_array_equal(read(path, target), keras_read(path, target))


def test_T32_pillow_takes_the_nearest_pixels_where_this_opencv_takes_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = cv2.resize

    def others(image: Array, size: Any, interpolation: int) -> Array:
        return np.roll(taken(image, size, interpolation=interpolation), 1)

    path = write(tmp_path / "a.png", photo(60, 80))
    monkeypatch.setattr(cv2, "resize", others)
    resize.picks_pillows_pixels.cache_clear()
    try:
        np.testing.assert_array_equal(read(path, (18, 200)), keras_read(path, (18, 200)))
    finally:
        resize.picks_pillows_pixels.cache_clear()


@pytest.mark.parametrize("by", ["nearest", "bilinear", "hamming"])
def test_the_middle_that_is_cut_out_is_keras_own_also_where_it_is_small(
    tmp_path: Path, by: str
) -> None:
    for size in ((74, 18), (10, 6), (22, 9)):
        path = write(tmp_path / "small.png", photo(*size))
        for target in ((11, 59), (59, 4), (30, 37), (4, 43)):
            made = read(path, target, by=by, keep=True)
            wanted = keras_read(path, target, by=by, keep=True)
            assert difference(made, wanted) < (0.01 if by == "nearest" else 0.6), (size, target)


def test_grey_images_of_16_bits_keep_their_values(files: dict[str, Path]) -> None:
    made = read(files["deep.png"], mode="grayscale")
    assert made.max() > 40000
    np.testing.assert_array_equal(made, keras_read(files["deep.png"], mode="grayscale"))


def test_colours_of_the_user_are_not_turned_by_the_cameras_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = write(tmp_path / "turned.jpg", photo(60, 80), exif=exif)
    assert difference(read(path, (60, 80)), keras_read(path, (60, 80))) < 1


def test_a_file_is_what_it_holds_and_not_what_it_is_called(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", photo())
    path.rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read(tmp_path / "a.jpg"), keras_read(tmp_path / "a.jpg"))


@pytest.mark.parametrize(
    "name", ["日本語", "Ελληνικά", "русский", "עברית", "emoji 🐈", "a'b\"c %s"]
)
def test_names_of_files_may_be_in_any_script(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name / f"{name}.jpg", photo())
    assert difference(read(path), keras_read(path)) < 1


# -- reduced scale ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "flag"),
    [
        ((96, 128), cv2.IMREAD_COLOR),
        ((191, 255), cv2.IMREAD_COLOR),
        ((192, 256), cv2.IMREAD_REDUCED_COLOR_2),
        ((384, 512), cv2.IMREAD_REDUCED_COLOR_4),
        ((800, 1100), cv2.IMREAD_REDUCED_COLOR_8),
    ],
)
def test_a_large_jpeg_is_decoded_at_a_reduced_scale(
    tmp_path: Path, size: tuple[int, int], flag: int
) -> None:
    path = write(tmp_path / "large.jpg", photo(*size), quality=95)
    with mock.patch.object(cv2, "imdecode", wraps=cv2.imdecode) as decode:
        made = read(path, by="bilinear")
    assert decode.call_args.args[1] & ~cv2.IMREAD_IGNORE_ORIENTATION == flag
    assert difference(made, keras_read(path, by="bilinear")) < 4


def test_what_is_cut_out_decides_on_the_scale(tmp_path: Path) -> None:
    path = write(tmp_path / "wide.jpg", photo(100, 800))
    made = read(path, (50, 50), by="bilinear", keep=True)
    assert difference(made, keras_read(path, (50, 50), by="bilinear", keep=True)) < 2


# -- what cannot be read ------------------------------------------------------------------------


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    data, why = BROKEN[name]
    path = tmp_path / "broken.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=why) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_a_jpeg_with_something_behind_its_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "more.jpg"
    path.write_bytes(encoded("jpeg") + b"more")
    assert difference(read(path), keras_read(path)) < 1


@links
@named_pipes
def test_a_file_that_is_gone_or_cannot_be_opened_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.jpg cannot be read: No such file"):
        read(tmp_path / "gone.jpg")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    with pytest.raises(ImageError, match=r"loop\.jpg cannot be read: Too many levels"):
        read(loop)
    with pytest.raises(ImageError, match=r"cannot be read: Is a directory"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match=r"pipe\.jpg is empty"):
        read(tmp_path / "pipe.jpg")
    denied = PermissionError(13, "Permission denied")
    with (
        mock.patch.object(builtins, "open", side_effect=denied),
        pytest.raises(ImageError, match=r"a\.jpg cannot be read: Permission denied"),
    ):
        read(tmp_path / "a.jpg")
