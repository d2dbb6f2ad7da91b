# Batches that are made from their numbers: length, passes, hooks, random numbers, resuming.

skip_without_keras()

# Batch i consists of the values i.
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
  cut <- losses(noise, 2, epochs = 4, initial_epoch = 0)
  expect_identical(losses(noise, 2, epochs = 4, initial_epoch = 2), cut[3:4])
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

test_that("T5: the epoch is told, and its end by a hook, the last one too", {
  ended <- NULL
  flow <- batch_sequence(function(i, epoch) list(matrix(10 * epoch + i), matrix(0)), 2,
                         on_epoch_end = function(epoch) ended <<- c(ended, epoch))
  expect_equal(losses(flow, NULL, epochs = 3), c(1.5, 11.5, 21.5))
  expect_identical(ended, 0:2)
  calls <- 0
  losses(batch_sequence(indexed_batch, 2, on_epoch_end = function() calls <<- calls + 1), 4)
  expect_identical(calls, 2)
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
  expect_refused("`fn` must take no argument, 1 \\(the number of a batch\\) or 2 .*, not 3\\.$", function(a, b, c) 1, 3)
  expect_refused(", not 3\\.$", function(a, b, c) 1, 3)
  expect_refused("`length` must be a whole number of at least 1, not 0", indexed_batch, 0)
  expect_refused("`shuffle` must be TRUE or FALSE, not 1", indexed_batch, 2, 1)
  expect_refused("`seed` must be a whole number of at least 0, not -1", indexed_batch, 2, TRUE, -1)
  expect_refused("`on_epoch_end` must be a function", indexed_batch, 2, on_epoch_end = "x")
})

test_that("T5: calls of one epoch go on where the last one ended, and equal one call", {
  made <- list(
    sequence = function() batch_sequence(indexed_batch, 4, shuffle = TRUE, seed = 1),
    seeded = function() batch_sequence(function(i) list(matrix(rnorm(2)), matrix(0, 2, 1)), 4, seed = 1),
    data = function() flow_from_data(matrix(1:8 + 0), rep(0, 8), batch_size = 2, seed = 1)
  )
  seen_by <- function(flow, ..., callbacks = list()) {
    seen <- NULL
    note <- list(on_train_batch_end = function(batch, logs) seen <<- c(seen, logs$loss * (batch + 1)))
    losses(flow, ..., callbacks = c(list(note), callbacks))
    seen
  }
  for (make in made) {
    for (steps in list(NULL, 3, 7)) {
      whole <- seen_by(make(), steps, epochs = 4)
      flow <- make()
      part <- function(...) seen_by(flow, steps, ...)
      expect_equal(c(part(), part(workers = 0), part(epochs = 2)), whole)
      expect_equal(part(epochs = 2, initial_epoch = 0), utils::head(whole, length(whole) / 2))
    }
    whole <- seen_by(make(), NULL, epochs = 3)
    flow <- make()
    expect_equal(seen_by(flow, NULL), whole[1:4])
    evaluate_generator(echo_model(), flow)
    suppressWarnings(predict_generator(echo_model(), flow))
    expect_equal(seen_by(flow, NULL, validation_data = flow), whole[5:8])
    path <- tempfile(fileext = ".npz")
    expect_equal(seen_by(flow, NULL, callbacks = list(checkpoint(path))), whole[1:4])
    expect_equal(seen_by(flow, NULL, epochs = 3, callbacks = list(checkpoint(path))), whole[5:12])
  }
})

test_that("T5: a model that is not built begins with the epoch that a callback restores", {
  third <- list(on_train_begin = function(logs) reticulate::py_set_attr(model, "_initial_epoch", 2L))
  for (size in c(0, 10)) {
    seen <- NULL
    flow <- batch_sequence(function(i, epoch) {
      seen <<- c(seen, 10 * epoch + i)
      list(matrix(rnorm(2)), matrix(0, 2, 1))
    }, 3)
    model <- keras()$Sequential(list(keras()$layers$Dense(1L)))
    model$compile("sgd", "mse")
    set.seed(1)
    expect_identical(train(model, flow, NULL, epochs = 4, callbacks = list(third), max_queue_size = size)$epoch, 2:3)
    after <- runif(1)
    expect_equal(seen, c(1, 21:23, 31:33))
    set.seed(1)
    rnorm(2 * length(seen))
    expect_identical(after, runif(1))
  }
})

