# fit(), evaluate() and predict() on arrays: the rows in batches, by the engine of fit_generator().

skip_without_keras()

learner <- function(module = "keras") {
  keras <- reticulate::import(module)
  start <- keras$initializers$Constant(0.1)
  layer <- keras$layers$Dense(1L, "sigmoid", kernel_initializer = start)
  model <- keras$Sequential(list(keras$layers$Input(list(2L)), layer))
  compile(model, "adam", "binary_crossentropy", metrics = "accuracy")
}

some_rows <- function(n = 50L) {
  x <- matrix(stats::rnorm(2L * n), n)
  list(x = x, y = as.numeric(x[, 1L] > 0.3))
}

test_that("The history is that of Keras's fit on the same arrays, in Keras 3 and in Keras 2", {
  set.seed(2)
  data <- some_rows()
  weights <- stats::runif(50)
  for (module in c("keras", "tf_keras")) {
    ours <- learner(module)
    history <- fit(ours, data$x, data$y, batch_size = 16, epochs = 3, verbose = 0, validation_split = 0.2,
                   shuffle = FALSE, sample_weight = weights)
    theirs <- learner(module)
    expected <- theirs$fit(data$x, array(data$y), batch_size = 16L, epochs = 3L, verbose = 0L,
                           validation_split = 0.2, shuffle = FALSE, sample_weight = array(weights))
    expect_s3_class(history, "keras_training_history")
    expect_equal(history$metrics, lapply(expected$history, as.numeric), tolerance = 1e-5)
    scores <- theirs$evaluate(data$x, array(data$y), verbose = 0L, return_dict = TRUE)
    expect_equal(evaluate(ours, data$x, data$y)[names(scores)], scores, tolerance = 1e-5)
    expect_equal(predict(ours, data$x), theirs$predict(data$x, verbose = 0L), tolerance = 1e-5)
    expect_identical(predict_proba(ours, data$x, batch_size = 7), predict(ours, data$x, batch_size = 7))
  }
})

test_that("R callbacks run, epochs count from 0, and the history is the last one", {
  seen <- list()
  note <- list(on_epoch_end = function(epoch, logs) seen <<- c(seen, list(c(epoch = epoch, unlist(logs)))))
  data <- some_rows()
  history <- fit(learner(), data$x, data$y, epochs = 4, initial_epoch = 2, callbacks = note, verbose = 0,
                 validation_data = list(data$x, data$y), class_weight = list("0" = 1, "1" = 2))
  expect_equal(vapply(seen, `[[`, 0, "epoch"), c(2, 3))
  expect_equal(vapply(seen, `[[`, 0, "val_loss"), history$metrics$val_loss)
  expect_equal(last_history(), history)
})

test_that("Each epoch has all rows once, in an order of its own that follows from set.seed()", {
  orders <- function(seed, shuffle = TRUE) {
    set.seed(seed)
    seen <- numeric()
    before <- 0
    note <- list(on_train_batch_end = function(batch, logs) {
      total <- logs$loss * (batch + 1)
      seen <<- c(seen, round(total - if (batch == 0) 0 else before))
      before <<- total
    })
    fit(echo_model(), matrix(1:6), rep(0, 6), batch_size = 1, epochs = 2, shuffle = shuffle, callbacks = note,
        verbose = 0)
    matrix(seen, 6)
  }
  expect_equal(orders(1, FALSE), matrix(1:6, 6, 2))
  shuffled <- orders(1)
  expect_equal(apply(shuffled, 2, sort), matrix(1:6, 6, 2))
  expect_false(identical(shuffled[, 1], shuffled[, 2]))
  expect_identical(orders(1), shuffled)
  expect_false(identical(orders(2), shuffled))
})

test_that("Data frames, factors, sparse matrices and lists by name are arrays", {
  skip_if_not_installed("Matrix")
  model <- linear_model(2, loss = "mae")
  x <- cbind(a = c(0, 1, 2, 0), b = c(1, 0, 0, 3))
  for (given in list(x, as.data.frame(x), Matrix::Matrix(x, sparse = TRUE))) {
    expect_equal(predict(model, given, batch_size = 3), matrix(c(1, 1, 2, 3)))
    expect_equal(evaluate(model, given, factor(c("u", "v", "u", "u")))$loss, 1.5)
    expect_length(fit(linear_model(2), given, x %*% c(1, 1), verbose = 0)$epoch, 1)
  }
  inputs <- list(b = keras()$Input(list(1L), name = "b"), a = keras()$Input(list(1L), name = "a"))
  model <- keras_model(inputs, keras()$layers$Subtract()(unname(inputs)))
  expect_equal(predict(model, list(a = matrix(1:3), b = matrix(4:6))), matrix(3, 3, 1))
})

