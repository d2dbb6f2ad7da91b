# Image generators: their arguments, what they learn, and R functions in them.

skip_without_keras()

test_that("names, order and defaults of the arguments are those of R keras", {
  defaults <- function(fn, last) {
    args <- as.list(formals(fn))
    args[seq_len(match(last, names(args)))]
  }
  expect_identical(names(defaults(image_data_generator, "validation_split")), c(
    "featurewise_center", "samplewise_center", "featurewise_std_normalization", "samplewise_std_normalization",
    "zca_whitening", "zca_epsilon", "rotation_range", "width_shift_range", "height_shift_range",
    "brightness_range", "shear_range", "zoom_range", "channel_shift_range", "fill_mode", "cval",
    "horizontal_flip", "vertical_flip", "rescale", "preprocessing_function", "data_format", "validation_split"
  ))
  expect_identical(names(defaults(flow_images_from_directory, "interpolation")), c(
    "directory", "generator", "target_size", "color_mode", "classes", "class_mode", "batch_size", "shuffle",
    "seed", "save_to_dir", "save_prefix", "save_format", "follow_links", "subset", "interpolation"
  ))
  expect_identical(names(defaults(flow_images_from_data, "subset")), c(
    "x", "y", "generator", "batch_size", "shuffle", "sample_weight", "seed", "save_to_dir", "save_prefix",
    "save_format", "subset"
  ))
  expect_identical(names(defaults(flow_images_from_dataframe, "drop_duplicates")), c(
    "dataframe", "directory", "x_col", "y_col", "generator", "target_size", "color_mode", "classes",
    "class_mode", "batch_size", "shuffle", "seed", "save_to_dir", "save_prefix", "save_format", "subset",
    "interpolation", "drop_duplicates"
  ))
  expect_identical(names(formals(fit_image_data_generator)), c("object", "x", "augment", "rounds", "seed"))
  expect_identical(formals(generator_next), as.pairlist(alist(generator = , completed = NULL)))
})

test_that("every argument reaches the class of Keras's names, also those that R writes in its own way", {
  given <- list(
    samplewise_center = TRUE, samplewise_std_normalization = TRUE, zca_epsilon = 1e-5, rotation_range = 20,
    width_shift_range = c(-2, 2), height_shift_range = 3L, brightness_range = c(0.5, 1.5), shear_range = 5,
    zoom_range = c(0.8, 1.2), channel_shift_range = 10, fill_mode = "wrap", cval = 7, horizontal_flip = TRUE,
    vertical_flip = TRUE, rescale = 0.5, data_format = "channels_first", interpolation_order = 3
  )
  generator <- do.call(image_data_generator, given)
  for (name in names(given)) expect_equal(unlist(generator[[name]]), given[[name]], info = name)
  expect_type(generator$height_shift_range, "integer")
  expect_identical(image_data_generator(dtype = "float64")$dtype$name, "float64")
  expect_output(print(image_data_generator(rescale = 0.5)), "ImageDataGenerator(rescale=0.5)", fixed = TRUE)
})

test_that("a batch has the elements where the array has them, and doubles are the model's floats", {
  x <- array(runif(2 * 3 * 4 * 3), c(2, 3, 4, 3))
  flow <- flow_images_from_data(x, shuffle = FALSE)
  expect_equal(generator_next(flow), x, tolerance = 1e-6)
  expect_identical(flow$dtype$name, "float32")
  integers <- flow_images_from_data(array(1:24, c(2, 3, 4, 1)), image_data_generator(rescale = 2), y = NULL,
                                    shuffle = FALSE)
  expect_equal(generator_next(integers), array(1:24 * 2, c(2, 3, 4, 1)))
})

test_that("an array that is changed afterwards changes no flow", {
  x <- pictures(4)
  flow <- flow_images_from_data(x, shuffle = FALSE)
  x[] <- 0
  expect_equal(generator_next(flow)[, 1, 1, 1], 1:4)
})

test_that("what is learned from samples normalises", {
  generator <- image_data_generator(featurewise_center = TRUE, featurewise_std_normalization = TRUE)
  early <- flow_images_from_data(pictures(), generator = generator)
  expect_error(generator_next(early), "call fit_image_data_generator",
               class = "fitgenerator_argument_error")
  expect_identical(fit_image_data_generator(generator, pictures()), generator)
  batch <- generator_next(flow_images_from_data(pictures(), generator = generator))
  expect_equal(c(mean(batch), sd(batch)), c(0, 1), tolerance = 0.01)
  learned <- function() {
    moving <- image_data_generator(featurewise_center = TRUE, width_shift_range = 2, fill_mode = "constant")
    set.seed(3)
    c(fit_image_data_generator(moving, pictures(), augment = TRUE, rounds = 2)$mean)
  }
  expect_identical(learned(), learned())
})

test_that("L3: an R function in a flow is the same as the flow's own scaling, on R's thread, for any workers", {
  threads <- NULL
  scale <- function(x) {
    threads <<- union(threads, current_thread())
    stopifnot(is.double(x), identical(dim(x), c(4L, 4L, 1L)))
    x / 255
  }
  flow <- function(...) {
    generator <- image_data_generator(rotation_range = 90, fill_mode = "constant", ...)
    flow_images_from_data(pictures(), rep(0, 8), generator, batch_size = 3, seed = 5)
  }
  model <- mean_model()
  run <- function(workers, ...) {
    list(
      train(model, flow(...), NULL, 2, workers = workers, validation_data = flow(...))$metrics,
      evaluate_generator(model, flow(...), workers = workers),
      suppressWarnings(predict_generator(model, flow(...), workers = workers))
    )
  }
  wanted <- run(1, rescale = 1 / 255)
  for (workers in 0:3) {
    expect_equal(suppressMessages(run(workers, preprocessing_function = scale)), wanted, tolerance = 1e-6)
  }
  expect_identical(threads, "MainThread")
  expect_equal(generator_next(flow(preprocessing_function = scale)), generator_next(flow(rescale = 1 / 255)),
               tolerance = 1e-6)
  expect_identical(our_threads(), character())
})

