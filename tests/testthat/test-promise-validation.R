# Validation data of every kind: which batches are used, when they are fetched, and the resulting numbers.

skip_without_keras()

fixed_arrays <- function(rows = 50L) {
  x <- matrix(seq_len(rows) / 10, rows, 1L)
  list(x, 0 * x)
}

test_that("D1: epoch e uses validation batches (e - 1) s + 1 to e s, each once", {
  for (size in c(0, 1, 10)) {
    validation <- numbered()
    history <- train(echo_model(), numbered(), 3, epochs = 4, validation_data = validation,
                     validation_steps = 2, max_queue_size = size)
    expect_equal(history$metrics$val_loss, c(1.5, 3.5, 5.5, 7.5))
    expect_equal(calls_of(validation), 8)
  }
})

test_that("D1: validation batches are not drawn for an epoch that does not come", {
  validation <- numbered()
  stops <- keras()$callbacks$LambdaCallback(on_epoch_end = function(epoch, logs) model$stop_training <- TRUE)
  model <- echo_model()
  history <- train(model, numbered(), 20, epochs = 9, callbacks = list(stops), validation_data = validation,
                   validation_steps = 3)
  expect_equal(calls_of(validation), 3)
  expect_length(history$epoch, 1)
})

test_that("D2: validation data without steps, or of one or four elements, fails before the first call", {
  generator <- numbered()
  bad <- list(numbered(), list(matrix(1)), list(1, 2, 3, 4), "a", 1, matrix(1))
  for (data in bad) {
    expect_error(train(echo_model(), generator, 2, validation_data = data), "validation",
                 class = "fitgenerator_argument_error")
  }
  expect_equal(calls_of(generator), 0)
})

test_that("D3: fixed arrays give what evaluate gives on them", {
  data <- fixed_arrays()
  model <- echo_model()
  expected <- model$evaluate(data[[1]], data[[2]], verbose = 0L)
  history <- train(model, numbered(), 2, epochs = 2, validation_data = data)
  expect_equal(history$metrics$val_loss, rep(expected, 2), tolerance = 1e-6)
  weights <- rep(c(1, 3), 25)
  expected <- model$evaluate(data[[1]], data[[2]], sample_weight = as.array(weights), verbose = 0L)
  history <- train(model, numbered(), 2, validation_data = c(data, list(weights)))
  expect_equal(history$metrics$val_loss, expected, tolerance = 1e-6)
})

test_that("D3: fixed arrays of several inputs", {
  layers <- keras()$layers
  inputs <- list(layers$Input(list(1L), name = "left"), layers$Input(list(1L), name = "right"))
  model <- keras()$Model(inputs, layers$Subtract()(inputs))
  model$compile("sgd", "mae")
  left <- matrix(5:54 + 0)
  right <- matrix(1:50 + 0)
  batch <- function() list(list(left, right), matrix(0, 50, 1))
  for (inputs in list(list(left, right), list(right = right, left = left))) {
    history <- train(model, batch, 1, validation_data = list(inputs, matrix(0, 50, 1)))
    expect_equal(history$metrics$val_loss, 4)
  }
})

test_that("D4: validation_steps bounds a sized source, and fixed arrays come in batches of 32", {
  reticulate::py_run_string(paste(
    "import keras, numpy as np",
    "class FitgeneratorTestCounted(keras.utils.PyDataset):",
    "    reads = 0",
    "    def __len__(self):",
    "        return 1000",
    "    def __getitem__(self, i):",
    "        self.reads += 1",
    "        return np.full((2, 1), float(i)), np.zeros((2, 1))",
    sep = "\n"
  ))
  data <- reticulate::py_eval("FitgeneratorTestCounted()", convert = FALSE)
  history <- train(echo_model(), numbered(), 2, epochs = 3, validation_data = data, validation_steps = 5)
  expect_equal(reticulate::py_to_r(data$reads), 15)
  expect_equal(history$metrics$val_loss, rep(2, 3))
  batches <- NULL
  count <- list(on_test_batch_end = function(batch, logs) batches <<- c(batches, batch))
  train(echo_model(), numbered(), 1, validation_data = fixed_arrays(70), callbacks = count)
  expect_equal(batches, 0:2)
})

# Validation losses that a script gives: the model echoes them.
scripted <- function(losses) cycling(lapply(losses, function(value) list(matrix(value), matrix(0))))

test_that("D5: EarlyStopping sees val_loss and stops at the epoch that it predicts", {
  stopping <- keras()$callbacks$EarlyStopping("val_loss", patience = 1L)
  validation <- scripted(c(5, 4, 3, 3.5, 1, 1))
  history <- train(echo_model(), numbered(), 2, epochs = 6, callbacks = list(stopping),
                   validation_data = validation, validation_steps = 1)
  expect_equal(history$metrics$val_loss, c(5, 4, 3, 3.5))
  expect_false(history$incomplete)
})

