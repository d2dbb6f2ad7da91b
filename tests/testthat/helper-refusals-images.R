# What image generators and flows refuse or warn about; see helper-refusals.R.

generator_of <- function(...) function() image_data_generator(...)

flow_of <- function(x = pictures(2), ...) function() flow_images_from_data(x, ...)

frame_of <- function(frame = data.frame(filename = "gone.png", class = "a"), ...) {
  function() flow_images_from_dataframe(frame, ...)
}

# A training on two images that an R function spoils.
spoiled <- function(fn, ...) {
  function() {
    generator <- image_data_generator(preprocessing_function = fn)
    flow <- flow_images_from_data(pictures(2), c(0, 0), generator, shuffle = FALSE)
    train(mean_model(), flow, NULL, ...)
  }
}

# The path of a folder that is the same in every session.
in_folder <- function(call) {
  function() {
    folder <- class_folders(a = 1)
    writeLines("no picture", file.path(folder, "a", "00.png"))
    withr::with_dir(folder, quietly(call()))
  }
}

image_refusals <- function() {
  no <- function(...) FALSE
  list(
    "preprocessing that is no function" = generator_of(preprocessing_function = 1 / 255),
    "a function without arguments" = generator_of(preprocessing_function = function() 1),
    "a function of two" = generator_of(preprocessing_function = function(x, y, z = 1) x),
    "a flag that is none" = generator_of(horizontal_flip = 2),
    "a fill mode that is not known" = generator_of(fill_mode = "mirror"),
    "a rotation that is missing" = generator_of(rotation_range = NA),
    "a subset that is missing" = flow_of(subset = NA_character_),
    "a brightness that is one" = generator_of(brightness_range = 2),
    "another thing for a generator" = flow_of(generator = list()),
    "a normalisation that another includes" = generator_of(featurewise_std_normalization = TRUE),
    "a normalisation without samples" = function() {
      generator_next(flow_of(generator = image_data_generator(featurewise_center = TRUE))())
    },
    "images in a matrix" = flow_of(fitgenerator::digits$images[1:3, , 1]),
    "images in a list" = flow_of(list(1, 2, 3)),
    "targets of another number" = flow_of(y = 1:3),
    "targets that are dates" = flow_of(y = Sys.Date() + 0:1),
    "a subset without a split" = flow_of(subset = "validation"),
    "a batch of nothing" = flow_of(batch_size = 0),
    "a seed that is no number" = flow_of(seed = "one"),
    "one number for a size" = function() flow_images_from_directory(".", target_size = 224),
    "words for a size" = function() flow_images_from_directory(".", target_size = "large"),
    "a folder that is none" = function() flow_images_from_directory(NULL),
    "a folder that is not there" = function() flow_images_from_directory("nowhere"),
    "a class that is not there" = in_folder(function() flow_images_from_directory(".", classes = c("a", "cats"))),
    "classes that are none" = in_folder(function() flow_images_from_directory(".", classes = mean)),
    "a folder without classes" = in_folder(function() flow_images_from_directory("a")),
    "a file that is no image" = in_folder(function() generator_next(flow_images_from_directory("."))),
    "a file that is left out" = in_folder(function() {
      generator_next(flow_images_from_directory(".", on_error = "skip"))
    }),
    "a matrix for a data frame" = frame_of(matrix("a")),
    "a column that is not there" = frame_of(x_col = "file"),
    "classes that are numbers" = frame_of(data.frame(filename = "a.png", class = 1)),
    "classes that are missing" = frame_of(data.frame(filename = "a.png", class = NA_character_)),
    "files that are not there" = frame_of(validate_filenames = TRUE),
    "a prediction of a flow that shuffles" = function() predict_generator(mean_model(), flow_of()()),
    "code of an R function of images" = spoiled(fails),
    "code of it, at a batch that was drawn" = function() {
      generator_next(flow_of(generator = image_data_generator(preprocessing_function = fails), shuffle = FALSE)())
    },
    "an image that lost its channels" = spoiled(function(x) x[, , 1]),
    "an image of complex numbers" = spoiled(function(x) x + 0i),
    "an R function of images that is too slow" = spoiled(function(x) repeat sqrt(2), timeout = 1),
    "an R function that takes the interrupt" = spoiled(function(x) {
      tryCatch(repeat sqrt(2), interrupt = function(cnd) NULL)
      x
    }, timeout = 1),
    "code of a Python function of images" = spoiled(reticulate::py_eval("lambda x: x.nothing", convert = FALSE)),
    "code of it, at a batch" = function() {
      fn <- reticulate::py_eval("lambda x: x.nothing", convert = FALSE)
      generator_next(flow_of(generator = image_data_generator(preprocessing_function = fn), shuffle = FALSE)())
    },
    "nothing to draw from" = function() generator_next(mtcars),
    "no OpenCV" = function() {
      known <- the$images
      on.exit(the$images <- known)
      the$images <- NULL
      replaced <- list(py_module_available = no, py_exe = function() "/usr/bin/python3")
      with_replaced(replaced, "reticulate", check_images_there())
    }
  )
}
