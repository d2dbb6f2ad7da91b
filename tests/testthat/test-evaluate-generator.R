skip_without_keras()

test_that("P2: losses and metrics are means over rows, not over batches", {
  batches <- list(list(matrix(1, 8), matrix(0, 8)), list(matrix(9, 2), matrix(0, 2)))
  model <- echo_model(metrics = list("mse"))
  scores <- evaluate_generator(model, cycling(batches), 2)
  expect_equal(scores$loss, 2.6, tolerance = 1e-6)
  expect_equal(scores$mse, (8 + 2 * 81) / 10, tolerance = 1e-6)
  whole <- model$evaluate(rbind(batches[[1]][[1]], batches[[2]][[1]]), matrix(0, 10), verbose = 0L)
  expect_equal(unname(unlist(scores)), unlist(whole), tolerance = 1e-6)
  history <- train(model, cycling(batches), 2, validation_data = cycling(batches), validation_steps = 2)
  expect_equal(history$metrics$loss, 2.6, tolerance = 1e-6)
  expect_equal(history$metrics$val_loss, 2.6, tolerance = 1e-6)
  expect_equal(history$metrics$val_mse, scores$mse, tolerance = 1e-6)
})

test_that("P3: scores are a list with the names of loss and metrics, in the order of compile()", {
  model <- echo_model(metrics = list("mse", "mape"))
  scores <- evaluate_generator(model, numbered(), 2)
  expected <- model$evaluate(matrix(1), matrix(0), verbose = 0L, return_dict = TRUE)
  expect_identical(names(scores), c("loss", "mse", "mape"))
  expect_setequal(names(scores), names(expected))
  expect_type(scores, "list")
  for (score in scores) expect_length(score, 1)
})

test_that("P4: two evaluations of fresh closures agree exactly, and change nothing", {
  model <- linear_model()
  train(model, random_batches(), 2)
  before <- list(weights_of(model), iterations_of(model))
  batches <- lapply(1:3, function(i) random_batches(4 * i)())
  for (run in list(evaluate_generator, predict_generator)) {
    expect_identical(run(model, cycling(batches), 3), run(model, cycling(batches), 3))
  }
  expect_identical(list(weights_of(model), iterations_of(model)), before)
})

test_that("A Python data set needs no steps, a closure does", {
  data <- keras_dataset(lapply(1:4, function(i) numbered()()))
  expect_equal(evaluate_generator(echo_model(), data)$loss, 1)
  expect_error(evaluate_generator(echo_model(), numbered()), "`steps` must be given",
               class = "fitgenerator_argument_error")
})

test_that("A source that ends early warns, and gives the scores of what came", {
  left <- 2
  ending <- function() if ((left <<- left - 1) >= 0) list(matrix(2 - left), matrix(0))
  expect_warning(scores <- evaluate_generator(echo_model(), ending, 5), "5 batches were wanted, 2 came",
                 class = "fitgenerator_ended_warning")
  expect_equal(scores$loss, 1.5)
  expect_error(evaluate_generator(echo_model(), function() NULL, 5), "nothing to evaluate")
})

test_that("S7: callbacks get on_test_* in order, with batch numbers from 0", {
  seen <- NULL
  note <- function(name) {
    function(first, ...) seen <<- c(seen, paste(c(name, if (is.numeric(first)) first), collapse = " "))
  }
  hooks <- paste0("on_test_", c("begin", "batch_begin", "batch_end", "end"))
  evaluate_generator(echo_model(), numbered(), 2, callbacks = stats::setNames(lapply(hooks, note), hooks))
  batch <- function(i) paste(c("on_test_batch_begin", "on_test_batch_end"), i)
  expect_identical(seen, c("on_test_begin", batch(0), batch(1), "on_test_end"))
})
