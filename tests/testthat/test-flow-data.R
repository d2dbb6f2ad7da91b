# Batches from R arrays: what crosses, in which order, and what is refused. The cutting is tested in Python.

skip_without_keras()

# All batches of a flow's first pass, as R values.
batches_of_flow <- function(flow) lapply(seq_len(length(flow)) - 1L, function(i) reticulate::py_to_r(flow[i]))

one_batch <- function(...) reticulate::py_to_r(flow_from_data(..., batch_size = 1000, shuffle = FALSE)[0])

x <- matrix(1:12 + 0)
y <- matrix(0, 12L, 1L)

test_that("G6: every element of an array stays in its place", {
  array4 <- array(1:48 + 0, c(2, 3, 4, 2))
  batch <- one_batch(list(a = x, b = t(matrix(1:24, 2L))), list(x[, 1], y))
  expect_equal(batch[[1]], list(a = x, b = t(matrix(1:24, 2L))))
  expect_equal(lapply(batch[[2]], as.vector), list(1:12 + 0, as.vector(y)))
  expect_equal(one_batch(array4)[[1]], array4)
})

test_that("G1, G4, G5: factors, logicals, data frames and sparse matrices are what they are in a batch", {
  kind <- factor(rep(c("b", "a", "c"), 4L))
  expect_identical(as.vector(one_batch(x, kind)[[2]]), as.integer(kind) - 1L)
  expect_identical(as.vector(one_batch(x, x[, 1] > 3)[[2]]), x[, 1] > 3)
  expect_equal(one_batch(data.frame(a = 1:3 + 0, b = 4:6 + 0))[[1]], cbind(1:3, 4:6))
  skip_if_not_installed("Matrix")
  sparse <- Matrix::rsparsematrix(20, 5, 0.2)
  expect_equal(one_batch(sparse)[[1]], as.matrix(sparse), tolerance = 1e-6)
  expect_equal(one_batch(methods::as(sparse != 0, "lMatrix"))[[1]], as.matrix(sparse != 0), ignore_attr = TRUE)
})

test_that("A model trains on it without steps, with several workers, and validates", {
  flow <- flow_from_data(x, y, batch_size = 3, seed = 1)
  history <- train(echo_model(), flow, NULL, epochs = 2, validation_data = flow, workers = 2)
  expect_equal(history$metrics, list(loss = c(6.5, 6.5), val_loss = c(6.5, 6.5)), tolerance = 1e-6)
  expect_equal(evaluate_generator(echo_model(), flow)$loss, 6.5)
  expect_warning(predict_generator(echo_model(), flow), class = "fitgenerator_shuffled_warning")
  expect_equal(predict_generator(echo_model(), flow_from_data(x, shuffle = FALSE)), x)
})

test_that("The order follows from the seed, or else from the session's random numbers", {
  order_of <- function(...) unlist(lapply(batches_of_flow(flow_from_data(x, y, batch_size = 5, ...)), `[[`, 1L))
  expect_identical(order_of(seed = 1), order_of(seed = 1))
  expect_identical(sort(order_of(seed = 1)), 1:12 + 0)
  set.seed(2)
  first <- order_of()
  second <- order_of()
  set.seed(2)
  expect_identical(order_of(), first)
  expect_false(identical(first, second))
  before <- .Random.seed
  expect_identical(order_of(shuffle = FALSE), 1:12 + 0)
  expect_identical(.Random.seed, before)
})

test_that("A training that begins with a later epoch gets the batches of that epoch", {
  losses <- function(...) {
    data <- flow_from_data(matrix(rnorm(12)), y, batch_size = 5, seed = 3, last_batch = "drop")
    set.seed(1)
    train(echo_model(), data, NULL, epochs = 4, ...)$metrics$loss
  }
  set.seed(1)
  whole <- losses()
  expect_identical(losses(initial_epoch = 2), whole[3:4])
})

test_that("last_batch and balance are as in Python", {
  sizes <- function(last) {
    vapply(batches_of_flow(flow_from_data(x, batch_size = 5, last_batch = last)), function(b) length(b[[1]]), 0L)
  }
  expect_identical(lapply(c("keep", "drop", "fill"), sizes), list(c(5L, 5L, 2L), c(5L, 5L), c(5L, 5L, 5L)))
  kind <- factor(rep(c("often", "seldom"), c(10, 2)))
  for (flow in list(flow_from_data(x, kind, batch_size = 4, balance = TRUE),
                    flow_from_data(x, batch_size = 4, balance = kind))) {
    for (batch in batches_of_flow(flow)) expect_identical(sum(batch[[1]] > 10), 2L)
  }
})

test_that("M4: the flow has its own copy", {
  data <- matrix(1:4 + 0)
  flow <- flow_from_data(data, shuffle = FALSE)
  data[] <- 0
  gc()
  expect_equal(reticulate::py_to_r(flow[0])[[1]], matrix(1:4 + 0))
})

test_that("Bad input is refused by the name of the argument", {
  refused <- function(text, code) {
    e <- expect_error(code, class = "fitgenerator_argument_error")
    expect_match(conditionMessage(e), text)
  }
  refused("12 in `x` \\(12, 1\\), 3 in `y` \\(3, 1\\)", flow_from_data(x, y[1:3, , drop = FALSE]))
  refused("^`batch_size` must be a whole number of at least 1, not 0", flow_from_data(x, batch_size = 0))
  refused("^`batch_size` must be at most", flow_from_data(x, batch_size = 50, last_batch = "drop"))
  refused("^`seed` must be", flow_from_data(x, seed = -1))
  refused("^`shuffle` must be TRUE or FALSE", flow_from_data(x, shuffle = NA))
  refused("^`last_batch` must be one of \"keep\", \"drop\", \"fill\", not \"pad\"",
          flow_from_data(x, last_batch = "pad"))
  refused("^`sample_weight` needs targets", flow_from_data(x, sample_weight = x))
  refused("^`balance` needs classes", flow_from_data(x, x / 3, balance = TRUE))
  refused("^`balance` must have a label for each of the 12 rows", flow_from_data(x, balance = 1:3))
  refused("^`x` is a function; expected a numeric.*or a list of these\\.$", flow_from_data(sum))
  refused("^`y` is .*factor.*NA", flow_from_data(x, factor(c(NA, 1:11))))
})
