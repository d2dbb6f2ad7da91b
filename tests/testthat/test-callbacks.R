# Callbacks: plain lists of hooks and Keras's, in which order they run, and what they may see and do.

skip_without_keras()

test_that("rule 4: hooks of plain lists and of Keras callbacks run in the order given", {
  order <- NULL
  note <- function(who) function(...) order <<- c(order, who)
  lambda <- function(who) {
    keras()$callbacks$LambdaCallback(on_epoch_end = note(who), on_train_batch_end = note(toupper(who)))
  }
  table <- function(who) list(on_epoch_end = note(who), on_train_batch_end = note(toupper(who)))
  callbacks <- list(table("a"), lambda("b"), table("c"), lambda("d"))
  train(linear_model(), numbered(), 2, epochs = 2, callbacks = callbacks)
  expect_identical(order, rep(c("A", "B", "C", "D", "A", "B", "C", "D", "a", "b", "c", "d"), 2))
})

test_that("S7: all hooks fire as in Keras's fit", {
  hooks <- paste0("on_", c("train_begin", "train_end", "epoch_begin", "epoch_end", "train_batch_begin",
                           "train_batch_end", "test_begin", "test_end", "test_batch_begin", "test_batch_end"))
  seen <- NULL
  note <- function(hook) {
    function(...) {
      given <- list(...)
      number <- if (is.numeric(given[[1]])) given[[1]] else "-"
      seen <<- c(seen, paste(hook, number, paste(sort(names(given[[length(given)]])), collapse = "+")))
    }
  }
  table <- stats::setNames(lapply(hooks, note), hooks)
  train(echo_model(), numbered(), 2, epochs = 2, callbacks = table, validation_data = numbered(),
        validation_steps = 2)
  ours <- seen
  seen <- NULL
  data <- keras_dataset(lapply(1:2, function(i) numbered()()))
  echo_model()$fit(data, epochs = 2L, verbose = 0L, validation_data = data,
                   callbacks = list(do.call(keras()$callbacks$LambdaCallback, table[1:6])))
  expect_identical(grep("_test_", ours, invert = TRUE, value = TRUE), seen)
  tests <- c("on_test_begin - ", paste(c("on_test_batch_begin", "on_test_batch_end"), rep(0:1, each = 2),
                                       c("", "loss")), "on_test_end - loss")
  expect_identical(grep("_test_", ours, value = TRUE), rep(tests, 2))
})

test_that("on_batch_begin and on_batch_end are names of the training hooks", {
  seen <- NULL
  hooks <- list(on_batch_begin = function(batch, logs) seen <<- c(seen, batch),
                on_batch_end = function(batch, logs) seen <<- c(seen, logs$loss))
  train(echo_model(), numbered(), 2, callbacks = hooks, validation_data = numbered(), validation_steps = 1)
  expect_equal(seen, c(0, 1, 1, 1.5))
})

test_that("S1: hooks see val_loss and can stop the training", {
  seen <- list()
  model <- echo_model()
  generator <- numbered()
  hooks <- list(on_epoch_end = function(epoch, logs) {
    seen <<- c(seen, list(logs))
    if (logs$val_loss > 3) model$stop_training <- TRUE
  })
  history <- train(model, generator, 2, epochs = 50, callbacks = hooks, validation_data = numbered(),
                   validation_steps = 2)
  expect_equal(seen, list(list(loss = 1.5, val_loss = 1.5), list(loss = 3.5, val_loss = 3.5)))
  expect_false(history$incomplete)
  expect_lte(calls_of(generator) - 4, 11)
})

test_that("S1: training stops within the epoch when a batch hook asks for it", {
  model <- echo_model()
  ended <- NULL
  hooks <- list(on_train_batch_end = function(batch, logs) if (batch == 2) model$stop_training <- TRUE,
                on_epoch_end = function(epoch, logs) ended <<- c(ended, epoch),
                on_train_end = function(logs) ended <<- c(ended, "end"))
  history <- train(model, numbered(), 100, epochs = 3, callbacks = hooks)
  expect_equal(history$metrics$loss, 2)
  expect_identical(ended, c("0", "end"))
})

test_that("Hooks take as many arguments as they name, one list of hooks needs no list around it", {
  seen <- 0
  count <- function() seen <<- seen + 1
  train(echo_model(), numbered(), 2, callbacks = list(on_epoch_end = count))
  count_all <- function(...) count()
  tables <- list(list(on_epoch_end = count), list(on_epoch_end = count_all))
  train(echo_model(), numbered(), 2, callbacks = tables)
  lambda <- keras()$callbacks$LambdaCallback(on_epoch_end = count_all)
  train(echo_model(), numbered(), 2, callbacks = lambda)
  expect_equal(seen, 4)
  expect_length(train(echo_model(), numbered(), 2, callbacks = list())$epoch, 1)
})

test_that("A callback class made in R works, with self, model and parameters", {
  seen <- list()
  noting <- reticulate::PyClass("FitgeneratorTestNoting", inherit = keras()$callbacks$Callback, defs = list(
    on_epoch_end = function(self, epoch, logs) {
      seen <<- list(epoch = epoch, loss = logs$loss, params = self$params$epochs,
                    weight = as.vector(self$model$get_weights()[[1]]))
      NULL
    }
  ))
  train(echo_model(), numbered(), 2, epochs = 2, callbacks = list(noting()))
  expect_equal(seen, list(epoch = 1, loss = 3.5, params = 2, weight = 1))
})

test_that("LearningRateScheduler with an R function sets the rate of each epoch", {
  rates <- keras()$callbacks$LearningRateScheduler(function(epoch, rate) 1 / (epoch + 1))
  history <- train(linear_model(), random_batches(), 1, epochs = 3, callbacks = list(rates))
  expect_equal(history$metrics$learning_rate, c(1, 1 / 2, 1 / 3), tolerance = 1e-6)
})

