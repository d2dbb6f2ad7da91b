"""Classes that derive from ours as from Keras's flows; flows made by their classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fitgenerator import ArgumentError, ArgumentTypeError, fit_generator, images, predict_generator
from fitgenerator.images import ImageDataGenerator
from fitgenerator.sources.recognition import as_source
from keras.src.legacy.preprocessing import image as legacy
from support.pictures import both, greys, mean_model, photos, write_classes

FLIPS: dict[str, Any] = {"horizontal_flip": True, "vertical_flip": True, "channel_shift_range": 20}

pytestmark = pytest.mark.usefixtures("quietly")


@pytest.fixture(scope="module")
def animals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """11 pictures of two classes."""
    return write_classes(tmp_path_factory.mktemp("animals"), cats=5, dogs=6)


@pytest.fixture
def frame(animals: Path) -> dict[str, list[str]]:
    """The pictures as the columns of a data frame."""
    names = sorted(str(path.relative_to(animals)) for path in animals.glob("*/*.png"))
    return {"filename": names, "class": [name.split("/")[0] for name in names]}


def pairs(module: Any, generator: Any) -> Any:
    """A flow of a class of its own, which derives from the `Iterator` of Keras or from ours."""

    class Pairs(module.Iterator):
        """Images, each with a transformed one."""

        def __init__(self, x: Any, generator: Any) -> None:
            self.x, self.generator = x, generator
            super().__init__(len(x), 3, True, 5)

        def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
            return self.x[index_array], np.stack([self._changed(i) for i in index_array])

        def _changed(self, index: int) -> Any:
            image = self.x[index].astype("float32")
            chosen = self.generator.get_random_transform(image.shape)
            return self.generator.standardize(self.generator.apply_transform(image, chosen))

    return Pairs(photos(7), generator)


def test_T24_a_class_by_kerass_rules_gives_kerass_batches() -> None:
    theirs, ours = both(**FLIPS, rescale=1 / 255)
    wanted, made = pairs(legacy, theirs), pairs(images, ours)
    for _ in range(7):
        for left, right in zip(next(made), next(wanted), strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-6)
    assert repr(made) == "<Pairs: 7 images, shuffled; batches of 3, 3 in a pass>"


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T24_a_class_by_kerass_rules_can_be_trained_on(workers: int) -> None:
    seen = []
    flow = pairs(images, ImageDataGenerator(**FLIPS))
    made = flow._get_batches_of_transformed_samples

    def noted(index_array: Any) -> Any:
        seen.extend(index_array)
        return made(index_array)[0], np.zeros(len(index_array))

    flow._get_batches_of_transformed_samples = noted
    assert not as_source(flow, "generator").exclusive
    fit_generator(mean_model(), flow, epochs=2, verbose=0, workers=workers)
    assert sorted(seen) == sorted([*range(7)] * 2)


def in_directory(module: Any, generator: Any, folder: Path, **given: Any) -> Any:
    """A class that derives from a flow of files, and uses what that makes."""

    class Numbered(module.DirectoryIterator):
        """The batch, and the numbers of its images."""

        def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
            x, y = super()._get_batches_of_transformed_samples(index_array)
            return x, y, index_array

    return Numbered(str(folder), generator, target_size=(8, 8), batch_size=4, seed=2, **given)


@pytest.mark.parametrize("given", [{}, {"class_mode": "sparse", "dtype": "float64"}])
def test_T24_a_class_that_adds_to_a_flow_of_files_gives_kerass_batches(
    animals: Path, given: dict[str, Any]
) -> None:
    theirs, ours = both(**FLIPS)
    wanted = in_directory(legacy, theirs, animals, **given)
    made = in_directory(images, ours, animals, **given)
    for _ in range(6):
        for left, right in zip(next(made), next(wanted), strict=True):
            np.testing.assert_array_equal(left, right)
    assert next(made)[0].dtype == given.get("dtype", "float32")


def test_T24_a_method_that_is_assigned_is_called(animals: Path) -> None:
    flow = ImageDataGenerator().flow_from_directory(
        animals, (8, 8), class_mode=None, shuffle=False, batch_size=4
    )
    made = flow._get_batches_of_transformed_samples
    flow._get_batches_of_transformed_samples = lambda indices: made(indices) + 100
    assert greys(next(flow)) == [100, 101, 102, 103]
    predicted = predict_generator(mean_model(), flow)
    np.testing.assert_allclose(predicted.ravel(), np.arange(100, 111), rtol=1e-6)


def test_T24_flows_can_be_made_with_the_arguments_of_kerass_classes(
    animals: Path, frame: dict[str, list[str]]
) -> None:
    import pandas as pd

    theirs, ours = both(**FLIPS)
    labels = np.arange(7)
    batches = []
    for module, generator in ((legacy, theirs), (images, ours)):
        flows = [
            module.NumpyArrayIterator(photos(7), labels, generator, 3, True, None, 4),
            module.DirectoryIterator(str(animals), generator, (8, 8), "grayscale", seed=4),
            module.DataFrameIterator(
                pd.DataFrame(frame), str(animals), generator, target_size=(8, 8), seed=4
            ),
        ]
        batches.append([next(flow) for flow in flows for _ in range(3)])
    for left, right in zip(*batches, strict=True):
        for array, other in zip(left, right, strict=True):
            np.testing.assert_array_equal(array, other)
    plain = images.NumpyArrayIterator(photos(7), None)
    np.testing.assert_array_equal(next(plain), photos(7).astype("float32"))


def test_T24_what_a_class_lacks_is_said() -> None:
    with pytest.raises(ArgumentTypeError, match=r"Iterator must define the method `_get_batches"):
        next(images.Iterator(4, 2, False, None))
    with pytest.raises(ArgumentError, match="`data_format` must be that of the generator"):
        images.NumpyArrayIterator(
            photos(2), None, ImageDataGenerator(), data_format="channels_first"
        )
