#' Batches of images from a directory
#'
#' A flow reads, decodes, resizes and augments images on `workers` threads, in parallel with the training, and returns
#' batches without end. Use it with [fit_generator()], [evaluate_generator()] or [predict_generator()], to which it has
#' a length, or fetch batches with [generator_next()].
#'
#' @section Elements of a flow:
#' * `flow$n` (for files also `flow$samples`) is the number of images.
#' * `flow$filenames` are the files, in the order of the predictions if `shuffle = FALSE`.
#' * `flow$classes` are the numbers of their classes, counted from 0, and `flow$class_indices` maps names to numbers.
#' * `flow$skipped` are the files that were left out, with the reasons, if `on_error = "skip"`.
#' * `flow$batch_size`, `flow$shuffle` and `flow$seed` can be set; passes that begin later obey. What cannot be obeyed
#'   is refused.
#' * `flow$reset()` begins a new pass.
#'
#' @section Random numbers: The order and the transformations follow from `seed` and the number of the batch. They are
#' the same for any number of workers, and the same as those of Keras's class with this
#' seed, but for shifts (see [image_data_generator()]). Without a `seed`, it is
#' drawn from R's random numbers, so that [set.seed()] determines it.
#'
#' @param directory Path of a folder that contains one folder per class. All PNG, JPEG, BMP, PPM and TIFF files in the
#'   folder of a class, and in the folders in it, are of that class. For images without classes, use `classes = "."` and
#'   `class_mode = NULL`.
#' @param generator An image generator, as [image_data_generator()] returns it. The default leaves the images unchanged.
#' @param target_size Height and width, in pixels, to which images are resized.
#' @param color_mode `"rgb"`, `"grayscale"` or `"rgba"`: 3, 1 or 4 channels.
#' @param classes Names of the folders, in the order of the numbers of the classes. `NULL`: all, in alphabetical order.
#' @param class_mode The targets: `"categorical"`, one column per class, which is 1 for images of this class;
#'   `"binary"` or `"sparse"`, the number of the class, from 0; `"input"`, the images themselves; `NULL`, none, as for
#'   predictions.
#' @param batch_size Number of images per batch, at least 1. The last batch of a pass may have fewer.
#' @param shuffle Whether each pass has a new order. Use `FALSE` for predictions.
#' @param seed A whole number of at least 0 that the order and the transformations follow from. `NULL`: drawn from R's
#'   random numbers.
#' @param save_to_dir Folder in which to save each image that is made, for inspection. `NULL`: none.
#' @param save_prefix Prefix of the names of saved files.
#' @param save_format Format of saved files, such as `"png"` or `"jpeg"`.
#' @param follow_links Whether to follow links to folders.
#' @param subset `"training"` or `"validation"`: the part of the images that `validation_split` of the generator
#'   determines; `NULL`: all. The first images of each class are for validation.
#' @param interpolation How images are resized: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"` or
#'   `"hamming"`.
#' @param keep_aspect_ratio Whether to crop images to the aspect ratio of `target_size`, around their centre, rather
#'   than to distort them.
#' @param on_error What to do with a file that cannot be read: `"raise"` an error that names the file, or `"skip"` it,
#'   with a warning of class `fitgenerator_image_warning` at the end of the call. If no file of a batch can be read, the
#'   next batch takes its place; predictions and scores then have fewer batches.
#'
#' @return A flow, a Python object. Its batches are lists of images (an array of images x height x width x channels) and
#'   targets, or the images alone. Invalid arguments and a directory without images raise a
#'   `fitgenerator_argument_error`. A `fitgenerator_image_warning` tells of `classes` without a folder, of pictures in
#'   other formats (GIF, WebP), which are left out, and of classes that only the other `subset` has.
#' @seealso [image_data_generator()], [flow_images_from_dataframe()], [flow_images_from_data()]
#' @examplesIf fitgenerator:::has_images() && requireNamespace("png", quietly = TRUE)
#' # Digits as files: a folder for each class.
#' folder <- file.path(tempdir(), "digits")
#' for (i in 1:60) {
#'   class <- file.path(folder, digits$labels[[i]])
#'   dir.create(class, recursive = TRUE, showWarnings = FALSE)
#'   png::writePNG(digits$images[i, , ] / 16, file.path(class, sprintf("%02d.png", i)))
#' }
#'
#' augmented <- image_data_generator(rotation_range = 15, rescale = 1 / 255, validation_split = 0.2)
#' flow <- flow_images_from_directory(
#'   folder, augmented, c(8, 8), "grayscale", subset = "training", batch_size = 16
#' )
#' flow
#' str(flow$class_indices)
#' dim(generator_next(flow)[[1]])
#'
#' keras <- reticulate::import("keras")
#' layers <- keras$layers
#' model <- keras$Sequential(list(layers$Input(list(8L, 8L, 1L)), layers$Flatten(), layers$Dense(10L)))
#' model$compile(optimizer = "adam", loss = keras$losses$CategoricalCrossentropy(from_logits = TRUE))
#' fit_generator(model, flow, epochs = 2, verbose = 2, workers = 2)
#'
#' plain <- image_data_generator(rescale = 1 / 255)
#' test <- flow_images_from_directory(
#'   folder, plain, c(8, 8), "grayscale", class_mode = NULL, shuffle = FALSE
#' )
#' predicted <- predict_generator(model, test)
#' head(data.frame(file = test$filenames, digit = max.col(predicted) - 1))
#' @export
flow_images_from_directory <- function(directory, generator = image_data_generator(), target_size = c(256, 256),
                                       color_mode = "rgb", classes = NULL, class_mode = "categorical",
                                       batch_size = 32, shuffle = TRUE, seed = NULL, save_to_dir = NULL,
                                       save_prefix = "", save_format = "png", follow_links = FALSE, subset = NULL,
                                       interpolation = "nearest", keep_aspect_ratio = FALSE, on_error = "raise") {
  arguments <- c(flow_arguments(batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset), list(
    directory = check_folder(directory, "directory"),
    target_size = check_size(target_size),
    color_mode = color_mode,
    classes = check_names(classes, "classes"),
    class_mode = class_mode,
    follow_links = check_flag(follow_links, "follow_links"),
    interpolation = interpolation,
    keep_aspect_ratio = check_flag(keep_aspect_ratio, "keep_aspect_ratio"),
    on_error = on_error
  ))
  call_images("flow", "flow_from_directory", check_generator(generator), check_settings(arguments))
}

