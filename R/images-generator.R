#' Augment images while a model trains
#'
#' Describes what happens to images: random transformations and normalisation. [flow_images_from_directory()],
#' [flow_images_from_dataframe()] and [flow_images_from_data()] then make endless batches of such images, on threads
#' that run in parallel with the training. Arguments and defaults are those of the keras package (2017 to 2023). For the
#' same seed, the images are those of Keras's class, with one exception: `width_shift_range` shifts sideways, and
#' `height_shift_range` up and down, which Keras's class has the wrong way round. They are made several times as fast.
#'
#' An image is transformed first, with all geometric transformations in one step. `preprocessing_function`, `rescale`
#' and the normalisations follow in this order. The `featurewise_*` normalisations and `zca_whitening` require a call of
#' [fit_image_data_generator()].
#'
#' The Python modules OpenCV and Pillow are required: `pip install opencv-python-headless pillow`.
#'
#' @section Functions of R: `preprocessing_function` may be an R function. It is called with each transformed image, an
#' array of height x width x channels, and returns an array with the same dimensions. It runs on R's own thread: the
#' threads that make batches hand their images over, while the training continues. If the call has `workers` above 1, it
#' runs in so many R processes instead (see [workers]), unless it assigns outside of itself or uses something that
#' cannot be sent there. `rescale` and the other arguments are faster if they can do the same. An error in the function
#' is an error of [fit_generator()] of class `fitgenerator_generator_error`, which names the image and has the
#' function's own condition as `parent`.
#'
#' For each image, the function has its own random numbers, which follow from the seed of the flow: the same seed gives
#' the same images for any number of workers. The random numbers of the session are not affected.
#'
#' @param featurewise_center Whether to subtract, per channel, the mean of the images that [fit_image_data_generator()]
#'   was given.
#' @param samplewise_center Whether to subtract each image's own mean.
#' @param featurewise_std_normalization Whether to divide, per channel, by the standard deviation of the images that
#'   [fit_image_data_generator()] was given.
#' @param samplewise_std_normalization Whether to divide by each image's own standard deviation.
#' @param zca_whitening Whether to apply the ZCA whitening that [fit_image_data_generator()] has learned.
#' @param zca_epsilon A small number that keeps the divisions of the whitening away from 0.
#' @param rotation_range Maximum rotation in degrees, in either direction.
#' @param width_shift_range Maximum horizontal shift, in either direction: a fraction of the width if below 1, else
#'   pixels. A vector: one of its values, in either direction. An integer `n`, as `2L`: a whole number of pixels from 0
#'   to `n - 1`, in either direction.
#' @param height_shift_range Maximum vertical shift, in the same form.
#' @param brightness_range Minimum and maximum of a factor for the brightness, `c(low, high)`. `NULL`: none.
#' @param shear_range Maximum shear in degrees, in either direction.
#' @param zoom_range Minimum and maximum of the factors for height and width, `c(low, high)`; factors below 1 enlarge. A
#'   single number `z` means `c(1 - z, 1 + z)`.
#' @param channel_shift_range Maximum of a number that is added to all channels, in either direction.
#' @param fill_mode What fills the area outside an image: `"nearest"`, its edge; `"constant"`, `cval`; `"reflect"`, its
#'   mirror image; `"wrap"`, its opposite side.
#' @param cval The value outside an image for `fill_mode = "constant"`.
#' @param horizontal_flip Whether to flip half of the images, at random, from left to right.
#' @param vertical_flip Whether to flip half of the images, at random, upside down.
#' @param rescale A factor that all values are multiplied by, such as `1 / 255`. `NULL` or 0: none.
#' @param preprocessing_function A function of one image; see below. `NULL`: none.
#' @param data_format `"channels_last"` or `"channels_first"`. `NULL`: Keras's default.
#' @param validation_split Fraction of the images, from 0 to below 1, that flows with `subset = "validation"` use: the
#'   first ones.
#' @param interpolation_order Interpolation between pixels: 0 nearest, 1 linear, 2 or 3 cubic, 4 or 5 Lanczos.
#' @param dtype Type of the batches, such as `"float32"`. `NULL`: Keras's `floatx`.
#'
#' @return An image generator, a Python object, for the `flow_images_*()` functions. Invalid arguments raise a
#'   `fitgenerator_argument_error`; missing Python modules a `fitgenerator_setup_error`.
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
  served <- is.function(fn) && !is_python(fn)
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
#' Learns the mean and the standard deviation of each channel, and the whitening, for an image generator with
#' `featurewise_center`, `featurewise_std_normalization` or `zca_whitening`.
#'
#' @param object An image generator, as [image_data_generator()] returns it. It is changed.
#' @param x Sample images: an array of images x height x width x channels.
#' @param augment Whether to learn from random transformations of the images.
#' @param rounds Number of random transformations per image if `augment = TRUE`, at least 1.
#' @param seed A whole number of at least 0 that the transformations follow from. `NULL`: drawn from R's random numbers.
#'
#' @param ... Not used.
#'
#' @details For an image generator, `fit()` is another name of this function.
#'
#' @return `object`, invisibly. Invalid arguments raise a `fitgenerator_argument_error`.
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

