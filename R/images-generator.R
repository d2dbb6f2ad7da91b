#' Real-time augmentation of images
#'
#' Says what is done to images: random transformations, and normalisation. `flow_images_from_directory()` and its kin
#' make batches with it, endlessly, on threads beside the training. Arguments and defaults are those of the R interface
#' to Keras of 2017 to 2023; the pictures are those of Keras's class, for the same seed, made several times as fast.
#'
#' An image is transformed first, all geometry in one step; then come `preprocessing_function`, `rescale`, and the
#' normalisations, in this order. The `featurewise_*` ones and `zca_whitening` need [fit_image_data_generator()].
#'
#' Needs the Python modules OpenCV and Pillow: `pip install opencv-python-headless pillow`.
#'
#' @section Functions of R:
#' `preprocessing_function` may be an R function. It is called with each transformed image, an array of height x width
#' x channels, and returns an array of that dim. It runs on R's own thread, like all R code: the threads that make
#' batches hand their images over, while the training goes on. So it cannot run several times at once, whatever
#' `workers` is; what can be said by `rescale` or the other arguments is faster there. An error in it is an error of
#' [fit_generator()], of class `fitgenerator_generator_error`, which names the image, with the function's own condition
#' as `parent`.
#'
#' For each image it has random numbers of its own, which follow from the seed of the flow: the same seed gives the
#' same pictures, for any number of workers. The session's random numbers are not touched.
#'
#' @param featurewise_center Subtract the mean of the images that [fit_image_data_generator()] was given, by channel.
#' @param samplewise_center Subtract each image's own mean.
#' @param featurewise_std_normalization Divide by the standard deviation of the images that
#'   [fit_image_data_generator()] was given, by channel.
#' @param samplewise_std_normalization Divide by each image's own standard deviation.
#' @param zca_whitening Whiten by what [fit_image_data_generator()] has learned.
#' @param zca_epsilon Keeps the whitening's divisions away from 0.
#' @param rotation_range Degrees to turn by at most, either way.
#' @param width_shift_range How far to move sideways at most, either way: below 1 a fraction of the width, from 1 on
#'   pixels. A vector: one of these values. An integer (`2L`): a whole number of pixels below it.
#' @param height_shift_range The same, up and down.
#' @param brightness_range Two factors, between which each image's is drawn; `NULL` for none.
#' @param shear_range Degrees to shear by at most, either way.
#' @param zoom_range Two factors between which those of height and width are drawn; below 1 enlarges. One number `z`
#'   stands for `c(1 - z, 1 + z)`.
#' @param channel_shift_range What is added to all channels at most, either way.
#' @param fill_mode What lies outside of an image: `"nearest"`, its edge; `"constant"`, `cval`; `"reflect"`, its mirror
#'   image; `"wrap"`, its other side.
#' @param cval The value outside, for `"constant"`.
#' @param horizontal_flip Whether half of the images, at random, are mirrored.
#' @param vertical_flip Whether half of the images, at random, are turned upside down.
#' @param rescale What values are multiplied by, such as `1 / 255`; `NULL` or 0 for nothing.
#' @param preprocessing_function A function of one image; see below.
#' @param data_format `"channels_last"` or `"channels_first"`; `NULL` is Keras's own.
#' @param validation_split Share of the images, from 0 to below 1, that `subset = "validation"` of a flow has; the
#'   first ones.
#' @param interpolation_order Between pixels: 0 nearest, 1 linear, 2 or 3 cubic, 4 or 5 Lanczos.
#' @param dtype Type of the batches, such as `"float32"`; `NULL` is Keras's `floatx`.
#'
#' @return An image generator, a Python object, for the `flow_images_*()` functions.
#' @seealso [flow_images_from_directory()], [flow_images_from_dataframe()], [flow_images_from_data()];
#'   `vignette("images")`
#' @examplesIf fitgenerator:::has_images()
#' augmented <- image_data_generator(rotation_range = 20, zoom_range = c(0.8, 1.2), rescale = 1 / 16)
#' augmented
#'
#' images <- array(digits$images[1:32, , ], c(32, 8, 8, 1))
#' flow <- flow_images_from_data(images, digits$labels[1:32], augmented, batch_size = 16, seed = 1)
#' batch <- generator_next(flow)
#' dim(batch[[1]])
#' @export
image_data_generator <- function(featurewise_center = FALSE, samplewise_center = FALSE,
                                 featurewise_std_normalization = FALSE, samplewise_std_normalization = FALSE,
                                 zca_whitening = FALSE, zca_epsilon = 1e-6, rotation_range = 0.0,
                                 width_shift_range = 0.0, height_shift_range = 0.0, brightness_range = NULL,
                                 shear_range = 0.0, zoom_range = 0.0, channel_shift_range = 0.0,
                                 fill_mode = "nearest", cval = 0.0, horizontal_flip = FALSE,
                                 vertical_flip = FALSE, rescale = NULL, preprocessing_function = NULL,
                                 data_format = NULL, validation_split = 0.0, interpolation_order = 1,
                                 dtype = NULL) {
  fn <- check_image_function(preprocessing_function, "preprocessing_function")
  served <- is.function(fn) && !inherits(fn, "python.builtin.object")
  arguments <- list(
    featurewise_center = check_flag(featurewise_center, "featurewise_center"),
    samplewise_center = check_flag(samplewise_center, "samplewise_center"),
    featurewise_std_normalization = check_flag(featurewise_std_normalization, "featurewise_std_normalization"),
    samplewise_std_normalization = check_flag(samplewise_std_normalization, "samplewise_std_normalization"),
    zca_whitening = check_flag(zca_whitening, "zca_whitening"),
    zca_epsilon = zca_epsilon,
    rotation_range = rotation_range,
    width_shift_range = width_shift_range,
    height_shift_range = height_shift_range,
    brightness_range = brightness_range,
    shear_range = shear_range,
    zoom_range = zoom_range,
    channel_shift_range = channel_shift_range,
    fill_mode = fill_mode,
    cval = cval,
    horizontal_flip = check_flag(horizontal_flip, "horizontal_flip"),
    vertical_flip = check_flag(vertical_flip, "vertical_flip"),
    rescale = rescale,
    preprocessing_function = if (!served) fn,
    data_format = data_format,
    validation_split = validation_split,
    interpolation_order = check_whole(interpolation_order, "interpolation_order", 0L),
    dtype = dtype
  )
  call_images("generator", check_settings(arguments), if (served) crossing_function(fn, "preprocessing_function"))
}