#' Batches of images from an array
#'
#' Like [flow_images_from_directory()], for images in memory.
#'
#' @inheritParams flow_images_from_directory
#' @inheritSection flow_images_from_directory Elements of a flow
#' @inheritSection flow_images_from_directory Random numbers
#' @param x Images: an array of images x height x width x channels. Or `list(x, other)`, where `other` is a further
#'   input of the model with one row per image, or a list of such inputs.
#' @param y Targets with one row per image: a vector, a factor (its codes, from 0), a matrix, or a data frame with
#'   columns of one type. `NULL`: the batches are the images alone.
#' @param sample_weight Weights, one per image. `NULL`: none.
#' @param subset `"training"` or `"validation"`: the part of the images that `validation_split` of the generator
#'   determines; `NULL`: all. The first images are for validation: shuffle them beforehand if they are sorted by class.
#' @param ignore_class_split Whether to allow classes that occur in only one of the subsets.
#'
#' @return A flow, a Python object. Invalid arguments raise a `fitgenerator_argument_error`.
#' @seealso [image_data_generator()], [flow_images_from_directory()]
#' @examplesIf fitgenerator:::has_images()
#' images <- array(digits$images, c(1797, 8, 8, 1))
#' turned <- image_data_generator(rotation_range = 15)
#' flow <- flow_images_from_data(images, digits$labels, turned, batch_size = 64)
#' flow
#' flow$n
#' @export
flow_images_from_data <- function(x, y = NULL, generator = image_data_generator(), batch_size = 32, shuffle = TRUE,
                                  sample_weight = NULL, seed = NULL, save_to_dir = NULL, save_prefix = "",
                                  save_format = "png", subset = NULL, ignore_class_split = FALSE) {
  arguments <- c(flow_arguments(batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset), list(
    x = check_images(x, list = TRUE),
    y = if (!is.null(y)) as_part(y, "y", NULL, NULL),
    sample_weight = if (!is.null(sample_weight)) as_part(sample_weight, "sample_weight", NULL, NULL),
    ignore_class_split = check_flag(ignore_class_split, "ignore_class_split")
  ))
  call_images("flow", "flow", check_generator(generator), check_settings(arguments))
}

