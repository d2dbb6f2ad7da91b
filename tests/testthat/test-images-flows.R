# Flows: from directories, arrays and data frames.

skip_without_keras()

# The grey values, whole numbers, of the pictures of a pass, in the order of the batches.
greys <- function(flow) {
  values <- NULL
  for (i in seq_len(length(flow))) {
    batch <- generator_next(flow)
    if (is.list(batch)) batch <- batch[[1]]
    values <- c(values, round(batch[, 1, 1, 1]))
  }
  values
}

test_that("a flow of a directory has classes, files, numbers and a length, and shows them", {
  folder <- class_folders(dogs = 2, cats = 3)
  expect_message(
    flow <- flow_images_from_directory(folder, target_size = c(4, 5), batch_size = 2, shuffle = FALSE),
    "Found 5 images belonging to 2 classes"
  )
  expect_identical(flow$class_indices, list(cats = 0L, dogs = 1L))
  expect_identical(flow$filenames, file.path(rep(c("cats", "dogs"), 3:2), c("03.png", "04.png", "05.png", "01.png",
                                                                           "02.png")))
  expect_identical(c(flow$n, flow$samples), c(5L, 5L))
  expect_equal(c(flow$classes), c(0, 0, 0, 1, 1))
  batch <- generator_next(flow)
  expect_identical(lapply(batch, dim), list(c(2L, 4L, 5L, 3L), c(2L, 2L)))
  expect_equal(batch[[2]], rbind(c(1, 0), c(1, 0)))
  flow$reset()
  expect_identical(generator_next(flow), batch)
  shown <- "<DirectoryIterator: 5 images of 2 classes, 4 x 5 x 3, in order; batches of 2, 3 in a pass>"
  expect_output(print(flow), shown, fixed = TRUE)
})

test_that("classes, class modes, subsets and links are what they are in Keras", {
  folder <- class_folders(a = 4, b = 4)
  modes <- list("sparse", "binary", "input", NULL)
  targets <- lapply(modes, function(mode) {
    batch <- generator_next(flow_of_folder(folder, class_mode = mode, shuffle = FALSE, classes = c("b", "a")))
    if (is.list(batch)) batch[[2]] else "none"
  })
  expect_equal(c(targets[[1]]), rep(0:1, each = 4))
  expect_equal(targets[[1]], targets[[2]])
  expect_identical(dim(targets[[3]]), c(8L, 4L, 4L, 1L))
  expect_identical(targets[[4]], "none")

  split <- image_data_generator(validation_split = 0.25)
  part <- function(subset) greys(flow_of_folder(folder, split, class_mode = NULL, shuffle = FALSE, subset = subset))
  expect_equal(part("validation"), c(1, 5))
  expect_equal(part("training"), c(2:4, 6:8))

  linked <- suppressWarnings(file.symlink(file.path(folder, "b"), file.path(folder, "a", "linked")))
  if (linked) expect_identical(flow_of_folder(folder, follow_links = TRUE)$n, 12L)
})

test_that("the same seed gives the order of Keras's own flow, and set.seed() does as well", {
  folder <- class_folders(a = 5, b = 5)
  legacy <- reticulate::import("keras.src.legacy.preprocessing.image")$ImageDataGenerator()
  theirs <- legacy$flow_from_directory(folder, target_size = c(4L, 4L), color_mode = "grayscale", batch_size = 4L,
                                       class_mode = "sparse", seed = 11L)
  ours <- flow_of_folder(folder, batch_size = 4, class_mode = "sparse", seed = 11)
  for (i in 1:7) expect_equal(generator_next(ours), reticulate::iter_next(theirs))
  drawn <- function(seed) {
    set.seed(seed)
    greys(flow_of_folder(folder))
  }
  expect_identical(drawn(1), drawn(1))
  expect_false(identical(drawn(1), drawn(2)))
})

test_that("L1: a folder without classes, or without images, is an error at once that says what to do", {
  folder <- class_folders(. = 3)
  expect_error(flow_of_folder(folder), "has 0 images.*a folder of images for each class",
               class = "fitgenerator_argument_error")
  flow <- flow_of_folder(folder, classes = ".", class_mode = NULL, shuffle = FALSE)
  expect_equal(c(predict_generator(mean_model(), flow)), 1:3, tolerance = 1e-5)
  dir.create(file.path(folder, "empty"))
  expect_error(flow_of_folder(folder), "has 0 images", class = "fitgenerator_argument_error")
})

