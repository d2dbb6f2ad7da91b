# Models of Keras 3, made with any R package, and of Keras 2 (`tf_keras`).

skip_without_keras()

keras2_model <- function() {
  keras <- reticulate::import("tf_keras")
  start <- keras$initializers$Constant(0.1)
  model <- keras$Sequential(list(
    keras$layers$Input(list(2L)), keras$layers$Dense(3L, "tanh", kernel_initializer = start),
    keras$layers$Dense(1L, "sigmoid", kernel_initializer = start)
  ))
  model$compile("adam", "binary_crossentropy", metrics = list("accuracy"))
  model
}

rows_of <- function(batches) {
  list(do.call(rbind, lapply(batches, `[[`, 1L)), do.call(rbind, lapply(batches, `[[`, 2L)))
}

some_batches <- function(n = 4L) {
  lapply(seq_len(n), function(i) {
    x <- matrix(stats::rnorm(16), 8L)
    list(x, matrix(as.numeric(x[, 1L] > 0)))
  })
}

test_that("T30: the R6 callbacks of keras work with a model of Keras 2", {
  callback <- keras_callback("Seen", batches = NULL, on_train_batch_end = function(batch, logs) {
    self$batches <- c(self$batches, batch)
    if (batch == 2) self$model$stop_training <- TRUE
  })
  train(keras2_model(), cycling(some_batches()), 4, callbacks = callback)
  expect_equal(callback$batches, 0:2)
})

test_that("A model of Keras 2 trains, is evaluated and predicts as with its own fit", {
  set.seed(1)
  batches <- some_batches()
  rows <- rows_of(batches)
  ours <- keras2_model()
  seen <- character()
  note <- list(on_epoch_end = function(epoch, logs) seen <<- c(seen, names(logs)))
  history <- train(ours, cycling(batches), 4, epochs = 3, callbacks = note, validation_data = rows,
                   class_weight = list("0" = 1, "1" = 2))
  theirs <- keras2_model()
  expected <- theirs$fit(rows[[1L]], rows[[2L]], batch_size = 8L, epochs = 3L, shuffle = FALSE, verbose = 0L,
                         validation_data = reticulate::tuple(rows),
                         class_weight = reticulate::py_eval("{0: 1.0, 1: 2.0}", FALSE))
  expect_equal(history$metrics, lapply(expected$history, as.numeric), tolerance = 1e-5)
  expect_identical(seen[1:4], c("loss", "accuracy", "val_loss", "val_accuracy"))
  scores <- evaluate_generator(ours, cycling(batches), 4)
  expect_equal(scores, theirs$evaluate(rows[[1L]], rows[[2L]], verbose = 0L, return_dict = TRUE),
               tolerance = 1e-5)
  expect_equal(predict_generator(ours, cycling(batches), 4), theirs$predict(rows[[1L]], verbose = 0L),
               tolerance = 1e-5)
  expect_identical(our_threads(), character())
})

test_that("Keras 2: a loss in R, a callback that stops, and one of its own hold", {
  keras <- reticulate::import("tf_keras")
  model <- keras2_model()
  tf <- reticulate::import("tensorflow")
  model$compile("sgd", function(y_true, y_pred) tf$reduce_mean(tf$square(y_true - y_pred)))
  stop_it <- list(on_train_batch_end = function(batch, logs) model$stop_training <- batch == 1)
  patient <- keras$callbacks$EarlyStopping("loss", patience = 1L)
  history <- train(model, cycling(some_batches()), 4, epochs = 3, callbacks = list(patient, stop_it))
  expect_identical(history$epoch, 0L)
  expect_identical(names(history$metrics), "loss")
  expect_equal(iterations_of(model), 2)
})

test_that("T14: a model's own methods, of either Keras, read one pass of the flows of R", {
  x <- array(as.numeric(1:24), c(6, 2, 2, 1))
  flows <- list(
    flow_from_data(matrix(1:12, 6), 1:6, batch_size = 2, shuffle = FALSE),
    timeseries_generator(matrix(1:14, 7), matrix(1:7), length = 1, batch_size = 2)
  )
  if (has_images()) flows <- c(flows, flow_images_from_data(x, 1:6, batch_size = 2, shuffle = FALSE))
  for (package in c("keras", "tf_keras")) {
    layers <- reticulate::import(package)$layers
    for (flow in flows) {
      model <- reticulate::import(package)$Sequential(list(layers$Flatten(), layers$Dense(1L)))
      expect_identical(dim(model$predict(flow, verbose = 0L)), c(6L, 1L))
      model$compile("sgd", "mse")
      expect_length(model$evaluate(flow, verbose = 0L), 1L)
      fitted <- model$fit(flow, epochs = 2L, verbose = 0L, validation_data = flow)
      expect_length(fitted$history$val_loss, 2L)
      expect_equal(fitted$params$steps, 3)
    }
  }
})
