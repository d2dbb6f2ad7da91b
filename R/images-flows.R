#' Batches of images from a directory
#'
#' A flow reads, decodes, resizes and augments images, on `workers` threads beside the training, and gives them in
#' batches, endlessly. Give it to [fit_generator()], [evaluate_generator()] or [predict_generator()], which know its
#' length, or take batches with [generator_next()].
#'
#' @section What a flow has:
#' `flow$n` (or, of files, `flow$samples`) is the number of images, `flow$filenames` are the files, in the order of the
#' predictions where `shuffle = FALSE`; `flow$classes` are their classes' numbers, from 0, as `flow$class_indices`
#' names them. `flow$reset()` begins a new pass. `flow$skipped` are the files that were left out and why, with
#' `on_error = "skip"`.
#'
#' @section Random numbers:
#' Order and transformations follow from `seed` and the number of the batch: the same for any number of workers, and
#' those of Keras's class for the same `seed`. Without one it is drawn from R's random numbers, so that
#' [set.seed()] will do as well.
#'
#' @param directory Its path, with a folder for each class: all PNG, JPEG, BMP, PPM and TIFF files in it, and in the
#'   folders in it, are of that class. For images without classes: `classes = "."` and `class_mode = NULL`.
#' @param generator What [image_data_generator()] returns; by default nothing is done to the images.
#' @param target_size Height and width that images are resized to, in pixels.
#' @param color_mode `"rgb"`, `"grayscale"` or `"rgba"`: 3, 1 or 4 channels.
#' @param classes Names of the folders in the order of the classes' numbers; `NULL`: all, in alphabetical order.
#' @param class_mode The targets: `"categorical"`, a column for each class that is 1 where the image is of it;
#'   `"binary"` or `"sparse"`, the number of the class, from 0; `"input"`, the images themselves; `NULL`, none, as for
#'   predictions.
#' @param batch_size Images of a batch; the last of a pass may have fewer.
#' @param shuffle Whether each pass has an order of its own. Predictions want `FALSE`.
#' @param seed A whole number that order and transformations follow from; `NULL`: drawn from R's random numbers.
#' @param save_to_dir A folder in which each picture is also written, to be looked at; `NULL` for none.
#' @param save_prefix Begins the names of these files.
#' @param save_format Their format, such as `"png"` or `"jpeg"`.
#' @param follow_links Whether links to folders are followed.
#' @param subset `"training"` or `"validation"`, as `validation_split` of the generator says; `NULL` for all. The
#'   first images of each class are for validation.
#' @param interpolation How images are resized: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"` or
#'   `"hamming"`.
#' @param keep_aspect_ratio Whether to cut out the middle rather than distort.
#' @param on_error What to do with a file that cannot be read: `"raise"` an error that names it, or `"skip"` it, with a
#'   warning.
#'
#' @return A flow, a Python object. An empty directory, a class that is not there and the like are errors at once.
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
#' As [flow_images_from_directory()], for images that are in memory.
#'
#' @inheritParams flow_images_from_directory
#' @inheritSection flow_images_from_directory What a flow has
#' @inheritSection flow_images_from_directory Random numbers
#' @param x Images: an array of images x height x width x channels. Or `list(x, other)`, where `other` is another input
#'   of the model, with a row for each image, or a list of such.
#' @param y Targets, with a row for each image: a vector, a factor (its codes, from 0), a matrix or a data frame of one
#'   type; `NULL`: the batches are images alone.
#' @param sample_weight A weight for each image.
#' @param subset `"training"` or `"validation"`, as `validation_split` of the generator says; `NULL` for all. The
#'   first images are for validation: shuffle them beforehand if they are in the order of their classes.
#' @param ignore_class_split Allow classes that only one of the subsets has.
#'
#' @return A flow, a Python object.
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

#' Batches of images from files that a data frame names
#'
#' As [flow_images_from_directory()], for files that are listed with their targets.
#'
#' @inheritParams flow_images_from_directory
#' @inheritSection flow_images_from_directory What a flow has
#' @inheritSection flow_images_from_directory Random numbers
#' @param dataframe A data frame with a row for each image.
#' @param directory What the names of the files are relative to; `NULL`: they are paths.
#' @param x_col Name of the column of the files' names.
#' @param y_col Name of the column of the targets; several names for the class modes `"raw"` and `"multi_output"`.
#' @param classes The classes in the order of their numbers; rows of others are left out. `NULL`: the levels of a
#'   factor, or all that there are, in alphabetical order.
#' @param class_mode As for [flow_images_from_directory()], with text or a factor in `y_col`, or for `"categorical"`
#'   also a list of character vectors, for images of several classes. Or `"raw"`, the numbers in `y_col`, or
#'   `"multi_output"`, a list of them, by column.
#' @param subset `"training"` or `"validation"`, as `validation_split` of the generator says; `NULL` for all. The
#'   first rows are for validation: shuffle them beforehand if they are in the order of their classes.
#' @param drop_duplicates Whether only the first of several rows of one file is used; `NULL` is `FALSE`.
#' @param weight_col Name of the column of sample weights; `NULL` for none.
#' @param validate_filenames Whether to look, once, if the files are there; rows of others are left out with a
#'   warning.
#'
#' @return A flow, a Python object.
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
    dataframe = frame_columns(dataframe),
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

# What all flows have in common.
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