test_that("L2: predictions are in the order of the files, one each; from a shuffled flow there is a warning", {
  folder <- class_folders(a = 7, b = 6)
  for (workers in 0:3) {
    flow <- flow_of_folder(folder, class_mode = NULL, shuffle = FALSE, batch_size = 4)
    predicted <- predict_generator(mean_model(), flow, workers = workers)
    expect_equal(c(predicted), as.numeric(sub("\\.png", "", basename(flow$filenames))), tolerance = 1e-5)
  }
  shuffled <- flow_of_folder(folder, class_mode = NULL)
  expect_warning(predicted <- predict_generator(mean_model(), shuffled), "`generator` shuffles",
                 class = "fitgenerator_shuffled_warning")
  expect_equal(sort(c(predicted)), 1:13, tolerance = 1e-5)
})

test_that("L4: a closure may combine two flows, with R functions of their own, for 100 steps", {
  flow <- function(plus) {
    generator <- image_data_generator(preprocessing_function = function(x) x + plus)
    flow_images_from_data(pictures(), rep(0, 8), generator, batch_size = 2, shuffle = FALSE)
  }
  flows <- list(flow(1), flow(3))
  ways <- list(generator_next, reticulate::iter_next)
  for (take in ways) {
    both <- function() {
      batches <- lapply(flows, take)
      list((batches[[1]][[1]] + batches[[2]][[1]]) / 2, batches[[1]][[2]])
    }
    expect_equal(train(mean_model(), both, 100)$metrics$loss, 4.5 + 2)
  }
})

test_that("a training that goes on with a flow reads each picture once a pass, whoever reads beside it", {
  flow <- flow_images_from_data(pictures(6), rep(0, 6), batch_size = 4)
  validation <- flow_images_from_data(pictures(2), c(0, 0))
  history <- train(mean_model(), flow, NULL, 3, workers = 2, validation_data = validation)
  expect_equal(history$metrics, list(loss = rep(3.5, 3), val_loss = rep(1.5, 3)), tolerance = 1e-6)
})

test_that("arrays: factors are their codes, weights and other inputs come along, drawn from R's own forms", {
  flow <- function(...) flow_images_from_data(..., batch_size = 3, shuffle = FALSE)
  labels <- factor(c("no", "yes", "no"))
  batch <- generator_next(flow(pictures(3), labels, sample_weight = c(0.5, 1, 2)))
  expect_identical(lapply(batch[2:3], c), list(c(0L, 1L, 0L), c(0.5, 1, 2)))
  other <- data.frame(a = 1:3, b = 4:6)
  batch <- generator_next(flow(list(pictures(3), other), labels))
  expect_equal(batch[[1]][[2]], unname(as.matrix(other)))
  two <- list(matrix(1:3), matrix(4:6))
  batch <- generator_next(flow(list(pictures(3), two), labels))
  expect_length(batch[[1]], 3)
  split <- image_data_generator(validation_split = 1 / 3)
  expect_identical(flow(pictures(3), labels, split, subset = "training", ignore_class_split = TRUE)$n, 2L)
})

