# Errors of user code and of batches: what reaches the caller, when, and what remains.

skip_without_keras()

# A generator that runs `act` in call `n` and returns batches otherwise.
acting_at <- function(n, act) {
  calls <- 0
  function() {
    calls <<- calls + 1
    if (calls == n) act() else random_batches()()
  }
}

boom <- function() {
  stop(structure(class = c("disk_error", "error", "condition"), list(message = "disk full", call = NULL)))
}

test_that("E1: an error in a closure fails each kind of call with its text, place and number, at once", {
  model <- linear_model()
  runs <- list(
    generator = function(g) train(model, g, 10),
    generator = function(g) train(model, g, 10, max_queue_size = 0),
    validation_data = function(g) {
      train(model, random_batches(), 2, validation_data = g, validation_steps = 10)
    },
    generator = function(g) evaluate_generator(model, g, 10),
    generator = function(g) predict_generator(model, g, 10)
  )
  for (i in seq_along(runs)) {
    failing <- acting_at(3, boom)
    e <- expect_error(runs[[i]](failing), class = "fitgenerator_generator_error")
    said <- "The code of `%1$s` failed at batch 3: disk full\nIt failed in:\n  %1$s()\n  act()"
    said <- sprintf(said, names(runs)[[i]])
    expect_identical(conditionMessage(e), said)
    expect_s3_class(e, c("fitgenerator_error", "disk_error"), exact = FALSE)
    expect_s3_class(e$parent, "disk_error")
    expect_equal(calls_of(failing), 3)
    expect_clean(model)
  }
})

test_that("E1: the steps before the failing batch are trained, last_history() has the finished epochs", {
  for (size in c(0, 10)) {
    model <- linear_model()
    expect_error(train(model, acting_at(6, boom), 2, epochs = 5, max_queue_size = size), "batch 6: disk full")
    expect_equal(iterations_of(model), 5)
    history <- last_history()
    expect_identical(history$epoch, 0:1)
    expect_length(history$metrics$loss, 2)
    expect_true(history$incomplete)
    expect_output(print(history), "incomplete")
  }
})

test_that("E1: an error behind an early stop fails nothing, and holds no validation up", {
  reticulate::py_run_string(paste(
    "import time, tensorflow",
    "def fitgenerator_test_slow(y, p):", # so that the error comes before the stop
    "    slept = tensorflow.numpy_function(lambda x: time.sleep(0.2) or x, [y], 'float32')",
    "    return tensorflow.ensure_shape(slept, y.shape)",
    sep = "\n"
  ))
  for (slow in c(TRUE, FALSE)) {
    model <- linear_model()
    if (slow) model$compile("sgd", "mse", metrics = list(reticulate::py$fitgenerator_test_slow))
    stops <- list(on_train_batch_end = function(batch, logs) if (batch == 1) model$stop_training <- TRUE)
    history <- train(model, acting_at(4, boom), 10, callbacks = stops, validation_data = numbered(),
                     validation_steps = 2, timeout = 20)
    expect_length(history$metrics$val_loss, 1)
    expect_equal(iterations_of(model), 2)
  }
})

test_that("E1: Python is not the only explanation of an error in a Python generator", {
  reticulate::py_run_string("def fitgenerator_test_fails():\n    yield from ()\n    raise KeyError('gone')")
  e <- expect_error(train(linear_model(), reticulate::py$fitgenerator_test_fails(), 2),
                    class = "fitgenerator_python_error")
  expect_s3_class(e, "python.builtin.KeyError")
  expect_match(conditionMessage(e), "KeyError: 'gone'\nWhile batch 1 of `generator` was made.", fixed = TRUE)
})

test_that("E3: different numbers of rows are an error at that step, and change no weight", {
  for (size in c(0, 10)) {
    model <- linear_model()
    e <- expect_error(train(model, function() list(matrix(1, 2), matrix(1, 1)), 2, max_queue_size = size),
                      class = "fitgenerator_batch_error")
    expect_match(conditionMessage(e), "^Batch 1 of `generator`: .*2 in inputs .*1 in targets")
    expect_equal(weights_of(model), list(1))
  }
  e <- expect_error(train(linear_model(), function() list(matrix(1, 2), matrix(1, 2), 1:3), 2))
  expect_match(conditionMessage(e), "3 in sample weights")
})

test_that("E4: an empty batch is an error at that step, an uncompiled model one before the first call", {
  empty <- acting_at(2, function() list(matrix(0, 0, 1), matrix(0, 0, 1)))
  model <- linear_model()
  e <- expect_error(train(model, empty, 3), class = "fitgenerator_batch_error")
  expect_match(conditionMessage(e), "^Batch 2 of `generator`: .*0 rows")
  expect_equal(iterations_of(model), 1)
  generator <- numbered()
  plain <- keras()$Sequential(list(keras()$layers$Input(list(1L)), keras()$layers$Dense(1L)))
  for (run in list(train, evaluate_generator)) expect_error(run(plain, generator, 2), "must be compiled")
  expect_equal(calls_of(generator), 0)
})