#' Batches of images from files that a data frame lists
#'
#' Like [flow_images_from_directory()], for files that are listed together with their targets.
#'
#' @inheritParams flow_images_from_directory
#' @inheritSection flow_images_from_directory Elements of a flow
#' @inheritSection flow_images_from_directory Random numbers
#' @param dataframe A data frame with one row per image.
#' @param directory Folder that the names of the files are relative to. `NULL`: the names are paths.
#' @param x_col Name of the column with the names of the files.
#' @param y_col Name of the column with the targets; several names for the class modes `"raw"` and `"multi_output"`.
#' @param classes The classes, in the order of their numbers; rows of other classes are left out. `NULL`: the levels of
#'   a factor, or all classes that occur, in alphabetical order.
#' @param class_mode As for [flow_images_from_directory()], where `y_col` holds text, a factor or, for `"categorical"`,
#'   a list of character vectors for images that have several classes. Or `"raw"`: the numbers in `y_col`. Or
#'   `"multi_output"`: a list with the numbers in each column of `y_col`.
#' @param subset `"training"` or `"validation"`: the part of the rows that `validation_split` of the generator
#'   determines; `NULL`: all. The first rows are for validation: shuffle them beforehand if they are sorted by class. A
#'   `fitgenerator_image_warning` tells of classes that only the other part has.
#' @param drop_duplicates Whether to use only the first of several rows with the same file. `NULL` means `FALSE`.
#' @param weight_col Name of the column with sample weights. `NULL`: none.
#' @param validate_filenames Whether to check once that the files exist; rows of missing files are left out, with a
#'   warning.
#'
#' @return A flow, a Python object. Invalid arguments raise a `fitgenerator_argument_error`.
#' @seealso [image_data_generator()], [flow_images_from_directory()]
#' @examplesIf fitgenerator:::has_images() && requireNamespace("png", quietly = TRUE)
#' files <- data.frame(filename = sprintf("digit-%02d.png", 1:20), class = factor(digits$labels[1:20]))
#' for (i in 1:20) png::writePNG(digits$images[i, , ] / 16, file.path(tempdir(), files$filename[[i]]))
#'
#' flow <- flow_images_from_dataframe(
#'   files, tempdir(), target_size = c(8, 8), color_mode = "grayscale"
#' )
#' flow
#' dim(generator_next(flow)[[2]])
#' @export
flow_images_from_dataframe <- function(dataframe, directory = NULL, x_col = "filename", y_col = "class",
                                       generator = image_data_generator(), target_size = c(256, 256),
                                       color_mode = "rgb", classes = NULL, class_mode = "categorical",
                                       batch_size = 32, shuffle = TRUE, seed = NULL, save_to_dir = NULL,
                                       save_prefix = "", save_format = "png", subset = NULL,
                                       interpolation = "nearest", drop_duplicates = NULL, weight_col = NULL,
                                       validate_filenames = TRUE, keep_aspect_ratio = FALSE, on_error = "raise") {
  once <- !is.null(drop_duplicates) && check_flag(drop_duplicates, "drop_duplicates")
  if (once && is.data.frame(dataframe)) dataframe <- dataframe[!duplicated(dataframe[[x_col]]), , drop = FALSE]
  arguments <- c(flow_arguments(batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset), list(
    dataframe = frame_columns(dataframe, c(x_col, y_col, weight_col)),
    directory = check_folder(directory, "directory", null = TRUE),
    x_col = x_col,
    y_col = if (identical(class_mode, "multi_output")) as.list(y_col) else y_col,
    weight_col = weight_col,
    target_size = check_size(target_size),
    color_mode = color_mode,
    classes = frame_classes(dataframe, y_col, class_mode, classes),
    class_mode = class_mode,
    interpolation = interpolation,
    validate_filenames = check_flag(validate_filenames, "validate_filenames"),
    keep_aspect_ratio = check_flag(keep_aspect_ratio, "keep_aspect_ratio"),
    on_error = on_error
  ))
  call_images("flow", "flow_from_dataframe", check_generator(generator), check_settings(arguments))
}

# Checks the arguments that all flows of images have in common.
flow_arguments <- function(batch_size, shuffle, seed, save_to_dir, save_prefix, save_format, subset) {
  list(
    batch_size = check_whole(batch_size, "batch_size", 1L),
    shuffle = check_flag(shuffle, "shuffle"),
    seed = check_seed(seed, TRUE),
    save_to_dir = check_folder(save_to_dir, "save_to_dir", null = TRUE),
    save_prefix = save_prefix,
    save_format = save_format,
    subset = subset
  )
}