test_that("data frames: factors keep the order of their levels, text is sorted, lists are several classes", {
  folder <- class_folders(. = 4)
  files <- data.frame(filename = sprintf("%02d.png", 1:4), class = c("b", "a", "b", "a"), size = c(1.5, 2, 3, 4),
                      weight = 4:1)
  flow <- function(frame = files, ...) {
    quietly(flow_images_from_dataframe(frame, folder, ..., target_size = c(4, 4), color_mode = "grayscale",
                                       shuffle = FALSE))
  }
  expect_identical(flow()$class_indices, list(a = 0L, b = 1L))
  files$class <- factor(files$class, c("b", "a"))
  made <- flow(class_mode = "sparse", weight_col = "weight")
  expect_identical(made$class_indices, list(b = 0L, a = 1L))
  expect_equal(lapply(generator_next(made)[2:3], c), list(as.integer(files$class) - 1, 4:1))
  expect_identical(flow(classes = "a", class_mode = "sparse")$filenames, c("02.png", "04.png"))

  expect_equal(c(generator_next(flow(class_mode = "raw", y_col = "size"))[[2]]), files$size)
  expect_equal(generator_next(flow(class_mode = "raw", y_col = c("size", "weight")))[[2]],
               unname(as.matrix(files[c("size", "weight")])))
  expect_equal(lapply(generator_next(flow(class_mode = "multi_output", y_col = c("size", "weight")))[[2]], c),
               list(files$size, 4:1))
  files$several <- list("a", c("a", "b"), "c", factor("b"))
  expect_equal(rowSums(generator_next(flow(files, y_col = "several"))[[2]]), c(1, 2, 1, 1))
  files$count <- c(1L, NA, 3L, 4L)
  files$flag <- c(TRUE, NA, FALSE, TRUE)
  made <- flow(files, class_mode = "multi_output", y_col = c("count", "flag"), weight_col = "count")
  batch <- generator_next(made)
  expect_equal(lapply(c(batch[[2]], batch[3]), c), list(c(1, NaN, 3, 4), c(1, NaN, 0, 1), c(1, NaN, 3, 4)))
  expect_error(flow(cbind(files, size = 0), class_mode = "raw", y_col = "size"), "several columns of one name: `size`",
               class = "fitgenerator_argument_error")
  expect_identical(flow(files[c(1, 1, 2, 1), ], drop_duplicates = TRUE)$filenames, c("01.png", "02.png"))
  expect_warning(gone <- flow(transform(files, filename = c("01.png", "gone.png", "03.png", "04.png"))), "gone.png",
                 class = "fitgenerator_image_warning")
  expect_identical(gone$n, 3L)
  expect_equal(c(generator_next(flow(files, class_mode = NULL))[, 1, 1, 1]), 1:4)
})

test_that("names of files and folders may be in any script, and tildes are the home", {
  folder <- class_folders("\u732b" = 2)
  flow <- flow_of_folder(folder, batch_size = 2)
  expect_identical(names(flow$class_indices), "\u732b")
  expect_identical(dim(generator_next(flow)[[1]]), c(2L, 4L, 4L, 1L))
  home <- Sys.getenv("HOME")
  on.exit(Sys.setenv(HOME = home))
  Sys.setenv(HOME = dirname(folder))
  expect_identical(flow_of_folder(file.path("~", basename(folder)))$n, 2L)
})

test_that("T28: classes without a folder, other formats, and parts that lack a class give warnings", {
  folder <- class_folders(a = 5, b = 2)
  flow <- function(...) flow_of_folder(folder, ..., shuffle = FALSE, class_mode = "sparse")
  expect_warning(missing <- flow(classes = c("a", "c", "b")), '`classes` names "c", for which .* has no folder',
                 class = "fitgenerator_image_warning")
  expect_equal(c(generator_next(missing)[[2]]), rep(c(0, 2), c(5, 2)))
  split <- image_data_generator(validation_split = 0.2)
  expect_warning(part <- flow(split, subset = "validation"), 'no images of classes that the other part has: "b"',
                 class = "fitgenerator_image_warning")
  expect_identical(part$n, 1L)
  writeLines("picture", file.path(folder, "b", "d.GIF"))
  expect_warning(left <- flow(), "Only png, jpg.*: 1 of 8 files in .*b.d.GIF", class = "fitgenerator_image_warning")
  expect_identical(left$n, 7L)

  files <- data.frame(filename = list.files(folder, "png$", recursive = TRUE))
  files$class <- dirname(files$filename)
  part <- function(frame) {
    quietly(flow_images_from_dataframe(frame, folder, generator = split, target_size = c(4, 4), subset = "validation"))
  }
  expect_warning(part(files), 'no images of classes that the other part has: "b"',
                 class = "fitgenerator_image_warning")
  expect_no_warning(part(files[c(6, 1:5, 7, 1:3), ]))
})

test_that("T28: reticulate's iter_next() says in R's words what is wrong with a flow that R made", {
  flow <- flow_images_from_data(pictures(2), generator = image_data_generator(featurewise_center = TRUE))
  expect_error(reticulate::iter_next(flow), "call fit_image_data_generator(generator, images)", fixed = TRUE)
})

test_that("pictures are written to be looked at", {
  folder <- tempfile()
  dir.create(folder)
  generator_next(flow_images_from_data(pictures(3), save_to_dir = folder, save_prefix = "seen", save_format = "png"))
  expect_length(list.files(folder, "^seen_[0-2]_[0-9]+\\.png$"), 3)
})

