# Invalid arguments raise an error that names the argument and what was received, before a generator is called.

skip_without_keras()

refuses <- function(pattern, ..., verbose = 0) {
  generator <- numbered()
  expect_error(fit_generator(echo_model(), generator, 2, ..., verbose = verbose), pattern,
               class = "fitgenerator_argument_error")
  expect_equal(calls_of(generator), 0)
}

test_that("C4: steps that are below 1, missing or no number are refused before the first call", {
  generator <- numbered()
  fit <- function(...) fit_generator(echo_model(), generator, ..., verbose = 0)
  wanted <- "`steps_per_epoch` must be a number of at least 1, not"
  for (steps in list(0.5, 0, -1, NA, NA_real_, Inf, NaN, "2", TRUE, 1:2, list(2), factor(2), numeric())) {
    expect_error(fit(steps), wanted, fixed = TRUE, class = "fitgenerator_argument_error")
  }
  expect_error(fit(), "`steps_per_epoch` must be given: `generator` has no length", fixed = TRUE)
  expect_error(fit(NULL), "`steps_per_epoch` must be given", class = "fitgenerator_argument_error")
  expect_equal(calls_of(generator), 0)
  expect_length(fit(2)$epoch, 1)
  for (run in list(evaluate_generator, predict_generator)) {
    expect_error(run(echo_model(), generator, 0.5), "`steps` must be a number of at least 1, not 0.5.",
                 fixed = TRUE)
    expect_error(run(echo_model(), generator), "`steps` must be given", fixed = TRUE)
  }
})

test_that("C4: a source with a length needs no steps", {
  data <- keras_dataset(lapply(1:3, function(i) numbered()()))
  expect_identical(train(echo_model(), data, NULL, epochs = 2)$params$steps, 3L)
  expect_identical(train(echo_model(), data, 2)$params$steps, 2L)
})

test_that("Numbers that are none are refused, each by its name", {
  refuses("`epochs` must be a whole number of at least 0, not -1", epochs = -1)
  refuses("`epochs` must be a whole number of at least 0, not 1.5", epochs = 1.5)
  refuses("`initial_epoch` must be", initial_epoch = NA)
  refuses("`max_queue_size` must be a whole number of at least 0, not -1", max_queue_size = -1)
  refuses("`max_queue_size` must be", max_queue_size = NULL)
  refuses("`workers` must be", workers = 0.5)
  refuses("`validation_steps` must be", validation_steps = 0)
  refuses("`validation_freq` must be", validation_freq = 0)
  refuses("`validation_freq` must be", validation_freq = c(1, 2.5))
  refuses("`timeout` must be a number of seconds above 0, or NULL, not 0", timeout = 0)
  refuses("`verbose` must be 0, 1 or 2, not 3", verbose = 3)
  refuses("`jit_compile` must be \"auto\", TRUE or FALSE, not NA", jit_compile = NA)
})

test_that("C3: what is no generator is refused with what came and what is wanted", {
  model <- echo_model()
  fit <- function(generator) fit_generator(model, generator, 2, verbose = 0)
  wrong <- list(list(matrix(1), matrix(1)), matrix(1), NULL, "data", 1, quote(x), iris, environment())
  for (generator in wrong) {
    e <- expect_error(fit(generator), "`generator` must be a function", class = "fitgenerator_argument_error")
    expect_lt(nchar(conditionMessage(e)), 400)
  }
  expect_error(fit(list(matrix(1), matrix(1))), "pass the function itself, not what it returns")
  expect_error(fit(function(i) NULL), "must be a function without arguments, not one that needs `i`")
  made <- structure(function() NULL, class = c("coro_generator", "function"))
  expect_error(fit(made), "call it and pass the generator that it returns")
})

test_that("C3: the maker of a generator is found out at its first call", {
  expect_error(train(echo_model(), numbered, 2), "returned a function; expected list\\(inputs, targets\\)")
})

test_that("C3: Python objects that give no batches are refused in words", {
  reticulate::py_run_string("def fitgenerator_test_maker():\n    yield 1")
  maker <- reticulate::py_eval("fitgenerator_test_maker", convert = FALSE)
  layer <- keras()$layers$Dense(1L)
  for (object in list(maker, layer, reticulate::r_to_py(1), reticulate::r_to_py(list(1, 2)))) {
    expect_error(train(echo_model(), object, 2), "generator", class = "fitgenerator_argument_error")
  }
})