test_that("BackupAndRestore goes on at the epoch that it restores, and draws only what is left", {
  backup <- function() keras()$callbacks$BackupAndRestore(folder)
  folder <- tempfile()
  model <- linear_model()
  breaking <- list(on_epoch_end = function(epoch, logs) if (epoch == 2) stop("power cut"))
  interrupted <- list(backup(), breaking)
  expect_error(train(model, random_batches(), 2, epochs = 5, callbacks = interrupted), "power cut")
  generator <- numbered()
  history <- train(model, generator, 2, epochs = 5, callbacks = list(backup()))
  expect_identical(history$epoch, 3:4)
  expect_equal(calls_of(generator), 4)
  expect_length(train(model, numbered(), 2, epochs = 2)$epoch, 2)
})

test_that("ModelCheckpoint, CSVLogger, TerminateOnNaN and TensorBoard work as in fit", {
  folder <- tempfile()
  dir.create(folder)
  callbacks <- keras()$callbacks
  files <- file.path(folder, c("model.keras", "log.csv", "board"))
  history <- train(linear_model(rate = 0.01), random_batches(), 3, epochs = 2, callbacks = list(
    callbacks$ModelCheckpoint(files[[1]]), callbacks$CSVLogger(files[[2]]), callbacks$TensorBoard(files[[3]]),
    callbacks$TerminateOnNaN()
  ))
  expect_true(all(file.exists(files)))
  expect_equal(utils::read.csv(files[[2]])$loss, history$metrics$loss, tolerance = 1e-5)
  model <- linear_model()
  train(model, function() list(matrix(NaN), matrix(1)), 9, callbacks = callbacks$TerminateOnNaN())
  expect_equal(iterations_of(model), 1)
})

test_that("A callback may evaluate and predict with the model, also where its loss is an R function", {
  loss <- function(y, p) keras()$ops$mean(keras()$ops$abs(y - p), axis = -1L)
  model <- linear_model(rate = 0, loss = loss)
  seen <- NULL
  hooks <- list(on_epoch_end = function(epoch, logs) {
    score <- model$evaluate(matrix(epoch + 1), matrix(0), verbose = 0L)
    seen <<- c(seen, score, predict_generator(model, numbered(1), 1))
  })
  python <- keras()$callbacks$LambdaCallback(on_epoch_end = hooks$on_epoch_end)
  train(model, numbered(), 2, epochs = 2, callbacks = list(hooks, python))
  expect_equal(seen, c(1, 1, 1, 1, 2, 1, 2, 1))
})

test_that("Training within a callback or a closure of a training works", {
  inner <- echo_model()
  losses <- NULL
  nested <- function(...) losses <<- c(losses, train(inner, numbered(), 2)$metrics$loss)
  generator <- function() { nested(); random_batches()() }
  history <- train(linear_model(), generator, 2, callbacks = list(on_epoch_end = nested))
  expect_equal(losses, rep(1.5, 3))
  expect_identical(our_threads(), character())
})

test_that("T30: an object of keras's R6 class KerasCallback is called as keras calls it", {
  history <- keras_callback(
    "History", losses = NULL, epochs = NULL,
    on_train_begin = function(logs = list()) self$losses <- c(loss = -1),
    on_batch_end = function(batch, logs = list()) self$losses <- c(self$losses, logs[["loss"]]),
    on_epoch_end = function(epoch, logs = list()) {
      self$epochs <- c(self$epochs, epoch)
      if (epoch == 1) self$model$stop_training <- TRUE
    }
  )
  model <- echo_model()
  trained <- train(model, numbered(), 2, epochs = 5, callbacks = history)
  expect_equal(unname(history$losses), c(-1, 1, 1.5, 3, 3.5))
  expect_equal(history$epochs, c(0, 1))
  expect_length(trained$epoch, 2)
  expect_identical(history$params[c("epochs", "steps", "verbose")], list(epochs = 5L, steps = 2L, verbose = 0L))
  expect_identical(history$model$name, model$name)
})

test_that("T30: such objects see evaluations and predictions, in their place among other callbacks", {
  seen <- NULL
  note <- function(who) seen <<- c(seen, who)
  first <- keras_callback("First", on_test_begin = function(logs = NULL) note(is.null(self$model)),
                          on_predict_batch_end = function(batch, logs = NULL) note(batch))
  table <- list(on_test_begin = function(logs) note("table"), on_predict_end = function(logs) note("end"))
  evaluate_generator(echo_model(), numbered(), 1, callbacks = list(first, table))
  predict_generator(echo_model(), numbered(), 2, callbacks = list(table, first))
  expect_identical(seen, c("FALSE", "table", "0", "1", "end"))
})

test_that("T30: hooks that do nothing cost nothing, on_batch_end wins, an error is the callback's", {
  idle <- keras_callback("Idle", on_epoch_end = function(epoch, logs) 1)
  expect_identical(names(table_of(idle)), c("set_context", "on_epoch_end"))
  both <- keras_callback("Both", on_batch_end = function(batch, logs) "batch",
                         on_train_batch_end = function(batch, logs) "train", on_train_batch_begin = function(batch) 1)
  expect_setequal(names(table_of(both)), c("set_context", "on_batch_end", "on_train_batch_begin"))
  failing <- keras_callback("Failing", on_epoch_end = function(epoch, logs) stop("no space"))
  expect_error(train(echo_model(), numbered(), 1, callbacks = list(failing)), "no space",
               class = "fitgenerator_callback_error")
})
