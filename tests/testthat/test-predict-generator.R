skip_without_keras()

test_that("P1: rows are those of the batches, in the order of the calls, however long each takes", {
  rows <- c(4, 1, 3, 7, 2)
  at <- 0
  uneven <- function() {
    Sys.sleep(stats::runif(1, 0, 0.05)) # nolint: undesirable_function_linter. A generator that takes its time.
    at <<- at + 1
    matrix(sum(rows[seq_len(at - 1)]) + seq_len(rows[[at]]))
  }
  expect_equal(predict_generator(echo_model(), uneven, 5), matrix(1:17 + 0))
  expect_equal(at, 5)
})

test_that("P1: inputs may come bare, in a list, or with targets and weights", {
  x <- matrix(1:3 + 0)
  for (batch in list(x, list(x), list(x, x), list(x, x, 1:3), data.frame(a = 1:3))) {
    expect_equal(predict_generator(echo_model(), function() batch, 2), rbind(x, x))
  }
})

two_outputs <- function() {
  layers <- keras()$layers
  input <- layers$Input(list(1L), name = "x")
  outputs <- list(layers$Rescaling(2, name = "double")(input), layers$Rescaling(3, name = "triple")(input))
  list(list = keras()$Model(input, outputs),
       named = keras()$Model(list(x = input), list(double = outputs[[1]], triple = outputs[[2]])))
}

test_that("P3: several outputs are a list of arrays with all rows, named where the model names them", {
  models <- two_outputs()
  for (steps in 1:2) {
    all <- matrix(rep(1:2, steps) + 0)
    predicted <- predict_generator(models$list, function() matrix(1:2), steps)
    expect_equal(predicted, list(2 * all, 3 * all))
    predicted <- predict_generator(models$named, function() list(x = matrix(1:2)), steps)
    expect_equal(predicted[c("double", "triple")], list(double = 2 * all, triple = 3 * all))
  }
})

test_that("Arrays of more dimensions keep their places", {
  model <- keras()$Sequential(list(keras()$layers$Input(list(3L, 4L)), keras()$layers$Rescaling(2)))
  x <- array(1:24 + 0, c(2, 3, 4))
  expect_equal(predict_generator(model, function() x, 1), 2 * x)
})

test_that("A model that is not compiled predicts", {
  model <- keras()$Sequential(list(keras()$layers$Input(list(1L)), keras()$layers$Rescaling(2)))
  expect_equal(predict_generator(model, function() matrix(1), 2), matrix(c(2, 2)))
})

test_that("A source that ends early warns, and gives the rows so far", {
  left <- 2
  ending <- function() if ((left <<- left - 1) >= 0) matrix(2 - left)
  expect_warning(rows <- predict_generator(echo_model(), ending, 5), "5 batches were wanted, 2 came",
                 class = "fitgenerator_ended_warning")
  expect_equal(rows, matrix(c(1, 2)))
  expect_error(predict_generator(echo_model(), function() NULL, 5), "nothing to predict")
})

test_that("S7: callbacks get on_predict_* in order, with batch numbers from 0", {
  seen <- NULL
  note <- function(name) {
    function(first, ...) seen <<- c(seen, paste(c(name, if (is.numeric(first)) first), collapse = " "))
  }
  hooks <- paste0("on_predict_", c("begin", "batch_begin", "batch_end", "end"))
  predict_generator(echo_model(), numbered(), 2, callbacks = stats::setNames(lapply(hooks, note), hooks))
  batch <- function(i) paste(c("on_predict_batch_begin", "on_predict_batch_end"), i)
  expect_identical(seen, c("on_predict_begin", batch(0), batch(1), "on_predict_end"))
})

test_that("P1: prediction in lock-step, and beside a validation closure that shares the model", {
  generator <- numbered(1L)
  expect_equal(predict_generator(echo_model(), generator, 3, max_queue_size = 0), matrix(1:3 + 0))
  expect_equal(predict_generator(echo_model(), generator, 2, workers = 0), matrix(4:5 + 0))
})

test_that("T22: a list named x and y, or inputs and targets, is a batch, as in training", {
  x <- matrix(1:3 + 0)
  named <- list(
    list(x = x, y = x), list(x = x, y = x, sample_weight = 1:3), list(inputs = x, targets = x), list(x = x),
    list(images = x, labels = x)
  )
  for (module in c("keras", "tf_keras")) {
    keras <- reticulate::import(module)
    bare <- keras$Sequential(list(keras$layers$Dense(1L, use_bias = FALSE, kernel_initializer = "ones")))
    bare$compile("sgd", "mae")
    known <- keras$Sequential(list(keras$layers$Input(list(1L)), bare))
    known$compile("sgd", "mae")
    for (model in list(bare, known)) {
      for (batch in named) {
        expect_equal(predict_generator(model, function() batch, 2), rbind(x, x))
        expect_equal(predict(model, function() batch, steps = 1), x)
        if (length(batch) > 1L) expect_gte(evaluate_generator(model, function() batch, 1)$loss, 0)
      }
    }
  }
})

test_that("T22: inputs that have these names are found by them", {
  a <- matrix(1:3 + 0)
  b <- matrix(4:6 + 0)
  for (module in c("keras", "tf_keras")) {
    keras <- reticulate::import(module)
    inputs <- list(x = keras$layers$Input(list(1L), name = "x"), y = keras$layers$Input(list(1L), name = "y"))
    for (given in list(inputs, unname(inputs))) {
      model <- keras$Model(given, keras$layers$Subtract()(unname(inputs)))
      expect_equal(predict_generator(model, function() list(y = b, x = a), 1), a - b)
      expect_equal(predict_generator(model, function() list(x = a, y = b), 1), a - b)
      expect_equal(predict_generator(model, function() list(list(x = a, y = b), 1:3), 1), a - b)
    }
  }
})