test_that("Generators, and Python's data sets and arrays, may take the place of arrays", {
  generator <- numbered()
  expect_equal(fit(echo_model(), generator, steps_per_epoch = 3, verbose = 0)$metrics$loss, 2)
  expect_equal(evaluate(echo_model(), generator, steps = 2)$loss, 4.5)
  expect_equal(predict(echo_model(), generator, steps = 1), matrix(6, 2, 1))
  array <- reticulate::r_to_py(matrix(1:4 + 0))
  expect_equal(predict(echo_model(), array), matrix(1:4))
  data <- keras_dataset(list(list(matrix(1), matrix(0)), list(matrix(3), matrix(0))))
  expect_equal(evaluate(echo_model(), data)$loss, 2)
})

test_that("Sources of R may take the place of arrays", {
  batch <- function(k) list(matrix(k, 2, 1), c(0, 0))
  numbers <- batch_sequence(batch, 3)
  expect_equal(fit(echo_model(), numbers, verbose = 0)$metrics$loss, 2)
  expect_equal(evaluate(echo_model(), numbers)$loss, 2)
  expect_equal(predict(echo_model(), numbers), matrix(rep(1:3, each = 2)))
  parts <- flow_from_chunks(function() function() NULL, y ~ x)
  expect_error(evaluate(echo_model(), parts), "`x` ended before its first batch")
  skip_if_not_installed("iterators")
  expect_equal(fit(echo_model(), iterators::iter(numbered()), steps_per_epoch = 3, verbose = 0)$metrics$loss, 2)
})

test_that("What goes wrong in `x` is told of `x`", {
  told <- function(expr, pattern) {
    said <- conditionMessage(expect_condition(expr, class = "fitgenerator_error"))
    expect_match(said, pattern)
    expect_no_match(said, "generator")
  }
  model <- echo_model()
  failing <- function() stop("no disk")
  told(fit(model, failing, steps_per_epoch = 1, verbose = 0), "^The code of `x` failed at batch 1: no disk")
  told(evaluate(model, failing, steps = 1), "^The code of `x` failed at batch 1: no disk")
  told(fit(model, function(i) 1, steps_per_epoch = 1), "^`x` must be a function without arguments")
  told(fit(model, numbered(), verbose = 0), "^`steps_per_epoch` must be given: `x` has no length")
  told(evaluate(model, function() list(1:2), steps = 1), "^Batch 1: x\\(\\) returned")
  told(predict(model, function() mean, steps = 1), "^Batch 1: x\\(\\) returned")
  told(predict(model, function() NULL, steps = 1), "^`x` ended before its first batch")
  told(evaluate(model, reticulate::py_eval("iter([1])", convert = FALSE), steps = 1), "^Batch 1 of `x`: ")
  told(fit(learner(), matrix(1:4), 1:4, verbose = 0), "While batch 1 of `x` was trained on")
  e <- expect_error(predict(model, failing, steps = 1), class = "fitgenerator_generator_error")
  expect_identical(list(e$place, e$batch), list("x", 1L))
  left <- 1
  ending <- function() if ((left <<- left - 1) >= 0) list(matrix(1), 0)
  expect_warning(fit(model, ending, steps_per_epoch = 2, verbose = 0), "^`x` ended",
                 class = "fitgenerator_ended_warning")
  slow <- function() Sys.sleep(60) # nolint: undesirable_function_linter. Stopped.
  told(fit(model, slow, steps_per_epoch = 1, verbose = 0, timeout = 0.2), "^`x` gave no batch 1 within 0.2 seconds")
})

test_that("Bad arguments are named", {
  model <- echo_model()
  x <- matrix(1:4)
  refused <- function(pattern, ..., fixed = FALSE) {
    expect_error(fit(model, ..., verbose = 0), pattern, class = "fitgenerator_argument_error", fixed = fixed)
  }
  refused("same number of rows (samples), not 4 in `x` (4, 1), 3 in `y` (3,)", x, 1:3, fixed = TRUE)
  refused("^`validation_data`'s arrays must all have .* 4 in inputs", x, 1:4, validation_data = list(x, 1:3))
  refused("`y` is a function", x, mean)
  refused("`batch_size` must be NULL if `x` is a generator", numbered(), batch_size = 2)
  refused("`batch_size` must be a whole number", x, 1:4, batch_size = 0)
  refused("`validation_split` must be 0 if `x` is a generator", numbered(), validation_split = 0.1)
  refused("`validation_split` must be", x, 1:4, validation_split = 1)
  refused("leaves 0 rows of 4", x, 1:4, validation_split = 0.9)
  refused("`shuffle` must be", x, 1:4, shuffle = "batch")
  refused("no argument `batchsize`", x, 1:4, batchsize = 2)
  refused("`epochs` must be", x, 1:4, epochs = 1.5)
  expect_silent(fit(model, x, 1:4, verbose = 0, view_metrics = FALSE))
})

