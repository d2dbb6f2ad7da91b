# Issue 16: a training that is resumed has the history of an undisturbed one on R's own thread, whoever makes the
# batches before and after.

skip_on_os("windows")

skip_without_workers()

# What a training with validation comes to; its batches are in another order in each epoch.
history_of <- function(workers, ..., epochs = 4) {
  flow <- batch_sequence(drawn_batch, 5, shuffle = TRUE, seed = 3)
  unseen <- batch_sequence(function(i) list(matrix(stats::rnorm(4) * i, 4L), matrix(0, 4L, 1L)), 3, seed = 2)
  train(linear_model(), flow, NULL, epochs, workers = workers, validation_data = unseen, ...)$metrics
}

# Ends a training after so many batches of an epoch, both from 0: 5 is when the epoch is over.
ending <- function(epoch, batches) {
  now <- NULL
  list(
    on_epoch_begin = function(epoch) now <<- epoch,
    on_train_batch_end = function(batch, logs) if (now == epoch && batch == batches) stop("power cut"),
    on_epoch_end = function(epoch, logs) if (now == epoch && batches == 5) stop("power cut")
  )
}

# Expects that a training which `before` began, and `after` resumed from a checkpoint, is an undisturbed one.
expect_resumed <- function(before, after, whole) {
  for (end in list(ending(2, 5), ending(1, 3))) {
    path <- file.path(seen_folder(), "training.npz")
    cut <- function() history_of(before, callbacks = list(checkpoint(path, every = 2), end))
    expect_nothing_left(expect_error(cut(), "power cut"))
    expect_true(file.exists(path))
    expect_nothing_left(expect_identical(history_of(after, callbacks = list(checkpoint(path, every = 2))), whole))
  }
}

# Expects this for workers of some kind, and for the epochs of a training that begins with a later one.
expect_goes_on <- function(kind) {
  workers <- worker_kinds[[kind]]$start()
  on.exit(worker_kinds[[kind]]$end(workers))
  whole <- history_of(NULL)
  expect_identical(history_of(workers), whole)
  expect_identical(history_of(workers, initial_epoch = 2), history_of(NULL, initial_epoch = 2))
  expect_resumed(workers, workers, whole)
  expect_resumed(workers, NULL, whole)
  expect_resumed(NULL, workers, whole)
}

test_that("Processes of ours, between epochs and within one; from another number of them", {
  expect_goes_on("own")
  expect_resumed(2, 4, history_of(NULL))
})

test_that("Nodes of a cluster", {
  expect_goes_on("cluster")
})

test_that("Futures", {
  skip_if_not_installed("future")
  expect_goes_on("future")
})

test_that("Daemons of mirai", {
  skip_if_not_installed("mirai")
  expect_goes_on("mirai")
})