test_that("Arguments with defaults may be left out by a closure", {
  expect_length(train(echo_model(), function(n = 2, ...) numbered()(), 2)$epoch, 1)
})

test_that("What is no model is refused", {
  for (object in list(NULL, 1, list(), reticulate::r_to_py(1))) {
    expect_error(train(object, numbered(), 2), "must be a", class = "fitgenerator_argument_error")
  }
})

test_that("T28: class weights for each output are refused, with sample weights as the way", {
  by_output <- list(a = list("0" = 1, "1" = 2), b = c("0" = 1, "1" = 2))
  refuses("`class_weight` must have one weight for each class.*sample weights of the outputs", class_weight = by_output)
})

test_that("W2: class weights name their classes, and nothing else is taken", {
  for (weights in list(c(1, 2), list(1, 2), c(a = 1, b = 2), "0", c("0" = 1, "0" = 2), c("-1" = 1), globalenv())) {
    refuses("`class_weight` must name each class once, by its number from 0", class_weight = weights)
  }
  for (weights in list(c("0" = -1), list("0" = "a"), list("1" = 1, "0" = 1:2), c("0" = NA))) {
    refuses("`class_weight` must be a number of at least 0 for each class, .* for class 0", class_weight = weights)
  }
  refuses("`class_weight` names class 0 twice", class_weight = c("0" = 1, "00" = 2))
})

test_that("Callbacks that are none are refused, hooks of an unknown name too", {
  refuses("`callbacks` must hold Keras callbacks, or named lists of functions", callbacks = list(1))
  refuses("`callbacks` must hold", callbacks = function(epoch, logs) NULL)
  refuses("`callbacks` must hold", callbacks = list(list(on_epoch_end = 1)))
  refuses("`callbacks` contains a function named `on_epoch`, which is not a hook; the hooks are on_epoch_begin",
          callbacks = list(on_epoch = function(...) NULL))
  refuses("callbacks", callbacks = list(keras()$layers$Dense(1L)))
})

test_that("Models of a strategy train, on several replicas too; R code in them is refused before step 1", {
  done <- run_r(quote({
    tf <- reticulate::import("tensorflow")
    devices <- tf$config$list_physical_devices("CPU")
    two <- replicate(2, tf$config$LogicalDeviceConfiguration())
    tf$config$set_logical_device_configuration(devices[[1]], two)
    try_in <- function(strategy, ...) {
      model <- with(strategy$scope(), linear_model(...))
      generator <- numbered()
      said <- tryCatch({
        history <- train(model, generator, 2, epochs = 4, validation_data = generator, validation_steps = 1)
        predicted <- predict_generator(model, generator, 2)
        evaluated <- evaluate_generator(model, generator, 2)
        paste("trained", format(c(history$metrics$loss, evaluated$loss, predicted[[1]]), digits = 5), collapse = " ")
      }, fitgenerator_argument_error = conditionMessage)
      cat(calls_of(generator), said, "\n")
      said
    }
    mean_loss <- function(y, p) keras()$ops$mean(y - p)
    mirrored <- tf$distribute$MirroredStrategy(list("CPU:0", "CPU:1"))
    several <- try_in(mirrored)
    cat("equal", several == try_in(tf$distribute$OneDeviceStrategy("CPU:0")), "\n")
    try_in(mirrored, loss = mean_loss)
    try_in(tf$distribute$MirroredStrategy(list("CPU:0")))
    try_in(tf$distribute$MirroredStrategy(list("CPU:0")), loss = mean_loss)
  }), timeout = 120)
  expect_process(done, c("\\n16 trained.*equal TRUE.*\\n0 The model has R code in it.*\\n16 trained",
                         "0 The model has R code in it"))
})

test_that("No epochs to validate after are refused", {
  for (freq in list(NULL, integer(), list())) {
    refuses("`validation_freq` must be a whole number", validation_freq = freq)
  }
})

test_that("A long value makes no long message", {
  e <- expect_error(train(linear_model(), numbered(), 2, verbose = strrep("verbose", 1e5)))
  expect_lt(nchar(conditionMessage(e)), 200)
})