#' @rdname fit_image_data_generator
#' @method fit fitgenerator.images.ImageDataGenerator
#' @export
fit.fitgenerator.images.ImageDataGenerator <- function(object, x, augment = FALSE, rounds = 1, # nolint
                                                       seed = NULL, ...) {
  check_rest(...)
  fit_image_data_generator(object, x, augment, rounds, seed)
}

#' The next batch of a flow
#'
#' Returns the next batch of a flow of images, or the next item of a Python iterator. Flows of images never end; each
#' pass over the images has its own order and transformations. A batch that is fetched here is missing from the pass of
#' a training that follows; `flow$reset()` begins a new pass.
#'
#' @param generator A flow of images, or any Python iterator.
#' @param completed What to return when an iterator has no more items.
#'
#' @return A batch of a flow: an array of images, or a list of images, targets and possibly weights. For another
#'   iterator, its next item, or `completed`. A `generator` that is no Python object raises a
#'   `fitgenerator_argument_error`.
#' @seealso [flow_images_from_directory()], [fit_generator()]
#' @examplesIf fitgenerator:::has_images()
#' images <- array(digits$images, c(1797, 8, 8, 1))
#' flow <- flow_images_from_data(images, digits$labels, batch_size = 16)
#' str(generator_next(flow))
#' @export
generator_next <- function(generator, completed = NULL) {
  if (!is_python(generator)) {
    abort_argument(sprintf("`generator` must be a flow of images, or a Python iterator, not %s.", describe(generator)),
                   "generator")
  }
  check_alive(generator, "generator")
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

# Calls a function of the Python side that works on images.
call_images <- function(name, ...) {
  image_value(cross(image_function(name), ...))
}

image_function <- function(name) {
  check_images_there()
  core_function(name, "r.reticulate.images")
}

# Raises an error unless OpenCV and Pillow are installed, which only images need.
check_images_there <- function() {
  if (isTRUE(the$images)) return(invisible())
  core()
  missing <- c(cv2 = "opencv-python-headless", PIL = "pillow")
  missing <- missing[!vapply(names(missing), reticulate::py_module_available, NA)]
  if (length(missing)) {
    abort_setup(sprintf(
      "Image flows need the Python packages %s, which %s does not have; install them with `%s`.",
      paste(missing, collapse = " and "), reticulate::py_exe(), install_command(missing)
    ))
  }
  the$images <- TRUE
}

# Whether all that images need is available, for examples and vignettes.
has_images <- function() {
  has_keras() && reticulate::py_module_available("cv2") && reticulate::py_module_available("PIL")
}
