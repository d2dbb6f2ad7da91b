# Batches by their number: length, passes, hooks, random numbers, resuming.

skip_without_keras()

# Batch i has the values i.
indexed_batch <- function(i) list(matrix(i + 0, 2L, 1L), matrix(0, 2L, 1L))

# The values of the batches in the order in which they came; `first` is asked as well.
noting <- function(batch = indexed_batch) {
  seen <- NULL
  list(fn = function(i) { seen <<- c(seen, i); batch(i) }, seen = function() seen)
}

losses <- function(...) train(echo_model(), ...)$metrics$loss

test_that("Each batch is made once an epoch, without steps_per_epoch, whatever the queue", {
  for (size in c(0, 1, 10)) {
    notes <- noting()
    expect_equal(losses(batch_sequence(notes$fn, 4), NULL, epochs = 2, max_queue_size = size), c(2.5, 2.5))
    expect_identical(notes$seen(), rep(1:4, 2))
    expect_equal(losses(batch_sequence(indexed_batch, 4), 3, epochs = 3, max_queue_size = size),
                 c(2, 7 / 3, 8 / 3), tolerance = 1e-6)
  }
})

test_that("D1: as validation data, and to evaluate and predict, it begins with its first batch each time", {
  flow <- batch_sequence(indexed_batch, 4)
  history <- train(echo_model(), flow, NULL, epochs = 2, validation_data = flow)
  expect_equal(history$metrics, list(loss = c(2.5, 2.5), val_loss = c(2.5, 2.5)))
  history <- train(echo_model(), numbered(), 2, epochs = 2, validation_data = flow, validation_steps = 2)
  expect_equal(history$metrics$val_loss, c(1.5, 1.5))
  expect_equal(evaluate_generator(echo_model(), flow)$loss, 2.5)
  expect_equal(as.vector(predict_generator(echo_model(), flow)), rep(1:4, each = 2))
  expect_warning(short <- evaluate_generator(echo_model(), flow, 6), class = "fitgenerator_ended_warning")
  expect_equal(short$loss, 2.5)
})

test_that("Shuffled, each epoch has an order that follows from the seed, and a prediction warns", {
  made <- function(seed = 1) {
    notes <- noting()
    losses(batch_sequence(notes$fn, 5, shuffle = TRUE, seed = seed), NULL, epochs = 3)
    matrix(notes$seen(), 5L)
  }
  orders <- made()
  expect_true(all(apply(orders, 2L, sort) == 1:5))
  expect_identical(anyDuplicated(t(orders)), 0L)
  expect_identical(made(), orders)
  expect_false(identical(made(2), orders))
  set.seed(4)
  first <- made(NULL)
  set.seed(4)
  expect_identical(made(NULL), first)
  shuffled <- batch_sequence(indexed_batch, 4, shuffle = TRUE)
  expect_warning(predict_generator(echo_model(), shuffled), class = "fitgenerator_shuffled_warning")
})

test_that("The batches of a later epoch are those that it would have had, random numbers and all", {
  noise <- batch_sequence(function(i) list(matrix(rnorm(2)), matrix(0, 2, 1)), 3, shuffle = TRUE, seed = 1)
  whole <- losses(noise, NULL, epochs = 4)
  expect_length(unique(whole), 4)
  for (size in c(0, 10)) {
    expect_identical(losses(noise, NULL, epochs = 4, initial_epoch = 2, max_queue_size = size), whole[3:4])
  }
  expect_identical(losses(noise, 2, epochs = 4, initial_epoch = 2), losses(noise, 2, epochs = 4)[3:4])
})

test_that("A training that a checkpoint resumes equals one that was never disturbed", {
  x <- matrix(1:40 / 40, ncol = 2)
  flow <- batch_sequence(function(i) {
    rows <- 5 * (i - 1) + 1:5
    list(x[rows, ] + rnorm(10, sd = 0.1), x[rows, 1])
  }, 4, shuffle = TRUE, seed = 7)
  run <- function(path, epochs) {
    model <- linear_model(2L)
    history <- train(model, flow, NULL, epochs = epochs, callbacks = list(checkpoint(path)))
    list(history$metrics, weights_of(model))
  }
  paths <- tempfile(c("whole", "parts"), fileext = ".npz")
  on.exit(unlink(paths))
  whole <- run(paths[[1]], 4)
  run(paths[[2]], 2)
  expect_identical(run(paths[[2]], 4), whole)
})

test_that("rule 8: with a seed the session's random numbers stay where they are, without they are drawn from", {
  draw <- function(i) list(matrix(rnorm(2)), matrix(0, 2, 1))
  set.seed(1)
  before <- .Random.seed
  losses(batch_sequence(draw, 3, seed = 2), NULL)
  expect_identical(.Random.seed, before)
  from_session <- losses(batch_sequence(draw, 3), NULL)
  expect_false(identical(.Random.seed, before))
  set.seed(1)
  expect_identical(losses(batch_sequence(draw, 3), NULL), from_session)
})

test_that("The epoch is told, and its end by a hook, in between", {
  ended <- NULL
  flow <- batch_sequence(function(i, epoch) list(matrix(10 * epoch + i), matrix(0)), 2,
                         on_epoch_end = function(epoch) ended <<- c(ended, epoch))
  expect_equal(losses(flow, NULL, epochs = 3), c(1.5, 11.5, 21.5))
  expect_identical(ended, 0:1)
  calls <- 0
  losses(batch_sequence(indexed_batch, 2, on_epoch_end = function() calls <<- calls + 1), 4)
  expect_identical(calls, 1)
})

test_that("It runs on R's thread, and its errors are R's, with the number of the batch", {
  fails <- function(i) if (i == 3) stop(errorCondition("no file", class = "my_error")) else indexed_batch(i)
  e <- expect_error(losses(batch_sequence(trapped(fails, 2L), 4), NULL), class = "my_error")
  expect_match(conditionMessage(e), "The code of `generator` failed at batch 3: no file")
  none <- batch_sequence(function(i) NULL, 4)
  expect_error(losses(none, NULL), "Batch 1: generator\\(\\) returned NULL", class = "fitgenerator_batch_error")
  hook <- batch_sequence(indexed_batch, 2, on_epoch_end = function(epoch) stop("in the hook"))
  expect_error(losses(hook, NULL, epochs = 2), "in the hook", class = "fitgenerator_generator_error")
  expect_clean(linear_model())
})

test_that("It prints, and has a length", {
  flow <- batch_sequence(indexed_batch, 4, shuffle = TRUE)
  expect_output(print(flow), "A sequence of 4 batches, shuffled")
  expect_length(flow, 4L)
})

test_that("Bad input is refused by the name of the argument", {
  expect_refused <- function(text, ...) expect_error(batch_sequence(...), text, class = "fitgenerator_argument_error")
  expect_refused("`fn` must be a function, not a list of 1", list(1), 3)
  expect_refused("`fn` must take 1 argument \\(the number of a batch\\) or 2 .*, not 0\\.$", function() 1, 3)
  expect_refused(", not 3\\.$", function(a, b, c) 1, 3)
  expect_refused("`length` must be a whole number of at least 1, not 0", indexed_batch, 0)
  expect_refused("`shuffle` must be TRUE or FALSE, not 1", indexed_batch, 2, 1)
  expect_refused("`seed` must be a whole number of at least 0, not -1", indexed_batch, 2, TRUE, -1)
  expect_refused("`on_epoch_end` must be a function", indexed_batch, 2, on_epoch_end = "x")
})
