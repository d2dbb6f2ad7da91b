# What must hold on every backend: run on the one that KERAS_BACKEND names. `tools/test backends` runs this file on JAX,
# in an environment without TensorFlow.

skip_without_keras()

backend <- keras()$config$backend()
ops <- keras()$ops
layers <- keras()$layers

# Layers that have a state and draw random numbers.
rich_model <- function(loss = "mse", metrics = list("mae"), outputs = 1L, ...) {
  keras()$utils$set_random_seed(3L)
  model <- keras()$Sequential(list(
    layers$Input(list(3L)), layers$Dense(4L, "relu"), layers$Dropout(0.3, seed = 5L), layers$BatchNormalization(),
    layers$Dense(outputs, ...)
  ))
  compile(model, "adam", loss, metrics)
  model
}

some_batches <- function(count, seed = 1) {
  set.seed(seed)
  lapply(seq_len(count), function(i) {
    x <- matrix(rnorm(12), ncol = 3)
    list(x, x %*% c(1, -1, 2))
  })
}

# A generator of the same batches in each epoch.
batches <- some_batches(4)
valid <- some_batches(2, seed = 2)
fit_keras <- function(model, batches, epochs, ...) {
  lapply(model$fit(keras_dataset(batches), epochs = epochs, shuffle = FALSE, verbose = 0L, ...)$history, as.numeric)
}

test_that("An R closure trains, with validation, as Keras's fit does, and evaluates and predicts", {
  theirs <- rich_model()
  ours <- rich_model()
  expected <- fit_keras(theirs, batches, 2L, validation_data = keras_dataset(valid))
  history <- train(ours, cycling(batches), 4, 2, validation_data = cycling(valid), validation_steps = 2,
                   jit_compile = FALSE)
  expect_equal(history$metrics, expected, tolerance = 1e-6)
  expect_identical(weights_of(ours), weights_of(theirs))
  scores <- evaluate_generator(ours, cycling(valid), 2)
  expect_equal(unlist(scores), c(loss = expected$val_loss[[2]], mae = expected$val_mae[[2]]), tolerance = 1e-6)
  predicted <- predict_generator(ours, cycling(lapply(valid, `[[`, 1)), 2)
  x <- do.call(rbind, lapply(valid, `[[`, 1))
  expect_equal(predicted, ours$predict(x, verbose = 0L), tolerance = 1e-6)
  expect_equal(fit(ours, x, x[, 1], epochs = 1, verbose = 0)$epoch, 0)
})

test_that("Losses, metrics, layers and schedules in R give the numbers of Keras's own", {
  loss <- function(y_true, y_pred) ops$mean(ops$square(y_true - y_pred), axis = -1L)
  gap <- function(y_true, y_pred) ops$mean(ops$abs(y_true - y_pred), axis = -1L)
  rate <- function(epoch, rate) rate / 2
  doubling <- function() {
    keras()$utils$set_random_seed(3L)
    keras()$Sequential(list(layers$Input(list(3L)), layers$Lambda(function(x) x * 2), layers$Dense(1L)))
  }
  scaling <- function() {
    keras()$utils$set_random_seed(3L)
    keras()$Sequential(list(layers$Input(list(3L)), layers$Rescaling(2), layers$Dense(1L)))
  }
  ours <- doubling()
  theirs <- scaling()
  compile(ours, "adam", loss, list(gap = gap))
  compile(theirs, "adam", "mse", list("mae"))
  schedule <- function() list(keras()$callbacks$LearningRateScheduler(rate))
  history <- train(ours, cycling(batches), 4, 2, callbacks = schedule())
  expected <- train(theirs, cycling(batches), 4, 2, callbacks = schedule())
  expect_equal(history$metrics$loss, expected$metrics$loss, tolerance = 1e-5)
  expect_equal(history$metrics$gap, expected$metrics$mae, tolerance = 1e-5)
  expect_equal(weights_of(ours), weights_of(theirs), tolerance = 1e-5)
})

test_that("Hooks run on R's thread, find the model whole, and stop the training; early stopping does, too", {
  model <- rich_model()
  x <- matrix(0, 2, 3)
  seen <- list()
  hooks <- list(
    on_train_batch_end = function(batch, logs) {
      seen <<- c(seen, list(c(weights_of(model)[[1]], model$predict(x, verbose = 0L))))
    },
    on_epoch_end = function(epoch, logs) {
      expect_identical(current_thread(), "MainThread")
      expect_true(is.finite(logs$val_loss))
      expect_named(evaluate_generator(model, cycling(batches), 1), c("loss", "mae"))
      model$save(file.path(folder, "model.keras"))
      if (epoch == 1) model$stop_training <- TRUE
    }
  )
  folder <- withr::local_tempdir()
  history <- train(model, cycling(batches), 2, 9, callbacks = list(hooks), validation_data = valid[[1]])
  expect_length(history$epoch, 2)
  expect_length(unique(seen), 4)
  expect_true(all(is.finite(unlist(seen))))
  expect_identical(weights_of(keras()$models$load_model(file.path(folder, "model.keras"))), weights_of(model))
  patient <- keras()$callbacks$EarlyStopping("loss", min_delta = 1e9, patience = 0L)
  expect_identical(train(model, cycling(batches), 1, 9, initial_epoch = 2, callbacks = patient)$epoch, 2:3)
})