test_that("a file that is no image is an error that names it, or is left out with a warning", {
  folder <- class_folders(a = 4)
  writeLines("no picture", file.path(folder, "a", "00.png"))
  for (workers in 0:2) {
    e <- expect_error(train(mean_model(), flow_of_folder(folder, shuffle = FALSE), NULL, workers = workers),
                      class = "fitgenerator_batch_error")
    expect_match(conditionMessage(e), "Batch 1 of `generator`: .*00.png")
  }
  expect_error(generator_next(flow_of_folder(folder)), "00.png", class = "fitgenerator_batch_error")
  skipping <- flow_of_folder(folder, on_error = "skip", class_mode = "sparse", shuffle = FALSE)
  expect_warning(history <- train(mean_model(), skipping, NULL, workers = 2), "1 of 5 files",
                 class = "fitgenerator_image_warning")
  expect_equal(history$metrics$loss, 2.5, tolerance = 1e-6)
  expect_match(names(skipping$skipped), "00.png")
  expect_warning(generator_next(flow_of_folder(folder, on_error = "skip")), class = "fitgenerator_image_warning")
})

test_that("generator_next() draws from any Python iterator, and says when it has ended", {
  counts <- reticulate::py_eval("iter([1, 2])")
  expect_identical(list(generator_next(counts), generator_next(counts), generator_next(counts, "over")),
                   list(1L, 2L, "over"))
})

test_that("T10: what is set on a flow is obeyed from the next pass on, or refused", {
  x <- array(seq_len(12), c(12, 1, 1, 1))
  flow <- flow_images_from_data(x, 1:12 + 0, batch_size = 4, seed = 3)
  generator_next(flow)
  flow$shuffle <- FALSE
  flow$batch_size <- 12
  flow$reset()
  expect_identical(length(flow), 1L)
  expect_equal(as.vector(generator_next(flow)[[2]]), 1:12)
  layers <- keras()$layers
  dense <- layers$Dense(1L, use_bias = FALSE, kernel_initializer = "ones")
  model <- keras()$Sequential(list(layers$Input(list(1L, 1L, 1L)), layers$Flatten(), dense))
  expect_equal(as.vector(predict_generator(model, flow)), 1:12)
  refused <- function(code, text) expect_error(code, text, class = "fitgenerator_argument_error")
  refused(flow$batch_size <- 0, "`batch_size` must be a whole number of at least 1, not 0")
  refused(flow$n <- 3, "`n` of a flow cannot be changed; make a new flow\\.$")
  data <- flow_from_data(matrix(1:12 + 0), 1:12 + 0, batch_size = 4)
  refused(data$shuffle <- FALSE, "`shuffle` of a flow cannot be changed; make a new flow\\.$")
  refused(data[["batch_size"]] <- 3, "`batch_size` of a flow cannot be changed")
  series <- timeseries_generator(1:12 + 0, 1:12 + 0, 3)
  refused(series$length <- 4, "`length` of a flow cannot be changed; make a new flow\\.$")
  refused(flow$x <- array(0, c(4, 1, 1, 1)), "`x` of a flow cannot be changed; make a new flow\\.$")
  expect_true(data$shuffle)
  refused(flow[["shuffle"]] <- NA, "`shuffle` must not be NA")
  refused(flow$seed <- NA_integer_, "`seed` must not be NA")
  expect_false(flow$shuffle)
  data$mine <- "kept"
  expect_identical(data$mine, "kept")
})

# Six pictures of the greys 1 to 6, of which those in `broken` cannot be read, in batches of one, with targets 0.
broken_flow <- function(broken, ...) {
  folder <- class_folders(a = 6)
  for (number in broken) writeLines("no picture", file.path(folder, "a", sprintf("%02d.png", number)))
  given <- utils::modifyList(list(batch_size = 1, shuffle = FALSE, class_mode = "sparse", on_error = "skip"), list(...))
  do.call(flow_of_folder, c(list(folder), given))
}

test_that("T15: a file that is alone in its batch is left out, and a training keeps its number of steps", {
  for (workers in c(0, 1, 3)) {
    flow <- broken_flow(c(2, 6))
    e <- expect_warning(history <- train(mean_model(), flow, NULL, 2, workers = workers), "2 of 6 files",
                        class = "fitgenerator_image_warning")
    expect_match(conditionMessage(e), "because they had no other file: 6\\.$")
    expect_equal(history$metrics$loss, rep((1 + 3 + 4 + 5 + 1 + 3) / 6, 2), tolerance = 1e-6)
    expect_false(history$incomplete)
    expect_warning(history <- train(mean_model(), broken_flow(c(2, 6)), 4, 2, workers = workers),
                   class = "fitgenerator_image_warning")
    expect_equal(history$metrics$loss, c(1 + 3 + 4 + 5, 5 + 1 + 3 + 4) / 4, tolerance = 1e-6)
  }
})

