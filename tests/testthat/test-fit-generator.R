# Training from closures: how often they are called, what the history says, calls one after another.

skip_without_keras()

# Inputs and targets for `rows`, one batch for each, with two columns.
uneven_batches <- function(rows) {
  lapply(rows, function(n) {
    x <- matrix(rnorm(n * 2), n)
    list(x, matrix(as.numeric(x[, 1] > x[, 2]), n))
  })
}

classifier <- function() {
  layers <- keras()$layers
  start <- keras()$initializers$Constant(0.1)
  model <- keras()$Sequential(list(
    layers$Input(list(2L)), layers$Dense(3L, "tanh", kernel_initializer = start),
    layers$Dense(1L, "sigmoid", kernel_initializer = start)
  ))
  model$compile("adam", "binary_crossentropy", metrics = list("accuracy", "auc"))
  model
}

test_that("C1: a closure is called steps x epochs times, and batch k feeds step k", {
  generator <- numbered()
  history <- train(echo_model(), generator, 3, epochs = 4)
  expect_equal(calls_of(generator), 12)
  expect_equal(history$metrics$loss, c(2, 5, 8, 11))
})

test_that("C1: a second call of any kind goes on with the next batch", {
  generator <- numbered()
  model <- echo_model()
  expect_equal(train(model, generator, 2)$metrics$loss, 1.5)
  expect_equal(evaluate_generator(model, generator, 2)$loss, 3.5)
  expect_equal(predict_generator(model, generator, 2), matrix(c(5, 5, 6, 6)))
  expect_equal(train(model, generator, 2, max_queue_size = 0)$metrics$loss, 7.5)
  expect_equal(train(model, generator, 1)$metrics$loss, 9)
})

test_that("rule 5: pulls are exact over two calls, whatever the queue", {
  for (size in c(0, 1, 3, 10)) {
    generator <- numbered()
    validation <- numbered()
    model <- echo_model()
    for (call in 1:2) {
      train(model, generator, 3, epochs = 5, initial_epoch = 2, max_queue_size = size,
            validation_data = validation, validation_steps = 2)
      expect_equal(calls_of(generator), call * 9)
      expect_equal(calls_of(validation), call * 6)
    }
  }
})

test_that("C5: initial_epoch is where counting goes on, epochs the last one", {
  seen <- list()
  note <- function(hook) function(n, logs) seen[[hook]] <<- c(seen[[hook]], n)
  hooks <- list(on_epoch_begin = note("epoch"), on_train_batch_begin = note("batch"))
  generator <- numbered()
  history <- train(echo_model(), generator, 2, epochs = 5, initial_epoch = 2, callbacks = hooks)
  expect_equal(seen$epoch, 2:4)
  expect_equal(seen$batch, rep(0:1, 3))
  expect_equal(calls_of(generator), 6)
  expect_identical(history$epoch, 2:4)
  expect_identical(as.data.frame(history)$epoch, 3:5)
})

test_that("C5: nothing is pulled when no epoch is left", {
  generator <- numbered()
  for (epochs in c(0, 1, 3)) {
    history <- train(echo_model(), generator, 2, epochs = epochs, initial_epoch = 3)
    expect_length(history$epoch, 0)
    expect_false(history$incomplete)
  }
  expect_equal(calls_of(generator), 0)
})

test_that("S3: the history is that of Keras's fit on the same batches", {
  batches <- uneven_batches(c(8, 3, 8, 1, 8, 5))
  ours <- classifier()
  history <- train(ours, cycling(batches), 6, epochs = 3, validation_data = cycling(batches[2:3]),
                   validation_steps = 2)
  theirs <- classifier()
  expected <- theirs$fit(keras_dataset(batches), epochs = 3L, verbose = 0L, shuffle = FALSE,
                         validation_data = keras_dataset(batches[2:3]))$history
  expect_identical(names(history$metrics), names(expected))
  expect_equal(history$metrics, lapply(expected, unlist), tolerance = 1e-5)
  expect_equal(weights_of(ours), weights_of(theirs), tolerance = 1e-5)
})

test_that("A model that is not built is built from the first batch, which is trained on", {
  model <- keras()$Sequential(list(keras()$layers$Dense(1L, use_bias = FALSE, kernel_initializer = "ones")))
  model$compile(keras()$optimizers$SGD(0), "mae")
  generator <- numbered()
  expect_equal(train(model, generator, 3)$metrics$loss, 2)
  expect_equal(calls_of(generator), 3)
})

test_that("The history is returned invisibly, and is the last history and the model's", {
  model <- echo_model()
  expect_invisible(train(model, numbered(), 2))
  history <- train(model, numbered(), 2, epochs = 2)
  expect_s3_class(history, c("fitgenerator_history", "keras_training_history"), exact = TRUE)
  expect_equal(last_history(), history)
  expect_equal(unlist(model$history$history$loss), history$metrics$loss)
  expect_equal(history$params[c("epochs", "steps", "verbose")], list(epochs = 2L, steps = 2L, verbose = 0L))
})

