"""The public class: random transformations of images, and the flows that apply them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .arguments import Path
from .augmenter import Augmenter
from .flows.arrays import NumpyArrayIterator
from .flows.data_frame import DataFrameIterator, refuse_unknown
from .flows.directory import DirectoryIterator
from .flows.table import Names


class ImageDataGenerator(Augmenter):
    """Random transformations and normalisation of images, and flows of batches of them.

    The arguments are those of Keras's class of this name. An image is transformed first, in float32
    (float64 if `dtype` is), all geometry in one warp. Then `preprocessing_function`, `rescale` and
    the normalisations follow, in this order.

    Args:
        featurewise_center: Subtract the mean of the images given to `fit`, by channel.
        samplewise_center: Subtract each image's own mean.
        featurewise_std_normalization: Divide by the standard deviation of the images given to
            `fit`, by channel; includes `featurewise_center`.
        samplewise_std_normalization: Divide by each image's own standard deviation; includes
            `samplewise_center`.
        zca_whitening: Whiten by what `fit` has learned; includes `featurewise_center`.
        zca_epsilon: Keeps the whitening from dividing by 0.
        rotation_range: Degrees to rotate by at most, in either direction.
        width_shift_range: How far to shift sideways, in either direction. A number below 1 is a
            fraction of the width, from 1 on pixels; a list stands for one of its values; a whole
            number n stands for a whole number below n.
        height_shift_range: The same, up and down.
        brightness_range: Two factors, between which each image's factor is drawn; `None` for none.
        shear_range: Degrees to shear by at most, in either direction.
        zoom_range: Two factors, between which height and width are drawn; below 1 enlarges. A
            number z stands for 1 - z and 1 + z.
        channel_shift_range: The most that is added to all channels, or subtracted from them.
        fill_mode: What lies outside of an image: "nearest" its edge; "constant" `cval`; "reflect"
            its mirror image; "wrap" its other side.
        cval: The value outside, for "constant".
        horizontal_flip: Whether a random half of the images is mirrored.
        vertical_flip: Whether a random half of the images is turned upside down.
        rescale: Factor by which values are multiplied, such as `1 / 255`; `None` or 0 for none.
        preprocessing_function: Called with each transformed image, before `rescale`: an array of
            rank 3, which it may change. Returns an array of that shape. Flows call it on the
            threads that read them, several at once with `workers` above 1. An R function (rpy2)
            runs on Python's main thread, with random numbers that follow from the flow's seed.
        data_format: "channels_last", "channels_first", or `None` for Keras's default.
        validation_split: Share of the images, from 0 to below 1, that `subset="validation"` is: the
            first ones.
        interpolation_order: Interpolation between pixels: 0 nearest, 1 linear, 2 or 3 cubic, 4 or 5
            Lanczos.
        dtype: Dtype of the batches, `None` for Keras's `floatx`.

    Raises:
        ValueError: An argument has an invalid value.
        TypeError: `preprocessing_function` is no function.

    Warns:
        ImageWarning: A normalisation includes another one that was not asked for.
    """

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Path | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Make batches of images in an array.

        Args:
            x: Array of shape `(images, height, width, channels)`, or as `data_format` says; or a
                pair `(x, further)`, where `further` is another input with a row for each image, or
                a list of such inputs.
            y: Targets, a row for each image; `None`: batches are images alone.
            batch_size: Images of a batch; the last of a pass may have fewer.
            shuffle: Whether each pass has an order of its own.
            sample_weight: A weight for each image.
            seed: Seed of orders and transformations, below 2**32; `None` draws one from
                `numpy.random`.
            save_to_dir: Folder to which each picture is also written; `None` for none.
            save_prefix: Beginning of the names of these files.
            save_format: Format of these files, such as "png" or "jpeg".
            ignore_class_split: Allow classes that only one of the subsets has.
            subset: "training" or "validation", as `validation_split` says; `None` for all.

        Returns:
            The flow, for `fit_generator` and its siblings, or to iterate over.

        Raises:
            ValueError: An argument has an invalid value, or arrays differ in length.
            TypeError: An argument is of a type that cannot be used.
        """
        return NumpyArrayIterator(
            x,
            y,
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            ignore_class_split=ignore_class_split,
        )

    def flow_from_directory(
        self,
        directory: Path,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Path | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        on_error: str = "raise",
    ) -> DirectoryIterator:
        """Make batches of the images in a directory that has a folder for each class.

        Arguments that are not explained here are those of `flow`.

        Args:
            directory: Path of the directory. All PNG, JPEG, BMP, PPM and TIFF files in a class's
                folder, and in the folders in it, are of that class.
            target_size: Height and width that images are resized to, in pixels.
            color_mode: "grayscale", "rgb" or "rgba": 1, 3 or 4 channels.
            classes: Names of the folders, in the order of the classes' numbers; `None` for all, in
                alphabetical order.
            class_mode: Targets: "categorical" 1 at the class; "binary" or "sparse" the class's
                number; "input" the images themselves; `None` no targets, for predictions.
            shuffle: As for `flow`; False keeps predictions in the order of `filenames`.
            follow_links: Whether links to folders, below a class's, are followed.
            subset: As for `flow`; the first images of each class are for validation.
            interpolation: How images are resized: "nearest", "bilinear", "bicubic", "lanczos",
                "box" or "hamming". A JPEG of at least four times the target is decoded at a reduced
                scale first, which is faster and smoother.
            keep_aspect_ratio: Whether to cut out the middle rather than distort.
            on_error: What to do with a file that cannot be read: "raise" an error that names the
                file, or "skip" it, warn about the first, and count in `flow.skipped`.

        Returns:
            The flow, for `fit_generator` and its siblings, or to iterate over.

        Raises:
            ValueError: An argument has an invalid value, or there are no images.
            TypeError: An argument is of a type that cannot be used.

        Warns:
            ImageWarning: One of the `classes` has no folder, pictures are left out because they
                are of another format (GIF, WebP), or only the other subset has images of a class.
        """
        return DirectoryIterator(
            directory,
            self,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            follow_links=follow_links,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            on_error=on_error,
        )

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Path | None = None,
        x_col: str = "filename",
        y_col: Names = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Path | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        keep_aspect_ratio: bool = False,
        on_error: str = "raise",
        **without_effect: Any,
    ) -> DataFrameIterator:
        """Make batches of images whose files a data frame names.

        Arguments that are not explained here are those of `flow_from_directory` and `flow`.

        Args:
            dataframe: A data frame of pandas or another package, or a dict of columns.
            directory: Folder that the names are relative to; `None`: the names are paths.
            x_col: Column of the files' names.
            y_col: Column of the targets; a list of columns for "multi_output" and "raw".
            weight_col: Column of sample weights; `None` for none.
            classes: The classes in the order of their numbers; rows of other classes are left out.
            class_mode: As for `flow_from_directory`, with text, or lists of text for "categorical",
                in `y_col`; or "raw" for the numbers in `y_col`; or "multi_output" for a list of
                them, by column.
            subset: As for `flow`; the first rows are for validation.
            validate_filenames: Whether to check, once, that the files exist; rows of others are
                left out with a warning.
            without_effect: `drop_duplicates`, `has_ext` and `sort`, which old code may still have.

        Returns:
            The flow, for `fit_generator` and its siblings, or to iterate over.

        Raises:
            ValueError: An argument has an invalid value, or no row is left.
            TypeError: An argument, or a column, is of a type that cannot be used.

        Warns:
            ImageWarning: Rows are left out because their files do not exist, or only the other
                subset has images of a class.
        """
        refuse_unknown(without_effect)
        return DataFrameIterator(
            dataframe,
            directory,
            self,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            validate_filenames=validate_filenames,
            on_error=on_error,
        )