test_that("T15: evaluation, prediction and validation are that much shorter, with this one warning", {
  flow <- broken_flow(c(2, 6))
  warned <- function(code) {
    caught <- NULL
    value <- withCallingHandlers(code, warning = function(w) {
      caught <<- c(caught, class(w)[[1L]])
      invokeRestart("muffleWarning")
    })
    expect_identical(caught, "fitgenerator_image_warning")
    value
  }
  for (workers in c(0, 1, 3)) {
    scores <- warned(evaluate_generator(mean_model(), flow, workers = workers))
    expect_equal(scores$loss, 13 / 4, tolerance = 1e-6)
    predicted <- warned(predict_generator(mean_model(), flow, workers = workers))
    expect_equal(c(predicted), c(1, 3, 4, 5), tolerance = 1e-6)
    whole <- flow_images_from_data(pictures(2), c(0, 0))
    history <- warned(train(mean_model(), whole, NULL, 2, validation_data = flow, workers = workers))
    expect_equal(history$metrics$val_loss, rep(13 / 4, 2), tolerance = 1e-6)
  }
})

test_that("T15: a whole pass without images is an error, and models of Keras 2 are trained alike", {
  for (call in list(fit_generator, evaluate_generator, predict_generator)) {
    expect_error(suppressWarnings(call(mean_model(), broken_flow(1:6), verbose = 0)), "of a whole pass",
                 class = "fitgenerator_batch_error")
  }
  layers <- reticulate::import("tf_keras")$layers
  model <- reticulate::import("tf_keras")$Sequential(list(
    layers$InputLayer(list(4L, 4L, 1L)), layers$Flatten(), layers$Dense(1L)
  ))
  model$compile("sgd", "mse")
  expect_warning(history <- train(model, broken_flow(6), NULL, 2), class = "fitgenerator_image_warning")
  expect_identical(history$epoch, 0:1)
})

test_that("T12, T32: a colour picture that is read as grey, or resized to the nearest pixels, has Keras's values", {
  skip_if_not_installed("png")
  set.seed(1)
  folder <- tempfile("pictures-")
  dir.create(file.path(folder, "a"), recursive = TRUE)
  png::writePNG(array(sample(0:255, 3 * 45 * 70, TRUE) / 255, c(45, 70, 3)), file.path(folder, "a", "01.png"))
  legacy <- reticulate::import("keras.src.legacy.preprocessing.image")$ImageDataGenerator()
  expect_keras <- function(size, mode, interpolation) {
    theirs <- legacy$flow_from_directory(folder, target_size = as.integer(size), color_mode = mode, class_mode = NULL,
                                         interpolation = interpolation)
    ours <- quietly(flow_images_from_directory(folder, target_size = size, color_mode = mode, class_mode = NULL,
                                               interpolation = interpolation))
    expect_identical(generator_next(ours), reticulate::iter_next(theirs))
  }
  expect_keras(c(45, 70), "grayscale", "nearest")
  for (size in list(c(18, 200), c(200, 30), c(61, 81))) expect_keras(size, "rgb", "nearest")
})

test_that("T24: a method that is assigned to a flow makes its batches, also if it is an R function", {
  flow <- flow_images_from_data(pictures(6), NULL, batch_size = 4, shuffle = FALSE)
  made <- flow$`_get_batches_of_transformed_samples`
  flow$`_get_batches_of_transformed_samples` <- function(index_array) made(as.integer(index_array)) + 100
  expect_equal(c(predict_generator(mean_model(), flow)), 101:106, tolerance = 1e-6)
})

test_that("T28: what a preprocessing_function returns that is no image is told by shape and dtype", {
  refused <- function(returned, text) {
    generator <- image_data_generator(preprocessing_function = function(x) returned)
    flow <- flow_images_from_data(pictures(2), c(0, 0), generator)
    expect_error(train(mean_model(), flow, NULL), text, class = "fitgenerator_argument_error")
  }
  refused(array(1i, c(4, 4, 1)), "with the dimensions of its argument, 4 x 4 x 1, not a 4 x 4 x 1 complex array\\.$")
  refused(matrix(1, 3, 3), "with the dimensions of its argument, 4 x 4 x 1, not a 3 x 3 ")
})
