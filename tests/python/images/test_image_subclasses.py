"""Classes that derive from ours as from Keras's flows; flows made by their classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fitgenerator import (
    ArgumentError,
    ArgumentTypeError,
    evaluate_generator,
    fit_generator,
    images,
    predict_generator,
)
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


# -- passes of a class's own ---------------------------------------------------------------------


def labelled(kind: type, **given: Any) -> Any:
    """A flow of 8 labelled pictures of a class."""
    return kind(photos(8), np.arange(8.0), ImageDataGenerator(), batch_size=2, **given)


class Telling(images.NumpyArrayIterator):
    """Notes where its passes begin and end."""

    def __init__(self, *given: Any, **options: Any) -> None:
        self.told: list[str] = []
        super().__init__(*given, **options)

    def on_epoch_begin(self) -> None:
        self.told.append("begin")
        super().on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.told.append("end")
        super().on_epoch_end()


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T5_T24_hooks_of_a_derived_flow_are_called(workers: int) -> None:
    flow = labelled(Telling)
    fit_generator(mean_model(), flow, epochs=2, verbose=0, workers=workers)
    evaluate_generator(mean_model(), flow, workers=workers)
    assert flow.told == ["begin", "end"] * 3


@pytest.mark.parametrize("workers", [0, 3])
def test_T5_T24_a_hook_that_is_assigned_to_a_flow_is_called_once_a_pass(workers: int) -> None:
    told: list[str] = []
    flow = labelled(images.NumpyArrayIterator, shuffle=True, seed=1)
    orders: list[list[int]] = []
    flow.on_epoch_end = lambda: told.append("end")
    flow._get_batches_of_transformed_samples = noting(flow, orders)
    fit_generator(mean_model(), flow, epochs=3, verbose=0, workers=workers)
    assert told == ["end"] * 3
    images_of = [index for order in orders for index in order]
    passes = [images_of[first : first + 8] for first in (0, 8, 16)]
    assert [sorted(one) for one in passes] == [[*range(8)]] * 3
    assert passes[0] != passes[1] != passes[2]  # a new order, though the hook asks for none


def noting(flow: Any, orders: list[list[int]]) -> Any:
    """What makes a flow's batches, noting their images."""
    made = flow._get_batches_of_transformed_samples

    def noted(index_array: Any) -> Any:
        orders.append(list(index_array))
        return made(index_array)

    return noted


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_T6_T24_the_length_of_a_derived_flow_is_its_own(workers: int) -> None:
    class Half(images.NumpyArrayIterator):
        """Gives two batches in a pass."""

        def __len__(self) -> int:
            return 2

    flow = labelled(Half)
    history = fit_generator(mean_model(), flow, epochs=2, verbose=0, workers=workers)
    assert history.params["steps"] == 2
    assert history.pipeline.steps == 4
    assert len(predict_generator(mean_model(), flow, workers=workers)) == 4


def test_T24_an_object_can_be_given_a_class_that_derives_from_its_own() -> None:
    flow = labelled(images.NumpyArrayIterator)
    flow.told = []
    flow.__class__ = Telling
    assert isinstance(flow, Telling)
    fit_generator(mean_model(), flow, verbose=0)
    assert flow.told == ["begin", "end"]


@pytest.mark.parametrize("n", [0, -3, 2.5, "a", None])
def test_T24_a_flow_has_at_least_one_image(n: Any) -> None:
    with pytest.raises(ArgumentError, match="`n` must be a whole number of at least 1, not"):
        images.Iterator(n, 2, False, None)


def test_T24_shuffle_is_checked_when_a_flow_is_made_and_when_it_is_set() -> None:
    for wrong in ("no", 1, None):
        with pytest.raises(ArgumentError, match="`shuffle` must be True or False"):
            images.Iterator(4, 2, wrong, None)
        with pytest.raises(ArgumentError, match="`shuffle` must be True or False"):
            images.Iterator(4, 2, False, None).shuffle = wrong
