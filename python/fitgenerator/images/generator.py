"""The public class: what is done to images, and the flows that do it."""

from __future__ import annotations

from typing import Any

from .augmenter import Augmenter
from .flows.arrays import NumpyArrayIterator
from .flows.base import Batching
from .flows.data_frame import DataFrameIterator, refuse_unknown
from .flows.directory import DirectoryIterator
from .flows.files import look


class ImageDataGenerator(Augmenter):
    """Random transformations and normalisation of images, and flows of batches of them.

    The arguments are those of Keras's class of this name. An image is transformed first, in float32
    (float64 where `dtype` is), all geometry in one warp; then `preprocessing_function`, `rescale`
    and the normalisations follow, in this order.

    Args:
        featurewise_center: Subtract the mean of the images that `fit` was given, by channel.
        samplewise_center: Subtract each image's own mean.
        featurewise_std_normalization: Divide by the standard deviation of the images that `fit` was
            given, by channel; includes `featurewise_center`.
        samplewise_std_normalization: Divide by each image's own; includes `samplewise_center`.
        zca_whitening: Whiten by what `fit` has learned; includes `featurewise_center`.
        zca_epsilon: Keeps the whitening's divisions away from 0.
        rotation_range: Degrees to turn by at most, either way.
        width_shift_range: How far to move sideways: below 1 a fraction of the width, from 1 on
            pixels; a list: one of these values; a whole number n: a whole number below n. Either
            way.
        height_shift_range: The same, up and down.
        brightness_range: Two factors, between which each image's is drawn; `None` for none.
        shear_range: Degrees to shear by at most, either way.
        zoom_range: Two factors between which height and width are drawn; below 1 enlarges. A number
            z stands for 1 - z and 1 + z.
        channel_shift_range: What is added to all channels at most, either way.
        fill_mode: What lies outside of an image: "nearest" its edge; "constant" `cval`; "reflect"
            its mirror image; "wrap" its other side.
        cval: The value outside, for "constant".
        horizontal_flip: Whether half of the images, at random, are mirrored.
        vertical_flip: Whether half of the images, at random, are upside down.
        rescale: What values are multiplied by, such as `1 / 255`; `None` or 0 for nothing.
        preprocessing_function: Called with each transformed image, before `rescale`: an array of
            rank 3, which it may change; returns an array of that shape. Flows call it on the
            threads that read them, several at once with `workers` above 1. An R function (rpy2)
            runs on Python's main thread, with random numbers that follow from the flow's seed.
        data_format: "channels_last", "channels_first", or `None` for Keras's own.
        validation_split: Share of the images, from 0 to below 1, that `subset="validation"` is; the
            first ones.
        interpolation_order: Between pixels: 0 nearest, 1 linear, 2 or 3 cubic, 4 or 5 Lanczos.
        dtype: Of the batches, `None` for Keras's `floatx`.

    Raises:
        ValueError: An argument is not what it must be.
        TypeError: `preprocessing_function` is no function.

    Warns:
        ImageWarning: One normalisation includes another, which was not asked for.
    """

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of images that are in an array.

        Args:
            x: Of shape `(images, height, width, channels)`, or as `data_format` says; or two:
                `(x, further)`, where `further` is another input with a row for each image, or a
                list of such.
            y: Targets, a row for each image; `None`: batches are images alone.
            batch_size: Images of a batch; the last of a pass may have fewer.
            shuffle: Whether each pass has an order of its own.
            sample_weight: A weight for each image.
            seed: Of orders and transformations, below 2**32; `None`: drawn from `numpy.random`.
            save_to_dir: A folder in which each picture is also written; `None` for none.
            save_prefix: Begins the names of these files.
            save_format: Their format, such as "png" or "jpeg".
            ignore_class_split: Allow classes that only one of the subsets has.
            subset: "training" or "validation", as `validation_split` says; `None` for all.

        Returns:
            The flow, for `fit_generator` and its kin, or to iterate over.

        Raises:
            ValueError: An argument is not what it must be, or arrays of different length.
            TypeError: An argument of a kind that cannot be used.
        """
        return NumpyArrayIterator(
            x,
            y,
            self,
            Batching(batch_size, shuffle, seed, subset, save_to_dir, save_prefix, save_format),
            sample_weight=sample_weight,
            ignore_class_split=ignore_class_split,
        )

    def flow_from_directory(
        self,
        directory: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        on_error: str = "raise",
    ) -> DirectoryIterator:
        """Batches of the images in a directory that has a folder for each class.

        Args:
            directory: Its path. All PNG, JPEG, BMP, PPM and TIFF files in a class's folder, and in
                the folders in it, are of that class.
            target_size: Height and width that images are resized to, in pixels.
            color_mode: "grayscale", "rgb" or "rgba": 1, 3 or 4 channels.
            classes: Names of the folders, in the order of the classes' numbers; `None`: all, in
                alphabetical order.
            class_mode: Targets: "categorical" 1 at the class; "binary" or "sparse" the class's
                number; "input" the images themselves; `None`: none, for predictions.
            batch_size: As for `flow`.
            shuffle: As for `flow`; False keeps predictions in the order of `filenames`.
            seed: As for `flow`.
            save_to_dir: As for `flow`.
            save_prefix: As for `flow`.
            save_format: As for `flow`.
            follow_links: Whether links to folders, below a class's, are followed.
            subset: As for `flow`; the first images of each class are for validation.
            interpolation: How images are resized: "nearest", "bilinear", "bicubic", "lanczos",
                "box" or "hamming". A JPEG of four times the target or more is decoded at a reduced
                scale beforehand, which is faster and smoother.
            keep_aspect_ratio: Whether to cut out the middle rather than distort.
            on_error: What to do with a file that cannot be read: "raise" an error that names it,
                or "skip": leave it out, warn of the first, and count in `flow.skipped`.

        Returns:
            The flow, for `fit_generator` and its kin, or to iterate over.

        Raises:
            ValueError: An argument is not what it must be, or there are no images.
            TypeError: An argument of a kind that cannot be used.
        """
        return DirectoryIterator(
            directory,
            self,
            look(target_size, color_mode, interpolation, keep_aspect_ratio, on_error),
            Batching(batch_size, shuffle, seed, subset, save_to_dir, save_prefix, save_format),
            classes=classes,
            class_mode=class_mode,
            follow_links=follow_links,
        )

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        keep_aspect_ratio: bool = False,
        on_error: str = "raise",
        **without_effect: Any,
    ) -> DataFrameIterator:
        """Batches of images whose files a data frame names.

        Args:
            dataframe: A data frame of pandas or another package, or a dict of columns.
            directory: What the names are relative to; `None`: they are paths.
            x_col: Column of the files' names.
            y_col: Column of the targets; a list of columns for "multi_output" and "raw".
            weight_col: Column of sample weights; `None` for none.
            target_size: As for `flow_from_directory`, and so for what is not named here.
            color_mode: See there.
            classes: The classes in the order of their numbers; rows of others are left out.
            class_mode: As there, with text, or lists of text for "categorical", in `y_col`; or
                "raw" the numbers in `y_col`; or "multi_output" a list of them, by column.
            batch_size: See there.
            shuffle: See there.
            seed: See there.
            save_to_dir: See there.
            save_prefix: See there.
            save_format: See there.
            subset: See there; the first rows are for validation.
            interpolation: See there.
            validate_filenames: Whether to look, once, if the files are there; rows of others are
                left out with a warning.
            keep_aspect_ratio: See there.
            on_error: See there.
            without_effect: `drop_duplicates`, `has_ext` and `sort`, which old code may still have.

        Returns:
            The flow, for `fit_generator` and its kin, or to iterate over.

        Raises:
            ValueError: An argument is not what it must be, or no row is left.
            TypeError: An argument, or a column, of a kind that cannot be used.

        Warns:
            ImageWarning: Rows are left out because their files are not there.
        """
        refuse_unknown(without_effect)
        return DataFrameIterator(
            dataframe,
            self,
            look(target_size, color_mode, interpolation, keep_aspect_ratio, on_error),
            Batching(batch_size, shuffle, seed, subset, save_to_dir, save_prefix, save_format),
            directory=directory,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            classes=classes,
            class_mode="raw" if class_mode == "other" else class_mode,
            validate_filenames=validate_filenames,
        )
