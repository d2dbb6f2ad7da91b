# What XLA may not change by itself: the checks of TensorFlow (T1), and the metrics of several outputs (T2).

skip_without_keras()

# Loops are formed as soon as steps were measured, and XLA is used from 120 steps on.
compiling_pays <- function(env = parent.frame()) {
  steps <- fitgenerator:::core("steps.tensorflow.compiled_steps")$TensorFlowSteps
  policy <- fitgenerator:::core("training.call_policy")
  before <- list(steps$worth_compiling, policy$SAVED)
  withr::defer({
    steps$worth_compiling <- before[[1L]]
    policy$SAVED <- before[[2L]]
  }, env)
  steps$worth_compiling <- 120L
  policy$SAVED <- 1e6
}

# Batch `at` of them is `bad`.
spoiled <- function(good, bad, at = 100L) {
  calls <- 0L
  function() {
    calls <<- calls + 1L
    if (calls == at) bad else good
  }
}

checked_models <- function(package = "keras") {
  layers <- reticulate::import(package)$layers
  of <- function(loss, ...) {
    model <- reticulate::import(package)$Sequential(list(layers$Input(list(2L)), ...))
    model$compile("sgd", loss)
    model
  }
  x <- matrix(1, 8, 2)
  list(
    ids = list(
      make = function() of("mse", layers$Embedding(5L, 2L), layers$Flatten(), layers$Dense(1L)),
      good = list(x, rep(1, 8)), bad = list(9 * x, rep(1, 8))
    ),
    # The usual slip of R's users: classes counted from 1.
    labels = list(
      make = function() of("sparse_categorical_crossentropy", layers$Dense(3L, activation = "softmax")),
      good = list(x, rep(0:2, length.out = 8)), bad = list(x, rep(1:3, length.out = 8))
    )
  )
}

test_that("T1: by default, ids and labels out of range are TensorFlow's error with its batch, at every stage", {
  compiling_pays()
  for (kind in checked_models()) {
    given <- function() spoiled(kind$good, kind$bad)
    calls <- list(
      function() train(kind$make(), given(), 60, 2),
      function() train(kind$make(), given(), 60, 2, jit_compile = FALSE),
      function() evaluate_generator(kind$make(), given(), 120),
      function() train(kind$make(), spoiled(kind$good), 1, 3, validation_data = given(), validation_steps = 40)
    )
    for (call in calls) {
      e <- expect_error(call(), class = "tensorflow.python.framework.errors_impl.InvalidArgumentError")
      expect_true(100L >= min(e$batch) && 100L <= max(e$batch) || 20L >= min(e$batch) && 20L <= max(e$batch))
    }
  }
  kind <- checked_models()$ids
  inputs <- spoiled(kind$good[[1L]], kind$bad[[1L]])
  e <- expect_error(predict_generator(kind$make(), inputs, 120),
                    class = "tensorflow.python.framework.errors_impl.InvalidArgumentError")
  expect_true(100L >= min(e$batch) && 100L <= max(e$batch))
})

test_that("T1: so they are with models of Keras 2", {
  compiling_pays()
  for (kind in checked_models("tf_keras")) {
    e <- expect_error(train(kind$make(), spoiled(kind$good, kind$bad), 60, 2),
                      class = "tensorflow.python.framework.errors_impl.InvalidArgumentError")
    expect_true(100L >= min(e$batch) && 100L <= max(e$batch))
  }
  labels <- checked_models("tf_keras")$labels
  expect_gt(train(labels$make(), function() labels$good, 60, 2)$pipeline$xla_steps, 0)
})

test_that("T1: XLA that is asked for leaves out the checks, as the manual says", {
  layers <- keras()$layers
  words <- list(layers$Input(list(2L)), layers$Embedding(5L, 2L), layers$Dropout(0.5))
  model <- keras()$Sequential(c(words, layers$Flatten(), layers$Dense(1L)))
  model$compile("sgd", "mse")
  kind <- checked_models()$ids
  history <- train(model, spoiled(kind$good, kind$bad, at = 35L), 50, jit_compile = TRUE)
  expect_gt(history$pipeline$xla_steps, 0)
  expect_true(is.finite(history$metrics$loss))
  expect_error(train(model, spoiled(kind$good, kind$bad, at = 35L), 50),
               class = "tensorflow.python.framework.errors_impl.InvalidArgumentError")
})

test_that("T2: metrics of several outputs are those without XLA", {
  compiling_pays()
  made <- function() {
    keras()$utils$set_random_seed(1L)
    input <- keras()$Input(list(4L))
    outputs <- lapply(c("a", "b"), function(name) keras()$layers$Dense(1L, name = name)(input))
    model <- keras()$Model(input, outputs)
    model$compile("sgd", list("mse", "mse"), metrics = list(list("mae"), list("mse")))
    model
  }
  set.seed(1)
  batches <- lapply(1:25, function(k) list(matrix(rnorm(128), 32), list(matrix(k * rnorm(32)), matrix(k * rnorm(32)))))
  run <- function(...) {
    train(made(), cycling(batches), 25, 6, validation_data = cycling(batches), validation_steps = 5, ...)
  }
  plain <- run(jit_compile = FALSE)
  for (way in list("auto", TRUE)) {
    compiled <- run(jit_compile = way)
    expect_gte(compiled$pipeline$xla_steps, 100)
    expect_equal(compiled$metrics, plain$metrics, tolerance = 1e-5)
  }
})