test_that("The eleven documented arguments come first and in order", {
  documented <- c("object", "generator", "steps_per_epoch", "epochs", "verbose", "callbacks",
                  "validation_data", "validation_steps", "class_weight", "max_queue_size", "initial_epoch")
  expect_identical(head(names(formals(fit_generator)), 11), documented)
  defaults <- list(epochs = 1, verbose = quote(getOption("keras.fit_verbose", default = 1)), callbacks = NULL,
                   validation_data = NULL, validation_steps = NULL,
                   class_weight = NULL, max_queue_size = 10, initial_epoch = 0)
  expect_identical(as.list(formals(fit_generator))[4:11], defaults)
})

test_that("A6: fits, evaluation and prediction in one session leave no thread behind", {
  model <- linear_model()
  train(model, random_batches(), 3)
  threads <- length(thread_names())
  train(model, random_batches(), 3, epochs = 2)
  evaluate_generator(model, random_batches(), 2)
  predict_generator(model, random_batches(), 2)
  train(model, random_batches(), 3, validation_data = random_batches(), validation_steps = 2)
  expect_identical(our_threads(), character())
  expect_lte(length(thread_names()), threads)
})

test_that("A7: many epochs of a step, many steps of an epoch, and many short fits all finish", {
  model <- linear_model()
  expect_length(train(model, random_batches(), 1, epochs = 200)$epoch, 200)
  expect_length(train(model, random_batches(), 1000)$epoch, 1)
  for (i in 1:30) train(model, random_batches(), 2)
  expect_equal(iterations_of(model), 1260)
})

test_that("F3: a hundred fits add no threads and no open files", {
  model <- linear_model()
  files <- function() length(list.files("/proc/self/fd"))
  train(model, random_batches(), 1)
  before <- c(length(thread_names()), files())
  for (i in 1:100) train(model, random_batches(), 1)
  expect_lte(length(thread_names()), before[[1]])
  if (dir.exists("/proc/self/fd")) expect_lte(files(), before[[2]] + 2)
})

test_that("A9: a closure may predict with the model that is trained", {
  model <- linear_model(2, 1, rate = 0.05)
  mining <- function() {
    batch <- random_batches(8, 2)()
    hard <- order(-abs(model$predict_on_batch(batch[[1]]) - batch[[2]]))[1:4]
    list(batch[[1]][hard, , drop = FALSE], batch[[2]][hard, , drop = FALSE])
  }
  history <- train(model, mining, 40, epochs = 4, validation_data = mining, validation_steps = 10)
  expect_true(all(is.finite(unlist(history$metrics))))
  expect_lt(history$metrics$val_loss[[4]], history$metrics$val_loss[[1]])
})

test_that("Steps per execution, eager steps and the model's own XLA give the history of single steps", {
  batches <- uneven_batches(rep(4, 4))
  run <- function(...) {
    model <- linear_model(2)
    model$compile(keras()$optimizers$SGD(0.1), "mse", ...)
    train(model, cycling(batches), 4, epochs = 2)$metrics$loss
  }
  plain <- run()
  expect_identical(run(steps_per_execution = 2L), plain)
  expect_equal(run(run_eagerly = TRUE), plain, tolerance = 1e-6)
  expect_equal(run(jit_compile = TRUE), plain, tolerance = 1e-5)
})

test_that("A source that ends early warns, and leaves a history of the finished epochs, marked incomplete", {
  left <- 7
  ending <- function() if ((left <<- left - 1) >= 0) random_batches()()
  ended <- FALSE
  hooks <- list(on_train_end = function(logs) ended <<- TRUE)
  expect_warning(
    history <- train(linear_model(), ending, 3, epochs = 5, callbacks = hooks),
    "`generator` ended early: 15 batches were wanted, 7 came (epoch 3: 1 of 3).",
    fixed = TRUE, class = "fitgenerator_ended_warning"
  )
  expect_true(history$incomplete && ended)
  expect_length(history$metrics$loss, 2)
  expect_output(print(history), "incomplete")
})

test_that("C2: a closure that returns NULL at call 4 of 10 is no plain success", {
  for (end in list(NULL, as.symbol(".__exhausted__."))) {
    calls <- 0
    ending <- function() {
      calls <<- calls + 1
      if (calls == 4) end else random_batches()()
    }
    expect_warning(history <- train(linear_model(), ending, 10), "10 batches were wanted, 3 came")
    expect_true(history$incomplete)
    expect_equal(calls, 4)
  }
  expect_error(train(linear_model(), function() NULL, 10), "before its first batch")
})