test_that("D5: a best-only checkpoint holds the weights of the best epoch", {
  file <- tempfile(fileext = ".weights.h5")
  best <- keras()$callbacks$ModelCheckpoint(file, monitor = "val_loss", save_best_only = TRUE,
                                            save_weights_only = TRUE)
  model <- linear_model(rate = 0)
  moves <- list(on_epoch_begin = function(epoch, logs) {
    model$set_weights(list(matrix(c(3, 1, 2)[[epoch + 1]])))
  })
  train(model, numbered(), 1, epochs = 3, callbacks = list(moves, best), validation_data = fixed_arrays())
  expect_equal(weights_of(model), list(2))
  model$load_weights(file)
  expect_equal(weights_of(model), list(1))
})

test_that("D5: ReduceLROnPlateau acts on val_loss, and its rate is in the history", {
  plateau <- keras()$callbacks$ReduceLROnPlateau("val_loss", factor = 0.5, patience = 1L, min_delta = 0)
  model <- echo_model()
  model$optimizer$learning_rate <- 0.4
  model$trainable <- FALSE
  model$compile(model$optimizer, "mae")
  history <- train(model, numbered(), 1, epochs = 3, callbacks = list(plateau),
                   validation_data = scripted(c(1, 2, 2)), validation_steps = 1)
  expect_equal(history$metrics$learning_rate, c(0.4, 0.4, 0.2), tolerance = 1e-6)
})

test_that("validation_freq says which epochs are validated", {
  run <- function(freq) {
    validation <- numbered()
    history <- train(echo_model(), numbered(), 1, epochs = 5, validation_data = validation,
                     validation_steps = 1, validation_freq = freq)
    expect_equal(history$metrics$val_loss, seq_len(calls_of(validation)))
    calls_of(validation)
  }
  expect_equal(run(2), 2)
  expect_equal(run(c(1, 2, 5)), 3)
})

test_that("A2: 5 and 12 epochs with both closures finish, bare numbers are batches of one row", {
  for (epochs in c(5, 12)) {
    history <- train(linear_model(rate = 0.01), function() list(1, 2), 3, epochs = epochs,
                     validation_data = function() list(1, 2), validation_steps = 2)
    expect_length(history$metrics$val_loss, epochs)
  }
})

test_that("rule 12: one closure as training and validation data is read by one reader, epoch by epoch", {
  for (size in c(0, 1, 10)) {
    generator <- numbered()
    history <- train(echo_model(), generator, 3, epochs = 2, validation_data = generator,
                     validation_steps = 2, max_queue_size = size)
    expect_equal(history$metrics, list(loss = c(2, 7), val_loss = c(4.5, 9.5)))
    expect_equal(calls_of(generator), 10)
  }
})

test_that("rule 12: such a closure is not drawn ahead across the border between the two", {
  generator <- numbered()
  drawn <- list()
  look <- function(hook) function(...) drawn[[hook]] <<- c(drawn[[hook]], calls_of(generator))
  hooks <- list(on_train_batch_end = look("training"), on_epoch_end = look("end"))
  train(echo_model(), generator, 3, epochs = 2, validation_data = generator, validation_steps = 2,
        callbacks = hooks)
  expect_lte(max(drawn$training[1:3]), 3)
  expect_lte(max(drawn$training[4:6]), 8)
  expect_equal(drawn$end, c(5, 10))
})

test_that("rule 12: class weights weigh only its training batches", {
  generator <- function() list(matrix(c(1, 3)), c(0, 1))
  history <- train(linear_model(rate = 0), generator, 2, validation_data = generator, validation_steps = 1,
                   class_weight = c("0" = 2, "1" = 5))
  expect_equal(history$metrics, list(loss = (2 + 20) / 2, val_loss = (1 + 4) / 2))
})

test_that("A validation source that ends early warns, and gives the mean over what came", {
  left <- 3
  ending <- function() if ((left <<- left - 1) >= 0) list(matrix(3 - left), matrix(0))
  expect_warning(
    history <- train(echo_model(), numbered(), 2, validation_data = ending, validation_steps = 5),
    "`validation_data` ended early: 5 batches were wanted, 3 came", class = "fitgenerator_ended_warning"
  )
  expect_equal(history$metrics$val_loss, 2)
  expect_error(train(echo_model(), numbered(), 2, validation_data = function() NULL, validation_steps = 5),
               "`validation_data` ended before its first batch")
})

test_that("T28: a validation that is shorter than validation_steps is told of once a call", {
  for (size in c(0, 10)) {
    said <- NULL
    validation <- keras_dataset(lapply(c(1, 3), function(k) list(matrix(k, 2, 1), matrix(0, 2, 1))))
    history <- withCallingHandlers(
      train(echo_model(), numbered(), 1, 4, validation_data = validation, validation_steps = 3, max_queue_size = size),
      fitgenerator_ended_warning = function(w) {
        said <<- c(said, conditionMessage(w))
        invokeRestart("muffleWarning")
      }
    )
    expect_identical(said, "`validation_data` ended early: 3 batches were wanted, 2 came.")
    expect_equal(history$metrics$val_loss, rep(2, 4))
  }
})