test_that("T5: on_epoch_end follows the last batch of a pass, in every kind of call, and no pass that is broken off", {
  for (size in c(0, 1, 10)) {
    ended <- 0
    flow <- batch_sequence(indexed_batch, 3, on_epoch_end = function() ended <<- ended + 1)
    evaluate_generator(echo_model(), flow, max_queue_size = size)
    predict_generator(echo_model(), flow, max_queue_size = size)
    losses(flow, NULL, validation_data = flow, max_queue_size = size)
    expect_identical(ended, 4)
    losses(flow, 2, max_queue_size = size)
    evaluate_generator(echo_model(), flow, 2, max_queue_size = size)
    expect_identical(ended, 4)
    losses(flow, 2, max_queue_size = size)
    expect_identical(ended, 5)
    stops <- list(on_train_batch_begin = function(batch, logs) if (batch == 2) stop("broken off"))
    expect_error(losses(batch_sequence(indexed_batch, 30, on_epoch_end = function() ended <<- 0), NULL,
                        callbacks = list(stops), max_queue_size = size))
    expect_identical(ended, 5)
  }
})

test_that("T5: an error in on_epoch_end after the last pass is an error of the call; its random numbers count", {
  hook <- batch_sequence(indexed_batch, 2, on_epoch_end = function(epoch) stop("in the hook"))
  for (epochs in 1:2) {
    e <- expect_error(losses(hook, NULL, epochs = epochs), class = "fitgenerator_generator_error")
    expect_identical(conditionMessage(e), "The code of `generator` failed: in the hook")
    expect_identical(e$place, "generator")
    expect_null(e$batch)
  }
  expect_error(evaluate_generator(echo_model(), hook), "in the hook", class = "fitgenerator_generator_error")
  sleep <- function(epoch) Sys.sleep(30) # nolint: undesirable_function_linter. It is to be stopped.
  stuck <- batch_sequence(indexed_batch, 2, on_epoch_end = sleep)
  said <- "^`generator` did not return from on_epoch_end\\(\\) within 1 seconds"
  spent <- system.time(expect_error(losses(stuck, NULL, timeout = 1), said, class = "fitgenerator_timeout_error"))
  expect_lt(spent[["elapsed"]], 20)
  drawn_in <- function(calls, epochs) {
    set.seed(1)
    drawn <- NULL
    flow <- batch_sequence(indexed_batch, 2, on_epoch_end = function() drawn <<- c(drawn, runif(1)))
    for (call in seq_len(calls)) losses(flow, NULL, epochs = epochs)
    drawn
  }
  expect_identical(drawn_in(3, 1), drawn_in(1, 3))
  expect_length(unique(drawn_in(3, 1)), 3L)
  expect_clean(linear_model())
})

test_that("Settings of a sequence that are set after a call are obeyed, by a sequence of its own; others are refused", {
  seen <- NULL
  note <- function(i) {
    seen <<- c(seen, i)
    indexed_batch(i)
  }
  seen_by <- function(flow, ...) {
    seen <<- NULL
    losses(flow, NULL, ..., max_queue_size = 0)
    seen
  }
  make <- function(...) batch_sequence(note, ...)
  first <- make(10, seed = 1)
  expect_identical(seen_by(first), 1:10)
  changed <- first
  changed$length <- 5L
  changed[["shuffle"]] <- TRUE
  expect_output(print(changed), "5 batches, shuffled")
  expect_length(changed, 5L)
  expect_identical(seen_by(changed, epochs = 2), seen_by(make(5, TRUE, 1), epochs = 2))
  copied <- changed
  copied$seed <- 99L
  expect_identical(seen_by(copied), seen_by(make(5, TRUE, 99)))
  again <- make(5, TRUE, 1)
  seen_by(again, epochs = 2)
  expect_identical(seen_by(changed), seen_by(again))
  drawing <- batch_sequence(function(i) list(matrix(rnorm(2)), matrix(0, 2, 1)), 4)
  drawing["seed"] <- list(1)
  drawn <- losses(drawing, NULL)
  expect_identical(losses(drawing, NULL, initial_epoch = 0), drawn)
  refused <- function(text, expr) expect_error(expr, text, class = "fitgenerator_argument_error")
  refused("`length` must be a whole number of at least 1, not 2.5", first$length <- 2.5)
  refused("`shuffle` must be TRUE or FALSE, not NA", first$shuffle <- NA)
  refused("`seed` must be a whole number", first["seed"] <- -1)
  refused("no setting `len`; .* `length`", first$len <- 3)
  refused("no setting `state`", first[["state"]] <- new.env())
  refused("no setting `2`", first[[2]] <- 3)
  expect_identical(seen_by(first), 1:10)
})