test_that("Class and sample weights count as in Keras's fit", {
  classifier <- function() rich_model("sparse_categorical_crossentropy", list("accuracy"), 2L, "softmax")
  labelled <- lapply(batches, function(batch) list(batch[[1]], as.integer(batch[[2]] > 0), abs(batch[[1]][, 1])))
  theirs <- classifier()
  ours <- classifier()
  expected <- fit_keras(theirs, labelled, 1L)
  expect_equal(train(ours, cycling(labelled), 4, jit_compile = FALSE)$metrics, expected, tolerance = 1e-6)
  expect_identical(weights_of(ours), weights_of(theirs))
  rows <- lapply(1:2, function(part) do.call(if (part == 1) rbind else c, lapply(labelled, `[[`, part)))
  expected <- theirs$fit(rows[[1]], matrix(rows[[2]]), 4L, shuffle = FALSE, verbose = 0L,
                         class_weight = reticulate::py_eval("{0: 1.0, 1: 3.0}", FALSE))
  unweighted <- lapply(labelled, `[`, 1:2)
  train(ours, cycling(unweighted), 4, class_weight = list("0" = 1, "1" = 3), jit_compile = FALSE)
  expect_equal(weights_of(ours), weights_of(theirs), tolerance = 1e-6)
})

test_that("checkpoint() goes on where a training crashed, and equals an undisturbed one", {
  path <- file.path(withr::local_tempdir(), "training.npz")
  whole <- rich_model()
  expected <- train(whole, cycling(batches), 4, 3, jit_compile = FALSE)
  crash <- list(on_epoch_end = function(epoch, logs) if (epoch == 1) stop("crash"))
  expect_error(train(rich_model(), cycling(batches), 4, 3, callbacks = list(checkpoint(path), crash)), "crash")
  resumed <- rich_model()
  saved <- checkpoint(path)
  expect_identical(saved$epoch, 1L)
  history <- train(resumed, cycling(batches), 4, 3, callbacks = list(saved), jit_compile = FALSE)
  expect_identical(history$metrics, expected$metrics)
  expect_identical(weights_of(resumed), weights_of(whole))
})

test_that("An error in R arrives with its class and its batch, and leaves the state of the last finished step", {
  theirs <- rich_model()
  ours <- rich_model()
  fit_keras(theirs, batches[1:2], 1L)
  calls <- 0
  failing <- function() {
    calls <<- calls + 1
    if (calls > 2) stop(structure(class = c("no_data", "error", "condition"), list(message = "no data", call = NULL)))
    batches[[calls]]
  }
  error <- tryCatch(train(ours, failing, 4), no_data = identity)
  expect_s3_class(error, c("fitgenerator_generator_error", "no_data"), exact = FALSE)
  expect_match(conditionMessage(error), "no data.*batch 3|batch 3.*no data")
  expect_identical(weights_of(ours), weights_of(theirs))
  wrong <- rich_model(function(y_true, y_pred) stop("not this"))
  expect_error(train(wrong, cycling(batches), 2), "not this")
  expect_clean(ours)
})

test_that("An interrupt arrives in a closure, a hook and a loss; the backend was chosen after the package was loaded", {
  skip_on_os("windows")
  withr::local_envvar(KERAS_BACKEND = "")
  done <- run_r(args = backend, quote({
    use_backend <- function(backend) Sys.setenv(KERAS_BACKEND = backend) # as keras3's
    use_backend(commandArgs(TRUE))
    interrupted <- function(...) tryCatch({ train(...); "no" }, interrupt = function(cnd) "yes")
    stopping <- function() { press_ctrl_c(); for (i in 1:1e6) sqrt(i) }
    batch <- random_batches()
    calls <- 0
    closure <- function() { calls <<- calls + 1; if (calls == 3) stopping(); batch() }
    model <- linear_model()
    cat(interrupted(model, closure, 9), "")
    cat(interrupted(model, batch, 9, callbacks = list(on_train_batch_end = function(batch, logs) stopping())), "")
    loss <- function(y, p) { stopping(); keras()$ops$mean(y - p) }
    cat(interrupted(linear_model(loss = loss), batch, 9), our_threads(), keras()$config$backend(), "")
    cat(length(train(model, batch, 2)$epoch))
  }))
  expect_process(done, paste0("^yes yes yes +", backend, " 1$"))
})

test_that("The report names the backend and its devices; other backends than the one that runs are not loaded", {
  said <- capture.output(works <- fitgenerator_sitrep())
  expect_true(works)
  titles <- c(tensorflow = "TensorFlow", jax = "JAX", torch = "PyTorch")
  expect_match(said, paste0("^ *", titles[[backend]], " +[0-9]"), all = FALSE)
  expect_match(said, paste0("Keras's backend +", backend), all = FALSE)
  expect_match(said, "Devices +[A-Za-z]+:?0?", all = FALSE)
  skip_if(backend == "tensorflow" || reticulate::py_module_available("tensorflow"))
  expect_false(reticulate::py_eval("'tensorflow' in __import__('sys').modules"))
})

test_that("T33: a backend that is not supported is refused with what keras3's users call", {
  skip_without_keras()
  model <- linear_model()
  patch <- reticulate::import("unittest.mock", convert = FALSE)$patch("keras.config.backend", return_value = "openvino")
  patch$start()
  withr::defer(patch$stop())
  refused <- expect_error(train(model, random_batches(), 1), class = "fitgenerator_argument_error")
  expect_match(conditionMessage(refused), "not \"openvino\": call keras3's use_backend()", fixed = TRUE)
})