test_that("rule 8: the same seed gives the same pictures, for any workers, and leaves R's random numbers alone", {
  noise <- image_data_generator(preprocessing_function = function(x) x + runif(length(x)))
  flow <- function(seed = NULL) flow_images_from_data(pictures(), rep(0, 8), noise, batch_size = 3, seed = seed)
  model <- mean_model()
  run <- function(workers, seed = NULL) {
    set.seed(2)
    made <- flow(seed)
    after <- session_seed()
    losses <- train(model, made, NULL, 2, workers = workers)$metrics$loss
    expect_identical(session_seed(), after)
    losses
  }
  wanted <- run(0)
  for (workers in 1:3) expect_identical(run(workers), wanted)
  expect_false(identical(run(1, seed = 1), wanted))
  expect_identical(generator_next(flow(7)), generator_next(flow(7)))
})

test_that("E2: an error in an R function is an R error that says where, with the function's own as parent", {
  model <- mean_model()
  no_five <- structure(class = c("mine", "error", "condition"), list(message = "no five", call = NULL))
  failing <- function(x) if (x[1, 1, 1] == 5) stop(no_five) else x
  flow <- function() {
    generator <- image_data_generator(preprocessing_function = failing)
    flow_images_from_data(pictures(), rep(0, 8), generator, batch_size = 2, shuffle = FALSE)
  }
  for (workers in 0:2) {
    e <- expect_error(train(model, flow(), NULL, workers = workers), class = "fitgenerator_generator_error")
    expect_identical(conditionMessage(e),
                     paste("The code of `preprocessing_function` failed at batch 3 of `generator`, on image 5 of the",
                           "flow: no five"))
    expect_s3_class(e, "mine")
    expect_s3_class(e$parent, "mine")
    expect_identical(our_threads(), character())
  }
  drawn <- flow()
  for (i in 1:2) generator_next(drawn)
  e <- expect_error(generator_next(drawn), "failed on image 5 of the flow: no five", class = "mine")
  expect_s3_class(e$parent, "mine")
  expect_equal(generator_next(drawn)[[1]][, 1, 1, 1], 7:8)
  of_files <- flow_of_folder(class_folders(a = 6), image_data_generator(preprocessing_function = failing))
  expect_error(generator_next(of_files), "failed on the file .*05\\.png: no five", class = "mine")
})

test_that("A7: a time limit stops an R function that does not return, and shows where it stands", {
  stuck <- function(x) repeat sqrt(2)
  generator <- image_data_generator(preprocessing_function = stuck)
  flow <- flow_images_from_data(pictures(), rep(0, 8), generator)
  for (workers in 0:1) {
    e <- expect_error(train(mean_model(), flow, NULL, workers = workers, timeout = 1),
                      class = "fitgenerator_timeout_error")
    expect_match(conditionMessage(e), "`generator` gave no batch 1 within 1 seconds.*preprocessing_function\\(")
    expect_identical(our_threads(), character())
  }
})

test_that("A4: deep recursion and gc() in an R function crash nothing, within other trainings too", {
  done <- run_r(quote({
    threads <- NULL
    scale <- trapped(function(x) { threads <<- c(threads, current_thread()); x / 255 }, every = 10L)
    x <- array(1, c(40, 4, 4, 1))
    generator <- image_data_generator(preprocessing_function = scale)
    flow <- function() flow_images_from_data(x, rep(0, 40), generator, batch_size = 4)
    layers <- keras()$layers
    model <- function() {
      model <- keras()$Sequential(list(layers$Input(list(4L, 4L, 1L)), layers$Flatten(), layers$Dense(1L)))
      model$compile("sgd", "mse")
      model
    }
    other <- model()
    again <- list(on_epoch_end = function(epoch, logs) train(other, flow(), NULL, workers = 2))
    for (workers in 0:3) train(model(), flow(), NULL, 2, workers = workers, callbacks = again)
    stopifnot(threads == "MainThread")
    cat("preprocessed", length(threads), "threads", our_threads(), "\n")
  }), timeout = 120)
  expect_process(done, "preprocessed 640 threads")
})

test_that("A Python function is taken as it is", {
  half <- reticulate::py_eval("lambda x: x / 2", convert = FALSE)
  flow <- flow_images_from_data(pictures(2), generator = image_data_generator(preprocessing_function = half),
                                shuffle = FALSE)
  expect_equal(generator_next(flow)[, 1, 1, 1], 1:2 / 2)
})

test_that("T29: fit() learns the normalisation of an image generator", {
  images <- array(1:48 + 0, c(3, 4, 4, 1))
  fitted <- image_data_generator(featurewise_center = TRUE)
  expect_identical(fit(fitted, images), fitted)
  learned <- fit_image_data_generator(image_data_generator(featurewise_center = TRUE), images)
  expect_equal(fitted$mean, learned$mean)
  expect_error(fit(fitted, images, epochs = 3), "epochs", class = "fitgenerator_argument_error")
})