test_that("S1: an error in a hook fails the call with its text, hook and callback, and spares the model", {
  model <- linear_model()
  hook <- function(epoch, logs) boom()
  e <- expect_error(train(model, random_batches(), 2, callbacks = list(on_epoch_end = hook)),
                    class = "fitgenerator_callback_error")
  expect_match(conditionMessage(e), "`on_epoch_end` of a callback failed: disk full", fixed = TRUE)
  expect_s3_class(e, "disk_error")
  expect_s3_class(e$parent, "disk_error")
  e <- expect_error(train(model, random_batches(), 2, callbacks = list(
    keras()$callbacks$LambdaCallback(on_epoch_end = hook)
  )), class = "fitgenerator_callback_error")
  said <- "disk full\nRaised by the callback LambdaCallback in on_epoch_end()."
  expect_match(conditionMessage(e), said, fixed = TRUE)
  expect_s3_class(e, "disk_error")
  expect_s3_class(e$parent, "disk_error")
  expect_clean(model)
})

test_that("An error in an R loss fails the call with its text, and its condition is the parent", {
  model <- linear_model(loss = function(y, p) boom())
  generator <- numbered()
  e <- expect_error(train(model, generator, 3), class = "fitgenerator_model_error")
  said <- paste("R code in the model (a loss, a metric or a layer) failed: disk full",
                "While batch 1 of `generator` was trained on.", "It failed in:\n  R_function()\n  boom()", sep = "\n")
  expect_identical(conditionMessage(e), said)
  expect_s3_class(e$parent, "disk_error")
  expect_equal(weights_of(model), list(1))
  expect_identical(our_threads(), character())
})

test_that("An error in an R layer keeps its text among Keras's, without colours", {
  calls <- 0
  layers <- keras()$layers
  failing <- layers$Lambda(function(x) if ((calls <<- calls + 1) > 1) boom() else x)
  model <- keras()$Sequential(list(layers$Input(list(1L)), failing, layers$Dense(1L)))
  model$compile("sgd", "mse")
  e <- expect_error(train(model, random_batches(), 2), class = "fitgenerator_model_error")
  expect_match(conditionMessage(e), "Lambda.call().\n\ndisk full\n", fixed = TRUE)
  expect_s3_class(e$parent, "disk_error")
})

test_that("An error in an R hook or loss is signalled once", {
  lambda <- keras()$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) boom())
  count <- function(...) {
    seen <- 0
    try(withCallingHandlers(train(...), error = function(cnd) seen <<- seen + 1), silent = TRUE)
    seen
  }
  expect_equal(count(linear_model(), random_batches(), 2, callbacks = list(lambda)), 1)
  expect_equal(count(linear_model(loss = function(y, p) boom()), random_batches(), 2), 1)
})

test_that("on_train_end is not called after an error", {
  ended <- FALSE
  hooks <- list(on_train_end = function(logs) ended <<- TRUE)
  expect_error(train(linear_model(), acting_at(2, boom), 3, callbacks = hooks), "disk full")
  expect_false(ended)
})

test_that("E2: no text is long, however large the batch", {
  large <- matrix(rnorm(1e4), 100)
  bad <- list(large, list(large), list(large, NULL), list(large, large[1:2, ]), list(large, iris), iris)
  for (value in bad) {
    e <- expect_error(train(linear_model(100), function() value, 2), class = "fitgenerator_batch_error")
    expect_lt(nchar(conditionMessage(e)), 600)
    expect_match(conditionMessage(e), "atch 1")
  }
})

test_that("E1: an error of Python's whose text cannot be had, or that takes no note, is one of its class", {
  reticulate::py_run_string(paste(
    "class FitgeneratorTestMute(Exception):",
    "    __notes__ = ()",
    "    def __str__(self):",
    "        raise KeyError('no text')",
    "def fitgenerator_test_mute():",
    "    yield from ()",
    "    raise FitgeneratorTestMute()",
    sep = "\n"
  ))
  for (size in c(0, 10)) {
    source <- reticulate::py$fitgenerator_test_mute()
    e <- expect_error(train(linear_model(), source, 2, max_queue_size = size), class = "fitgenerator_python_error")
    expect_match(paste(class(e), collapse = " "), "FitgeneratorTestMute")
  }
})

test_that("G3: a dimension that was dropped is explained, with the shapes found and wanted", {
  x <- matrix(rnorm(12), 4)
  e <- expect_error(train(linear_model(3), function() list(x[1, ], 1), 2), class = "fitgenerator_batch_error")
  expect_match(conditionMessage(e), "3 in inputs \\(3,\\), 1 in targets \\(1,\\).*drop = FALSE")
  dropped <- function() list(x[1, ], 1:3)
  e <- expect_error(train(linear_model(3), dropped, 2), class = "fitgenerator_python_error")
  expect_match(conditionMessage(e), "Expected shape (None, 3)", fixed = TRUE)
  expect_match(conditionMessage(e), "drop = FALSE")
  expect_no_match(conditionMessage(e), "\033")
})

test_that("G3: a single column that lost its dimension is repaired", {
  x <- matrix(1:4 + 0, 4, 2)
  expect_equal(train(echo_model(), function() list(x[, 1], 0 * x[, 1]), 1)$metrics$loss, 2.5)
})