#' Learn the normalisation of images from samples
#'
#' Learns the mean and the standard deviation of each channel, and the whitening, for an image generator that has
#' `featurewise_center`, `featurewise_std_normalization` or `zca_whitening`.
#'
#' @param object What [image_data_generator()] returned.
#' @param x Sample images: an array of images x height x width x channels.
#' @param augment Whether to learn from random transformations of them.
#' @param rounds How many of each image, then.
#' @param seed A whole number that these follow from; `NULL`: drawn from R's random numbers.
#'
#' @return `object`, invisibly.
#' @seealso [image_data_generator()]
#' @examplesIf fitgenerator:::has_images()
#' images <- array(digits$images, c(1797, 8, 8, 1))
#' normalised <- image_data_generator(featurewise_center = TRUE, featurewise_std_normalization = TRUE)
#' fit_image_data_generator(normalised, images)
#'
#' batch <- generator_next(flow_images_from_data(images, generator = normalised, batch_size = 1000))
#' c(mean(batch), sd(batch))
#' @export
fit_image_data_generator <- function(object, x, augment = FALSE, rounds = 1, seed = NULL) {
  arguments <- list(
    augment = check_flag(augment, "augment"),
    rounds = check_whole(rounds, "rounds", 1L),
    seed = check_seed(seed, TRUE)
  )
  call_images("fit", check_generator(object, "object"), check_images(x), arguments)
  invisible(object)
}

#' The next batch of a flow
#'
#' Flows of images never end; each pass over the images has an order and transformations of its own. A batch that is
#' taken here is one that a later training does not see in its pass; `flow$reset()` begins a new pass.
#'
#' @param generator A flow of images, or any Python iterator.
#' @param completed What to return where an iterator has no more.
#'
#' @return A batch of a flow: an array of images, or a list of images, targets and perhaps weights. Else whatever the
#'   iterator gives.
#' @seealso [flow_images_from_directory()], [fit_generator()]
#' @examplesIf fitgenerator:::has_images()
#' images <- array(digits$images, c(1797, 8, 8, 1))
#' flow <- flow_images_from_data(images, digits$labels, batch_size = 16)
#' str(generator_next(flow))
#' @export
generator_next <- function(generator, completed = NULL) {
  if (!inherits(generator, "python.builtin.object")) {
    abort_argument(sprintf("`generator` must be a flow of images, or a Python iterator, not %s.", describe(generator)),
                   "generator")
  }
  if (!inherits(generator, flow_class)) return(reticulate::iter_next(generator, completed))
  image_value(fetch_batch(generator))
}

flow_class <- "fitgenerator.images.Iterator"

# Fetches a batch of a flow on another thread, and serves the functions of R that the flow calls there.
fetch_batch <- function(flow) {
  run <- new_run(cross(image_function("NextBatch"), flow), c("wait", "applied", "stop", "outcome"))
  on.exit(suspendInterrupts(cross(run$python$stop))) # rule 11
  serve(run)
  cross(run$python$outcome)
}

# Calls a function of the seam to image flows.
call_images <- function(name, ...) {
  image_value(cross(image_function(name), ...))
}

image_function <- function(name) {
  check_images_there()
  core_function(name, "r.reticulate.images")
}

# OpenCV and Pillow, which only images need.
check_images_there <- function() {
  if (isTRUE(the$images)) return(invisible())
  core()
  missing <- c(cv2 = "opencv-python-headless", PIL = "pillow")
  missing <- missing[!vapply(names(missing), reticulate::py_module_available, NA)]
  if (length(missing)) {
    abort_setup(sprintf(
      "Image flows need %s for Python, which %s does not have; install it with `%s -m pip install %s`.",
      paste(missing, collapse = " and "), reticulate::py_exe(), reticulate::py_exe(), paste(missing, collapse = " ")
    ))
  }
  the$images <- TRUE
}

# For the examples and vignettes.
has_images <- function() {
  has_keras() && reticulate::py_module_available("cv2") && reticulate::py_module_available("PIL")
}
