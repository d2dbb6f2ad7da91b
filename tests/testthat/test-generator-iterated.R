# Iterators that `reticulate::py_iterator()` made of R functions: closures like any other.

skip_without_keras()

counting <- function(last = Inf) {
  calls <- 0
  function() {
    if (calls == last) return(NULL)
    calls <<- calls + 1
    reticulate::tuple(matrix(calls, 2, 1), matrix(0, 2, 1))
  }
}

first_of <- function(batch) if (is.null(batch)) NULL else as.vector(batch[[1]])[[1]]

test_that("T13: an iterator of R is fetched from exactly, and goes on after the call", {
  model <- echo_model()
  for (size in c(0, 1, 10)) {
    iterator <- reticulate::py_iterator(counting())
    expect_identical(first_of(reticulate::iter_next(iterator)), 1)
    expect_equal(train(model, iterator, 2, epochs = 2, max_queue_size = size)$metrics$loss, c(2.5, 4.5))
    expect_identical(first_of(reticulate::iter_next(iterator)), 6)
    expect_equal(evaluate_generator(model, iterator, 1)[[1]], 7)
    expect_equal(as.vector(predict_generator(model, iterator, 1)), c(8, 8))
  }
})

test_that("T13: values that it has prefetched come first", {
  iterator <- reticulate::py_iterator(counting(), prefetch = 3L)
  expect_equal(train(echo_model(), iterator, 5)$metrics$loss, 3)
  expect_identical(first_of(reticulate::iter_next(iterator)), 6)
})

test_that("T13: its end is an end, for good", {
  model <- echo_model()
  iterator <- reticulate::py_iterator(counting(3))
  expect_warning(h <- train(model, iterator, 2, epochs = 2), class = "fitgenerator_ended_warning")
  expect_equal(h$metrics$loss, 1.5)
  expect_null(reticulate::iter_next(iterator))
  expect_error(train(model, iterator, 2), class = "fitgenerator_batch_error")
  iterator <- reticulate::py_iterator(function() FALSE, completed = FALSE)
  expect_error(train(model, iterator, 2), "ended before its first batch")
  iterator <- reticulate::py_iterator(counting(1), completed = FALSE)
  expect_error(train(model, iterator, 2), class = "fitgenerator_batch_error", "Batch 2")
  inner <- reticulate::as_iterator(list(1, 2))
  ends <- function() {
    if (is.null(reticulate::iter_next(inner))) stop(reticulate::import_builtins(convert = FALSE)$StopIteration())
    counting()()
  }
  expect_warning(train(model, reticulate::py_iterator(ends), 3), "3 batches were wanted, 2 came")
})

test_that("T13: its error is an error of the call", {
  model <- linear_model()
  iterator <- reticulate::py_iterator(function() stop(errorCondition("nothing more", class = "no_more")))
  e <- expect_error(train(model, iterator, 2), class = "no_more")
  expect_s3_class(e, "fitgenerator_generator_error")
  expect_identical(conditionMessage(e), "The code of `generator` failed at batch 1: nothing more")
})

test_that("T13: it has the random numbers of the closure", {
  drawn <- function(generator) {
    set.seed(1)
    list(train(linear_model(), generator, 3, epochs = 2)$metrics$loss, runif(1))
  }
  expect_identical(drawn(reticulate::py_iterator(random_batches())), drawn(random_batches()))
})

test_that("rule 12: one iterator as generator and validation data has one reader", {
  for (same in c(TRUE, FALSE)) {
    iterator <- reticulate::py_iterator(counting())
    reticulate::py_set_attr(reticulate::import_main(), "fitgenerator_test_iterator", iterator)
    reference <- reticulate::py_get_attr(reticulate::import_main(), "fitgenerator_test_iterator")
    h <- train(echo_model(), iterator, 2, epochs = 2, validation_steps = 1,
               validation_data = if (same) iterator else reference)
    expect_equal(h$metrics, list(loss = c(1.5, 4.5), val_loss = c(3, 6)))
  }
})

test_that("T13: it is asked for what it has before the first batch, not for every batch", {
  calls <- iterated_calls(as_iterated(reticulate::py_iterator(counting(5))))
  crossings <- 0
  own <- cross
  on.exit(utils::assignInNamespace("cross", own, "fitgenerator"))
  utils::assignInNamespace("cross", function(...) {
    crossings <<- crossings + 1
    own(...)
  }, "fitgenerator")
  for (i in 1:5) expect_false(calls$ends(calls$fn()))
  expect_identical(crossings, 2)
  for (i in 1:2) expect_true(calls$ends(calls$fn()))
})