test_that("evaluate() of another object is that of generics", {
  expect_error(evaluate(1), "no applicable method")
})

test_that("An interrupt ends fit() and leaves the finished epochs and a usable model", {
  done <- run_r(quote({
    model <- linear_model()
    interrupt <- list(on_epoch_end = function(epoch, logs) if (epoch == 2) press_ctrl_c())
    said <- tryCatch(
      fit(model, matrix(1, 64), rep(0, 64), epochs = 1e6, verbose = 0, callbacks = interrupt),
      interrupt = function(cnd) "interrupted"
    )
    cat(said, min(length(last_history()$epoch), 3), names(evaluate(model, matrix(1), 0)), length(our_threads()))
  }))
  expect_process(done, "^interrupted 3 loss 0$")
})

test_that("Without a batch size, the rows are cut into `steps_per_epoch` batches, as in Keras", {
  rows_of <- function(...) {
    reticulate::py_run_string(paste(
      "import keras",
      "class FitgeneratorTestCounted(keras.Model):",
      "    def __init__(self):",
      "        super().__init__()",
      "        self.layer, self.counts = keras.layers.Dense(1), []",
      "    def call(self, x): return self.layer(x)",
      "    def train_step(self, data):",
      "        self.counts.append(len(data[0]))",
      "        return {'loss': 0.0}",
      sep = "\n"
    ))
    model <- reticulate::py$FitgeneratorTestCounted()
    model$compile("sgd", "mse", run_eagerly = TRUE)
    fit(model, matrix(1, 100), rep(0, 100), verbose = 0, ...)
    as.numeric(unlist(reticulate::iterate(model$counts, as.numeric)))
  }
  expect_identical(rows_of(steps_per_epoch = 2), c(50, 50))
  expect_identical(rows_of(steps_per_epoch = 3, epochs = 2), c(34, 34, 32, 34, 34, 32))
  expect_identical(rows_of(steps_per_epoch = 2, batch_size = 32), c(32, 32))
  expect_identical(rows_of(steps_per_epoch = 2, validation_split = 0.2), c(40, 40))
  expect_identical(rows_of(steps_per_epoch = 2, validation_split = 0.2, batch_size = 10), c(10, 10))
  expect_identical(rows_of(validation_split = 0.2), c(32, 32, 16))
  expect_warning(expect_identical(rows_of(steps_per_epoch = 2.5), c(50, 50)), "rounded down to 2",
                 class = "fitgenerator_steps_warning")
})

test_that("Targets that are missing are asked for by the name of their argument", {
  x <- matrix(1, 4)
  for (module in c("keras", "tf_keras")) {
    model <- learner(module)
    inputs <- matrix(1, 4, 2)
    for (run in list(fit, evaluate, train_on_batch, test_on_batch)) {
      error <- expect_error(run(model, inputs), "^`y` must be given: the model was compiled with a loss",
                            class = "fitgenerator_argument_error")
      expect_identical(error$argument, "y")
      expect_error(run(model, inputs, sample_weight = rep(1, 4)), "^`y` must be given")
    }
  }
  plain <- keras_model_sequential(1, layers = list(keras()$layers$Dense(1L)))
  expect_error(fit(plain, x, verbose = 0), "must be compiled", class = "fitgenerator_argument_error")
  expect_error(train_on_batch(1, x), "`object` must be a Keras model")
})

test_that("Fixed validation data of a model without a loss may be its inputs alone", {
  input <- keras()$Input(list(2L))
  reticulate::py_run_string(paste(
    "import keras",
    "class FitgeneratorTestLoss(keras.layers.Layer):",
    "    def call(self, x):",
    "        self.add_loss(keras.ops.mean(x))",
    "        return x",
    sep = "\n"
  ))
  model <- keras_model(input, reticulate::py$FitgeneratorTestLoss()(input))
  compile(model, "sgd")
  x <- matrix(1:80 + 0, 40)
  for (data in list(list(x), list(x, NULL))) {
    expect_equal(fit(model, x, validation_data = data, verbose = 0)$metrics$val_loss, mean(x))
    history <- fit_generator(model, function() list(x), 1, validation_data = data, verbose = 0)
    expect_equal(history$metrics$val_loss, mean(x))
  }
  expect_error(fit(echo_model(), x[, 1L], x[, 1L], validation_data = list(x[, 1L])),
               "^`validation_data` is a list of 1 .*list\\(inputs, targets\\)", class = "fitgenerator_argument_error")
  expect_error(fit(model, x, validation_data = list()), "^`validation_data` .*, not a list of 0",
               class = "fitgenerator_argument_error")
})
